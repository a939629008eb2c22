"""Hints: what goes over the wire comes back, and merging them does not depend on order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.hint import NOTHING, PAYLOAD_BYTES_MAX, Hint

BIGINT = st.integers(0, 2**63 - 1)

words = st.one_of(
    st.just(Hint.everything),
    st.builds(Hint, ready=st.tuples(st.integers(0, 1000), BIGINT)),
    st.builds(Hint, events=BIGINT),
    st.builds(Hint, pause=st.just(True)),
    st.builds(Hint, drain=st.just(True)),
    st.builds(Hint, credentials=st.just(True)),
    st.builds(Hint, pings=st.uuids().map(lambda ping: frozenset((str(ping),)))),
)


@st.composite
def hints(draw: st.DrawFn) -> Hint:
    """Several words merged, at least one."""
    merged = NOTHING
    for word in draw(st.lists(words, min_size=1, max_size=6)):
        merged |= word
    return merged


@given(hints())
def test_a_hint_survives_the_wire(hint: Hint) -> None:
    """What is parsed is what was encoded."""
    assert hint == Hint.parse(hint.encode())


@given(hints(), hints(), hints())
def test_merging_is_associative_commutative_and_idempotent(one: Hint, two: Hint, three: Hint) -> None:
    """In whatever order and however often hints are merged, the same comes out; nothing changes nothing."""
    assert (one | two) | three == one | (two | three)
    assert one | two == two | one
    assert one | one == one
    assert one | NOTHING == one


@given(st.text())
def test_any_payload_is_a_hint(payload: str) -> None:
    """Whatever somebody sends, it is understood as something to look at."""
    assert Hint.parse(payload)


@pytest.mark.parametrize(
    ("payload", "hint"),
    [
        ("*", Hint.everything),
        ("r:100:7,r:5:9,r:5:8", Hint(ready=(5, 8))),
        ("e:7,e:48213,e:9", Hint(events=48213)),
        ("p,e:1", Hint(pause=True, events=1)),
        ("d,e:2,p", Hint(drain=True, pause=True, events=2)),
        ("r:1:1,*,e:5", Hint(anything=True, ready=(1, 1), events=5)),
        ("", Hint.everything),
        ("r:one:two", Hint.everything),
        ("e:-1", Hint.everything),
        ("a word of the year 2030", Hint.everything),
    ],
)
def test_payload_means(payload: str, hint: Hint) -> None:
    """The most urgent ready key and the highest seq are kept; what is not understood means everything."""
    assert hint == Hint.parse(payload)


def test_a_payload_that_grows_too_long_becomes_everything() -> None:
    """No payload is longer than PostgreSQL takes."""
    hint = Hint(pings=frozenset(f"{number:036}" for number in range(PAYLOAD_BYTES_MAX // 40)))
    assert "*" == hint.encode()


def test_hint_without_pings() -> None:
    """A ping alone says nothing to those who do not test their hearing."""
    ping = Hint(pings=frozenset(("1",)))
    assert not ping.without_pings()
    assert Hint(pause=True) == (ping | Hint(pause=True)).without_pings()
