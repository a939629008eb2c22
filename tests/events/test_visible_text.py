"""Nothing is hidden in what is shown, and two different texts never look the same."""

import json
import re
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.visible_text import (
    HIDDEN,
    Marker,
    escape_json,
    findings,
    line_count,
    marker_limit,
    segments,
    visible,
    visible_line,
    visible_text,
)

INKLESS = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp", "Zs")
SEEN = {" ", "\t", "\n"}
# What is worth trying beside any character: runs, markers, brackets, emoji, bidi, escapes.
PIECES = st.sampled_from(
    [
        *(" " * 9, " " * 41, "\t" * 50, "\n" * 4, "\n" * 9, " \n", "\r\n", "a", "rm -rf ~"),
        *("⟨U+202E⟩", "⟨9 spaces⟩", "⟨", "⟩", "U+202E", "\u202e", "\x1b[2K", "\x00", "\ud800"),
        *("\u200b" * 5, "\ufe0f", "⚠\ufe0f", "👩\u200d👧", "\U000e0041"),
    ]
)
TEXTS = st.lists(PIECES | st.text(max_size=3), max_size=8).map("".join)


def test_every_inkless_character_is_hidden() -> None:
    """Controls, formats, separators, surrogates, private use: all but space, tab and line feed."""
    characters = (chr(code) for code in range(sys.maxunicode + 1))
    missed = [c for c in characters if unicodedata.category(c) in INKLESS and c not in SEEN and not HIDDEN.match(c)]
    assert [] == missed


@pytest.mark.parametrize(
    "character", ["\u034f", "\u115f", "\u3164", "\uffa0", "\u2800", "\ufe0f", "\U000e0101", "\u17b4"]
)
def test_blank_letters_are_hidden(character: str) -> None:
    """Fillers and variation selectors are letters and marks by category, and have no ink."""
    assert f"a⟨U+{ord(character):04X}⟩b" == visible(f"a{character}b")


def test_letters_stay() -> None:
    """Text in any alphabet is what it was."""
    for text in ("ñandú", "Привет", "שלום", "日本語", "e\u0301", "→ ✓ — “x”", "x\ty\n  z"):
        assert text == visible(text) == visible_text(text)


@given(TEXTS)
def test_nothing_hidden_is_left(text: str) -> None:
    """Neither in a command nor on a line is a character that has no ink or steers; a line is one line."""
    assert not HIDDEN.search(visible(text))
    assert not [
        c for c in visible_line(text).replace("\ufe0f", "").replace("\u200d", "") if HIDDEN.match(c) or c in "\n\t"
    ]


@given(TEXTS, TEXTS)
def test_two_commands_never_look_the_same(one: str, other: str) -> None:
    """Two texts that differ are shown differently, also when the reader ignores what stands at the ends."""
    if one != other:
        assert visible(one) != visible(other)
    if one.strip() != other.strip() and "\n" not in (one + other).strip():
        assert visible(one.strip()).strip() != visible(other.strip()).strip()


@given(TEXTS)
def test_a_text_can_be_told_from_its_picture(text: str) -> None:
    """Reading the markers back gives the text: nothing is lost, whatever stands in it."""
    assert text == read_back(visible(text))


def read_back(shown: str) -> str:
    """The text behind what is shown."""
    shown = re.sub("\n⟨([0-9]+) blank lines⟩\n", lambda match: "\n" * (int(match[1]) + 1), shown)
    return re.sub("⟨([^⟩]*)⟩", lambda match: _meant(match[1]), shown)


def _meant(marker: str) -> str:
    if marker.startswith("U+"):
        code, _, times = marker.removeprefix("U+").partition(" ×")
        return chr(int(code, 16)) * int(times or 1)
    count, word = marker.split()
    return {"space": " ", "spaces": " ", "tab": "\t", "tabs": "\t"}[word] * int(count)


@given(st.recursive(TEXTS | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=5))
def test_json_stays_the_same_document(value: object) -> None:
    """What is hidden is escaped, and a reader gets the same value."""
    document = json.dumps(value, ensure_ascii=False)
    shown = escape_json(document)
    assert not HIDDEN.search(shown)
    assert json.loads(document) == json.loads(shown)


@given(TEXTS)
def test_markers_can_be_counted_beforehand(text: str) -> None:
    """The cheap limit is never below the number."""
    assert sum(isinstance(part, Marker) for part in segments(text)) <= marker_limit(text)


def test_a_gap_is_counted_and_named() -> None:
    """9 000 spaces, 500 blank lines and a thousand bidi controls cannot push anything out of sight."""
    text = "echo ok" + " " * 9000 + "; rm x" + "\n" * 501 + "y" + "\u202e" * 1000
    assert "echo ok⟨9000 spaces⟩; rm x\n⟨500 blank lines⟩\ny⟨U+202E ×1000⟩" == visible(text)
    assert [("bidi", 1000, 502), ("long_blank", 1, 1), ("blank_lines", 1, 1)] == [
        (found.code, found.count, found.line) for found in findings(text)
    ]
    assert 502 == line_count(text)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("curl p\u0430ypal.example", "mixed_scripts"),
        ("rm א", "right_to_left"),
        ("a\u00a0b", "space"),
        ("a\u200bb", "invisible"),
        ("\x1b[8m", "control"),
        ("a\u2066b", "bidi"),
    ],
)
def test_what_misleads_is_found(text: str, code: str) -> None:
    """Each kind by its own name."""
    assert [code] == [found.code for found in findings(text)]


def test_everyday_commands_raise_no_warning() -> None:
    """Spanish, indentation, tabs, emoji-free scripts."""
    assert [] == findings('for f in *.txt; do\n\techo "año $f"\n    wc -l "$f"\n\n\ndone\n')


def test_time_grows_with_the_text() -> None:
    """Runs of spaces are read once: no pattern looks at them again from each of their places."""
    steps = [" " * 40 + "x", " \t" * 20, "\n" * 4 + " ", "\u202e", "⟨"]
    for step in steps:
        assert visible(step * 20_000)
