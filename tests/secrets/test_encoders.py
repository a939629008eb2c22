"""Every value in every usual form: hidden in output, refused in bodies, found in commits, however the text is cut."""

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runner.redact import Redactor
from tests.secrets.encoders import ENCODERS, VALUES

AROUND = [
    "",
    " ",
    "\n",
    "=",
    "key: ",
    "x",
    "9",
    "%",
    "\\",
    "&",
    "$",
    '"',
    "\x1b[0m",
    "+",
    "\n+",
    "é",
    "://",
    "%4",
    "\\u00",
]
REDACTORS = {value: Redactor([value]) for value in VALUES.values()}
LEFT = 3  # characters of an encoded value that its neighbours have a part in


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
@pytest.mark.parametrize("encoder", ENCODERS.keys())
def test_every_form_is_hidden(encoder: str, value: str) -> None:
    """Of an encoded value nothing is left but the quotes around it, and what base64 shares with its neighbours."""
    encoded = ENCODERS[encoder](value)
    redacted = REDACTORS[value].redact(f"before {encoded} after")
    left = redacted.removeprefix("before").removesuffix("after").replace(REDACTORS[value].known.mark, "")
    assert redacted != f"before {encoded} after"
    if encoder.startswith("base64"):
        assert len(re.sub(r"[\sA=\"]|\\n", "", left)) <= 2 * LEFT
    else:
        assert not re.search(
            r"[0-9A-Zb-mo-w]{3}", re.sub(r"\x1b\[[0-9;]*[mK]|declare|\\?u00\w\w|\\n|%(?:25)?[02][2A]|\\012", "", left)
        ), left


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
@pytest.mark.parametrize("encoder", ENCODERS.keys())
def test_every_form_is_found(encoder: str, value: str) -> None:
    """The value is named for the screening of bodies and the scan of commits."""
    encoded = ENCODERS[encoder](value)
    redactor = Redactor([value, "another-value-42"])
    assert redactor.find(f"before {encoded} after") == {value}
    search = redactor.search()
    for byte in f"before {encoded} after".encode():
        search.feed(bytes([byte]))
    assert search.finish() == {value}


nested = st.tuples(
    st.sampled_from(sorted(VALUES)), st.sampled_from(sorted(ENCODERS)), st.sampled_from(sorted(ENCODERS))
)
around = st.lists(st.sampled_from(AROUND) | st.text(max_size=4), max_size=3).map("".join)
# Hex with blanks whose blanks became `+`, and escapes whose own characters are coloured one by one (docs/security.md).
COLOURED = {"JSON, every character", "HTML, hex", "octal", "hex escapes", "rainbow"}
FORMED = {"hex with blanks", "hex in pairs", "base64 indented"}


def is_missed(inner: str, outer: str) -> bool:
    """The forms within forms that are not found."""
    coloured = "rainbow" in (inner, outer) and {inner, outer} <= COLOURED
    return (
        coloured or (inner in FORMED and outer == "URL, form") or (inner, outer) == ("printf %q", "JSON, safe in HTML")
    )


CONTAINERS = ("base64", "hex", "HEX")  # what these hold is not looked for but as it is


@given(chosen=nested, before=around, after=around)
def test_a_form_within_a_form_is_found(chosen: tuple[str, str, str], before: str, after: str) -> None:
    """Whatever stands around it, and when what was encoded is encoded once more."""
    name, inner, outer = chosen
    assume(not is_missed(inner, outer))
    value = VALUES[name]
    encoded = ENCODERS[inner](value)
    if not outer.startswith(CONTAINERS) or inner == "plain":
        encoded = ENCODERS[outer](encoded)
    assert REDACTORS[value].find(f"{before} {encoded} {after}") == {value}


ALL = Redactor(VALUES.values())
forms = st.builds(
    lambda name, encoder: ENCODERS[encoder](VALUES[name]),
    st.sampled_from(sorted(VALUES)),
    st.sampled_from(sorted(ENCODERS)),
)
halves = st.builds(lambda form, part: form[: int(len(form) * part)], forms, st.floats(0, 1))
SOUP = [
    *"%&\\\x1b[]$'\"+-\n@:;/ #x",
    "25",
    "41",
    "u00",
    "amp;",
    "sk-",
    "eyJ",
    "AKIA",
    "bearer ",
    "://",
    "a" * 20,
    VALUES["key"][:9],
]
texts = st.lists(st.sampled_from(SOUP), max_size=40).map("".join) | st.lists(
    forms | halves | st.sampled_from(AROUND) | st.text(max_size=5), max_size=8
).map("".join)


@given(text=texts, data=st.data())
def test_a_stream_redacts_alike_however_it_is_cut(text: str, data: st.DataObject) -> None:
    """For any chunking, the redacted pieces put together are the redacted whole."""
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    stream = ALL.stream()
    pieces = [stream.feed(text[start:end]) for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert "".join([*pieces, stream.finish()]) == ALL.redact(text)


@settings(deadline=None)  # a feed per character
@given(text=texts)
def test_a_stream_of_single_characters_redacts_alike(text: str) -> None:
    """The most cuts there can be."""
    stream = ALL.stream()
    assert "".join([*map(stream.feed, text), stream.finish()]) == ALL.redact(text)


@given(text=texts)
def test_no_value_survives(text: str) -> None:
    """Whatever surrounds it."""
    redacted = ALL.redact(text)
    assert not [value for value in VALUES.values() if value.strip() in redacted]
