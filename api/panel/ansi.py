"""Terminal output -> HTML: colours and weight are kept, everything else a terminal would obey is left out.

Output arrives in pieces, and an escape sequence may be torn between two: what a piece leaves open (the colours that are
on, the beginning of a sequence) is a State, short enough to travel in an address.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from markupsafe import Markup

from api.panel.harmless import harmless, harmless_each

# CSI … letter; OSC … BEL or ST; other two-character sequences.
SEQUENCE = re.compile(
    r"\x1b(?:\[([0-9;:<=>?]{0,64})[ -/]{0,4}([@-~])"
    r"|\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)|[PX^_][^\x1b]{0,4096}\x1b\\|[ -/]?[0-~])"
)
TORN = re.compile(r"(?:\x1b(?:\[[0-9;:<=>?]{0,64}[ -/]{0,4}|\][^\x07\x1b]{0,200}\x1b?|[ -/])?|\r{1,200})\Z")
LINE_ENDS = re.compile(r"\r+\n")
STATE = re.compile(r"[a-z0-9 ]{0,80}")
TORN_MAX = 256

WEIGHTS = {1: "bold", 2: "faint", 3: "italic", 4: "underline", 7: "inverse", 9: "struck"}
ENDS = {22: ("bold", "faint"), 23: ("italic",), 24: ("underline",), 27: ("inverse",), 29: ("struck",)}


class State(NamedTuple):
    """What is on: names of classes, and a sequence that has only begun."""

    classes: str = ""
    torn: str = ""

    @classmethod
    def read(cls, classes: str, torn: str) -> "State":
        """The state that came back from a browser; anything strange counts as nothing."""
        good = STATE.fullmatch(classes) and len(torn) <= TORN_MAX and (not torn or TORN.fullmatch(torn))
        return cls(classes, torn) if good else cls()


def to_html(text: str, state: State = State()) -> tuple[Markup, State]:  # noqa: B008 (it is immutable)
    """One piece of output as HTML, and what it leaves open."""
    text, rest = state.torn + text, ""
    end = text[-TORN_MAX:]
    if ("\x1b" in end or end.endswith("\r")) and (torn := TORN.search(end)):
        text, rest = text[: len(text) - len(torn[0])], torn[0]
    text = LINE_ENDS.sub("\n", text).replace("\r", "\n")
    if "\x1b" not in text and not state.classes:
        return harmless(text), State("", rest)
    found = SEQUENCE.split(text)  # text, then of each sequence what its groups hold, and the text behind it
    classes, parts = tuple(state.classes.split()), list[str]()
    for place, shown in enumerate(harmless_each(found[::3])):
        if place and found[3 * place - 1] == "m":
            classes = _apply(classes, found[3 * place - 2])
        if shown:
            parts.append(f'<span class="{_names(classes)}">{shown}</span>' if classes else shown)
    return Markup("".join(parts)), State(" ".join(classes), rest)  # the classes are our own, or State.read knew them


@lru_cache(1000)
def _names(classes: tuple[str, ...]) -> str:
    return " ".join(f"sgr-{name}" for name in classes)


@lru_cache(1000)  # an output has thousands of sequences, and few that differ
def _apply(classes: tuple[str, ...], codes: str) -> tuple[str, ...]:
    """The classes after one SGR sequence."""
    numbers = [int(code) if code.isdigit() else 0 for code in re.split("[;:]", codes or "0")]
    place = 0
    while place < len(numbers):
        code = numbers[place]
        if code in (38, 48):  # of 256 or 16 million colours the nearest of our sixteen is not worth a table
            place += 3 if numbers[place + 1 : place + 2] == [5] else 5
            continue
        classes = _with(classes, code)
        place += 1
    return classes


def _with(classes: tuple[str, ...], code: int) -> tuple[str, ...]:
    if code == 0:
        return ()
    if code in WEIGHTS:
        return (*(name for name in classes if name != WEIGHTS[code]), WEIGHTS[code])
    if code in ENDS:
        return tuple(name for name in classes if name not in ENDS[code])
    for letter, base in (("f", 30), ("f", 90), ("b", 40), ("b", 100)):
        if base <= code <= base + 7:
            colour = f"{letter}{code - base + (8 if base >= 90 else 0)}"
            return (*(name for name in classes if not re.fullmatch(rf"{letter}\d+", name)), colour)
    if code in (39, 49):
        letter = "f" if code == 39 else "b"
        return tuple(name for name in classes if not re.fullmatch(rf"{letter}\d+", name))
    return classes
