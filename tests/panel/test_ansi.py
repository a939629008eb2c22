"""Terminal output as HTML: colours kept, everything else harmless, wherever it is torn."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.panel.ansi import State, to_html
from api.panel.harmless import harmless

TEXTS = st.lists(
    st.sampled_from(
        ["a", "<b>", "\x1b[31m", "\x1b[0m", "\x1b[1;42m", "\x1b", "[", "3", "m", "\n", "\r", "&", "\x1b]0;x\x07"]
    ),
    max_size=30,
).map("".join)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("plain", "plain"),
        ("\x1b[31mred\x1b[0m", '<span class="sgr-f1">red</span>'),
        ("\x1b[1;32mok\x1b[22m.", '<span class="sgr-bold sgr-f2">ok</span><span class="sgr-f2">.</span>'),
        ("\x1b[38;5;200mx\x1b[48;2;1;2;3my", "xy"),
        ("\x1b[2K\x1b[1A\x1b[?25lx", "x"),
        ("\x1b]0;title\x07x", "x"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("10%\r20%\r\n", "10%\n20%\n"),
        ("\x1b[91;101mx", '<span class="sgr-f9 sgr-b9">x</span>'),
    ],
)
def test_known_sequences(text: str, html: str) -> None:
    """Colours become classes, the rest of what a terminal obeys is left out, markup is text."""
    assert html == to_html(text)[0]


@given(TEXTS, st.data())
def test_a_torn_text_reads_the_same(text: str, data: st.DataObject) -> None:
    """Cut anywhere, the two parts show what the whole shows, but for the open end."""
    place = data.draw(st.integers(0, len(text)))
    first, state = to_html(text[:place])
    second, end = to_html(text[place:], State.read(state.classes, state.torn))
    whole, whole_end = to_html(text)
    assert visible(first + second) == visible(whole)
    assert end == whole_end


@given(st.text(max_size=200))
def test_nothing_gets_out(text: str) -> None:
    """Whatever the text, the only markup is ours."""
    html, _ = to_html(text)
    rest = re.sub(r'<span class="[a-z0-9 -]*"(?: title="[^"<>]*")?>|</span>', "", html)
    assert not re.search("[<>\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069]", rest)


def test_a_strange_state_is_no_state() -> None:
    """What comes back from a browser is not believed."""
    assert State() == State.read('"><script>', "")
    assert State() == State.read("f1", "not a sequence")
    assert State("f1", "\x1b[3") == State.read("f1", "\x1b[3")


def test_what_steers_the_eye_is_shown() -> None:
    """A right-to-left override is a box with its name; letters written from right to left stay letters."""
    assert "U+202E" in harmless("invoice\u202efdp.exe")
    assert "שלום" == harmless("שלום")
    assert "ends here" == harmless("\x1b[31mends\x1b[0m here")


def visible(html: str) -> str:
    """The text with its colours, however it is divided into spans."""
    out, classes = [], [""]  # a span within a coloured one keeps its colours, and its end gives back what was before
    for match in re.finditer(r'<span class="(sgr-[^"]*)?[^>]*>|</span>|<[^>]*>|([^<])', html):
        if match[0].startswith("<span"):
            classes.append(match[1] or classes[-1])
        elif match[0] == "</span>":
            classes.pop()
        elif match[2]:
            out.append(f"{classes[-1]}:{match[2]}")
    return "|".join(out)
