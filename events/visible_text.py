"""Mark hidden characters in text that is shown for approval: panel, API preview, command line (ADR 0022).

An invisible character, or one that changes how the text around it is displayed, becomes a marker that names its code
point: ⟨U+202E⟩. In commands, long runs of spaces and blank lines become markers too, ⟨9000 spaces⟩, since they push the
rest out of view. The markers' brackets are marked as well where they occur in a text, so no text can imitate a marker,
and different texts never look the same.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Literal, NamedTuple

from msgspec import Struct

BLANKS_MAX = 40  # spaces and tabs in a row that a command shows as they are
BLANK_LINES_MAX = 3
REPEATS_MAX = 3  # of one hidden character in a row, that are named one by one

# Controls but for line feed and tab; spaces other than the plain one; whatever Unicode calls default-ignorable
# (DerivedCoreProperties.txt), which includes bidi controls, variation selectors and tags; fillers and blanks that are
# letters by category; surrogates, private use, noncharacters. Checked against unicodedata by the tests.
_HIDDEN = (
    "\x00-\x08\x0b-\x1f\x7f-\xa0\xad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u1680\u17b4\u17b5"
    "\u180b-\u180f\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ud800-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000110bd\U000110cd\U00013430-\U0001343f\U00016fe4\U0001bca0-\U0001bca3"
    "\U0001d159\U0001d173-\U0001d17a\U000e0000-\U0010ffff"
)
_EMOJI = "\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff"
_BRACKETS = "\u27e8\u27e9"

HIDDEN = re.compile(f"[{_HIDDEN}]")
# In prose an emoji keeps its presentation selector, and the joiner that makes one picture of two.
_JOINED = f"(?<=[{_EMOJI}])\ufe0f|(?<=[{_EMOJI}\ufe0f])\u200d(?=[{_EMOJI}])"
HIDDEN_IN_PROSE = re.compile(f"(?!{_JOINED})[{_HIDDEN}]")
_TEXT = re.compile(f"(?!{_JOINED})[{_HIDDEN}{_BRACKETS}]")
_LINE = re.compile(f"(?!{_JOINED})[{_HIDDEN}{_BRACKETS}\t\n]")
_COMMAND = re.compile(
    rf"(?P<blanks>[ \t]{{{BLANKS_MAX + 1},}}|[ \t]+(?=\n|\Z))"
    rf"|(?P<lines>\n{{{BLANK_LINES_MAX + 2},}})"
    rf"|(?P<hidden>[{_HIDDEN}{_BRACKETS}])(?P=hidden)*"
)
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LONG_BLANK = re.compile(f"[ \t]{{{BLANKS_MAX + 1},}}")
_HIDDEN_RUN = re.compile(rf"([{_HIDDEN}{_BRACKETS}])\1*")
_BLANK_LINES = re.compile(f"\n{{{BLANK_LINES_MAX + 2},}}")
# Letters of which some look the same: Latin beside Greek or Cyrillic.
_LATIN, _OTHERS = "A-Za-z\u00c0-\u024f", "\u0370-\u052f"
_MIXED_SCRIPTS = re.compile(f"[{_LATIN}][{_OTHERS}]+|[{_OTHERS}]+[{_LATIN}]")
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]+")


class Marker(NamedTuple):
    """Replaces hidden text: `repeats` of `character`, spaces, tabs or blank lines."""

    kind: Literal["character", "spaces", "tabs", "blank_lines"]
    repeats: int = 1
    character: str = ""

    @property
    def name(self) -> str:
        """Unicode's name of the character, in lower case."""
        return unicodedata.name(self.character, "control character").lower() if self.character else ""


Label = Callable[[Marker], str]


FindingCode = Literal[
    "bidi", "control", "invisible", "space", "long_blank", "blank_lines", "mixed_scripts", "right_to_left"
]


class Finding(Struct, frozen=True):
    """Misleading text: its kind, an English description, how often it occurs, and in which line (from 1) first."""

    code: FindingCode
    detail: str
    count: int
    line: int


def plain_label(marker: Marker) -> str:
    """The label of a marker, in English."""
    if marker.kind == "character":
        repeated = f" ×{marker.repeats}" if marker.repeats > 1 else ""
        return f"U+{ord(marker.character):04X}{repeated}"
    noun = marker.kind.replace("_", " ")
    return f"{marker.repeats} {noun if marker.repeats != 1 else noun.removesuffix('s')}"


def visible(text: str, label: Label = plain_label) -> str:
    """A command with hidden characters marked. Line feeds and tabs are kept."""
    return "".join(part if isinstance(part, str) else f"⟨{label(part)}⟩" for part in segments(text))


def visible_text(text: str) -> str:
    """Prose with hidden characters marked. White space and emoji are kept."""
    return _TEXT.sub(_code_point, text)


def visible_line(text: str) -> str:
    """As `visible_text`, on one line: line feeds and tabs become markers."""
    return _LINE.sub(_code_point, text)


def escape_json(document: str) -> str:
    """The same JSON document with hidden characters escaped. They occur in its strings only."""
    return document if document.isascii() and "\x7f" not in document else HIDDEN.sub(_json_escape, document)


def segments(command: str) -> Iterator[str | Marker]:
    """A command as pieces of text and markers."""
    end = 0
    for match in _COMMAND.finditer(command):
        if match.start() > end:
            yield command[end : match.start()]
        yield from _markers(match)
        end = match.end()
    if end < len(command):
        yield command[end:]


def marker_limit(command: str) -> int:
    """An upper bound for the number of markers that `segments` yields, faster to compute."""
    changes = sum(map(command.count, (" \t", "\t ", " \n", "\t\n")))
    blanks = len(_LONG_BLANK.findall(command)) + len(_BLANK_LINES.findall(command))
    return len(_HIDDEN_RUN.findall(command)) * REPEATS_MAX + blanks + changes + 1


def line_count(text: str) -> int:
    """The number of lines, without counting trailing line feeds."""
    return text.rstrip("\n").count("\n") + 1


def findings(text: str) -> list[Finding]:
    """Everything in a text that misleads its reader, without duplicates."""
    return [*_hidden_findings(text), *_blank_findings(text), *_script_findings(text)]


def _markers(match: "re.Match[str]") -> Iterator[str | Marker]:
    hidden = match[0]
    if match.lastgroup == "lines":
        yield "\n"
        yield Marker("blank_lines", len(hidden) - 1)
        yield "\n"
    elif match.lastgroup == "blanks":
        for character, run in groupby(hidden):
            yield Marker("spaces" if character == " " else "tabs", len(list(run)))
    elif len(hidden) > REPEATS_MAX:
        yield Marker("character", len(hidden), hidden[0])
    else:
        yield from (Marker("character", 1, character) for character in hidden)


def _code_point(match: "re.Match[str]") -> str:
    return f"⟨U+{ord(match[0]):04X}⟩"


def _json_escape(match: "re.Match[str]") -> str:
    units = match[0].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2))


def _hidden_findings(text: str) -> Iterator[Finding]:
    for character in dict.fromkeys(HIDDEN.findall(text)):
        detail = f"U+{ord(character):04X} {Marker('character', 1, character).name}"
        yield Finding(_code_of(character), detail, text.count(character), _line_of(text, text.index(character)))


def _code_of(character: str) -> FindingCode:
    if _BIDI.match(character):
        return "bidi"
    match unicodedata.category(character):
        case "Cc":
            return "control"
        case "Zs":
            return "space"
    return "invisible"


def _blank_findings(text: str) -> Iterator[Finding]:
    """Runs of white space that push the rest out of view."""
    if blanks := _LONG_BLANK.findall(text):
        detail = f"{max(map(len, blanks))} spaces or tabs in a row"
        yield Finding("long_blank", detail, len(blanks), _line_of(text, text.index(blanks[0])))
    if lines := _BLANK_LINES.findall(text):
        detail = f"{max(map(len, lines)) - 1} blank lines in a row"
        yield Finding("blank_lines", detail, len(lines), _line_of(text, text.index(lines[0])))


def _script_findings(text: str) -> Iterator[Finding]:
    """Letters that look like others, and letters that are displayed from right to left."""
    if text.isascii():
        return
    if mixed := _MIXED_SCRIPTS.findall(text):
        detail = f"letters of several alphabets side by side: {mixed[0]}"
        yield Finding("mixed_scripts", detail, len(mixed), _line_of(text, text.index(mixed[0])))
    if turned := _RIGHT_TO_LEFT.findall(text):
        detail = "letters that are written from right to left"
        yield Finding("right_to_left", detail, len(turned), _line_of(text, text.index(turned[0])))


def _line_of(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1
