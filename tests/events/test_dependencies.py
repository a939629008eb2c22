"""Parents come before their children, whatever order they were asked for in; a cycle is refused by name."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.dependencies import in_order
from events.errors import DependencyCycle

Graph = dict[str, list[str]]


@st.composite
def acyclic(draw: st.DrawFn) -> Graph:
    """Tasks that depend on earlier ones or on strangers, shuffled."""
    graph: Graph = {}
    for place in range(draw(st.integers(0, 12))):
        graph[f"t{place}"] = draw(st.lists(st.sampled_from([*graph, "stranger"]), max_size=4))
    return dict(draw(st.permutations(list(graph.items()))))


@given(acyclic())
def test_every_parent_comes_before_its_children(graph: Graph) -> None:
    """In the order given, no task stands before one that it depends on, and none is lost."""
    order = in_order(graph)

    assert list(range(len(graph))) == sorted(order)
    ids = list(graph)
    rank = {ids[place]: position for position, place in enumerate(order)}
    for task_id, parents in graph.items():
        assert all(rank[parent] < rank[task_id] for parent in parents if parent in rank)


@given(acyclic())
def test_an_order_that_is_right_already_is_kept(graph: Graph) -> None:
    """Ordering twice changes nothing."""
    ids = list(graph)
    ordered = {ids[place]: graph[ids[place]] for place in in_order(graph)}

    assert list(range(len(graph))) == in_order(ordered)


@given(acyclic(), st.integers(1, 6))
def test_a_cycle_is_found_and_named(graph: Graph, length: int) -> None:
    """Whatever else is asked for, a ring of tasks is refused, and the ring named in the direction of its arrows."""
    ring = {f"r{place}": [f"r{(place + 1) % length}"] for place in range(length)}

    with pytest.raises(DependencyCycle) as refusal:
        in_order(graph | ring)

    cycle = refusal.value.facts["cycle"]
    assert cycle[0] == cycle[-1]
    assert set(cycle) == set(ring)
    assert all(after in ring[before] for before, after in pairwise(cycle))


def test_the_detail_draws_the_cycle() -> None:
    """The refusal of two tasks that wait for each other draws them with arrows."""
    with pytest.raises(DependencyCycle, match=r"b → a → b|a → b → a"):
        in_order({"a": ["b"], "b": ["a"]})


def test_a_task_cannot_wait_for_itself() -> None:
    """A task that depends on itself is the smallest cycle."""
    with pytest.raises(DependencyCycle, match=r"a → a"):
        in_order({"a": ["a"]})


def test_a_long_chain_is_no_problem() -> None:
    """Ten thousand tasks, each waiting for the next one, are put in order."""
    chain = {str(place): [str(place + 1)] for place in range(10_000)}

    assert list(range(9_999, -1, -1)) == in_order(chain)
