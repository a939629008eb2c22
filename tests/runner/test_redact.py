"""Secrets never leave the runner."""

import base64

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from runner.redact import Redactor

LONG = 8192

KEYS = {
    "openai": "sk-proj-Abcdefghij0123456789klmno",
    "stripe": "sk_live_abcdefghij0123456789",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "github": "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "gitlab": "glpat-abcdefghij0123456789",
    "google": "AIzaSyA-1234567890abcdefghijklmnopqrstu",
    "npm": "npm_abcdefghijklmnopqrstuvwxyz0123456789",
    "hugging face": "hf_abcdefghijklmnopqrstuvwxyz01234567",
    "supabase": "sbp_0123456789abcdef0123456789abcdef01234567",
    "ours": "elr_operator_abcdefghijklmnopqrstuvwxyz01234-_ABCDEFGHIJ",
    "slack": "xoxb-123456789012-abcdefghij",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N",
}
VALUES = ["hunter2hunter2", "hunter2hunter2-and-more", "two words", "line one is long enough\nline two is long enough"]
REDACTOR = Redactor(VALUES)

# Text that is nearly a secret, entirely one, or neither: what a cut in the wrong place would get wrong.
FRAGMENTS = [
    *VALUES,
    *KEYS.values(),
    *(value[:7] for value in VALUES),
    *(
        "postgres://me:",
        "p4ss",
        "@host/db",
        "://",
        "@",
        ":",
        "Bearer ",
        "abcdefghijklmnop",
        "sk-",
        "hunter2",
        " ",
        "\n",
    ),
    *("x" * LONG, "é", "a"),
]
texts = st.lists(st.sampled_from(FRAGMENTS) | st.text(max_size=5), max_size=12).map("".join)


@given(text=texts, data=st.data())
def test_a_stream_redacts_alike_however_it_is_cut(text: str, data: st.DataObject) -> None:
    """For any chunking, the redacted pieces put together are the redacted whole."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    stream = REDACTOR.stream()
    pieces = [stream.feed(text[start:end]) for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert "".join([*pieces, stream.finish()]) == REDACTOR.redact(text)


@given(text=texts)
def test_no_known_value_survives(text: str) -> None:
    """Redacted text contains none of the known values."""
    redacted = REDACTOR.redact(text)
    assert not [value for value in VALUES if value in redacted]


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
def test_common_keys_are_known_by_their_shape(key: str) -> None:
    """A key nobody told us about is redacted when it looks like one."""
    assert Redactor().redact(f"key={key}, then") == "key=[redacted], then"


def test_a_password_in_an_address_is_redacted() -> None:
    """User and password of an address disappear; the rest of it stays readable."""
    assert Redactor().redact("at postgres://me:p4ss@db:5432/x now") == "at postgres://[redacted]@db:5432/x now"


def test_a_bearer_token_is_redacted() -> None:
    """The token of an Authorization header disappears; the word Bearer stays."""
    assert Redactor().redact("Authorization: Bearer abc.def-0123456789") == "Authorization: Bearer [redacted]"


@pytest.mark.parametrize(
    "text", ["task-01hxyz0123456789abcdefghij", "https://host/a:b", "ask-me-anything-about-this", "see http://a.b/c@d"]
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Ids, addresses without a password and words are no secrets."""
    assert Redactor().redact(text) == text


@pytest.mark.parametrize(
    "form", ['p\u00e4ss"word/1', 'p\\u00e4ss\\"word/1', "p%C3%A4ss%22word%2F1", "cMOkc3Mid29yZC8x"]
)
def test_a_value_is_found_in_other_forms(form: str) -> None:
    """A known value is redacted as it is, inside JSON, in an address, and in base64."""
    assert Redactor(['p\u00e4ss"word/1']).redact(f"<{form}>") == "<[redacted]>"


def test_short_values_are_not_hidden() -> None:
    """A value of less than six characters would blank out ordinary words, and is left alone."""
    assert Redactor(["yes", ""]).redact("yes, yes") == "yes, yes"


def test_a_json_value_is_redacted_everywhere() -> None:
    """Strings at every depth are redacted, keys too; other values stay."""
    value = {"a": ["hunter2hunter2", 1, None], "hunter2hunter2": {"b": "x"}}
    assert REDACTOR.redact_value(value) == {"a": ["[redacted]", 1, None], "[redacted]": {"b": "x"}}


def test_a_stream_holds_back_little() -> None:
    """A finished line is passed on at once, and an endless word is not collected for ever."""
    stream = REDACTOR.stream()
    assert stream.feed("compiling…\n") == "compiling…\n"
    passed = sum(len(stream.feed("x" * 1000)) for _ in range(100))
    assert passed >= 100_000 - LONG - 1000


@pytest.mark.parametrize("value", ["passw[", "]ordpass", "redacted", "[redacted]", "d]pass[r", "ab]*<[cd"])
def test_the_mark_never_completes_a_secret(value: str) -> None:
    """However the remains around a mark look, together with it they are no secret."""
    stumps = [value[:-cut] for cut in range(1, 4)] + [value[cut:] for cut in range(1, 4)]
    redactor = Redactor([value, "another secret"])
    for before in stumps:
        for after in stumps:
            assert value not in redactor.redact(f"{before}{value}{value}{after}another secret{after}")


@given(value=st.text(min_size=6, max_size=40), before=st.binary(max_size=9), after=st.binary(max_size=9))
def test_base64_hides_nothing(value: str, before: bytes, after: bytes) -> None:
    """Of a value inside a longer text in base64 no more is left than its neighbours have a part in."""
    value = value.strip()
    assume(len(value) >= 6)
    redactor = Redactor([value])
    redacted = redactor.redact(base64.b64encode(before + value.encode() + after).decode())
    assert redactor.known.mark in redacted
    assert len(redacted.replace(redactor.known.mark, "")) <= (len(before) + 2) // 3 * 4 + (len(after) + 2) // 3 * 4 + 4


def test_more_secrets_may_become_known() -> None:
    """A value that becomes known is hidden from then on, in streams that have begun too; one forgotten stays hidden."""
    known = [frozenset[str]()]
    redactor = Redactor(["hunter2hunter2"], lambda: known[0])
    stream = redactor.stream()
    assert "swordfish\n" == stream.feed("swordfish\n")
    known[0] = frozenset(["swordfish"])
    assert "[redacted] " == stream.feed("swordf") + stream.feed("ish ") + stream.finish()
    known[0] = frozenset()
    assert "[redacted] [redacted]" == redactor.redact("hunter2hunter2 swordfish")
