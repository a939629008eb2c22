"""The parts of a prompt: each a heading and lines, cut to its share of the room; what one leaves the next may have.

Lines come with the most important first, so what is cut is what matters least; a cut is always told.
"""

from collections.abc import Sequence

from msgspec import Struct

LINE = 600  # characters of one line; an error message may be longer than a book


class Section(Struct, frozen=True):
    """A part of the prompt. `share` is its part of the room, in hundredths."""

    title: str
    share: int
    lines: Sequence[str]
    empty: str = "(none)"


def render(sections: Sequence[Section], room: int) -> str:
    """The sections as Markdown, in order, in at most `room` characters."""
    parts: list[str] = []
    left, shares = room, sum(section.share for section in sections)
    for section in sections:
        text = _render(section, left * section.share // shares if shares else 0)
        parts.append(text)
        left -= len(text)
        shares -= section.share
    return "".join(parts)


def _render(section: Section, room: int) -> str:
    head = f"## {section.title}\n"
    lines = [shortened(line) for line in section.lines] or [section.empty]
    whole = head + "".join(f"{line}\n" for line in lines) + "\n"
    if len(whole) <= room:
        return whole
    taken = head
    for number, line in enumerate(lines):
        cut = f"… ({len(lines) - number} more left out)\n\n"
        if len(taken) + len(line) + 1 + len(cut) > room:
            return taken + cut if len(taken) + len(cut) <= room else taken[:room]
        taken += f"{line}\n"
    return taken[:room]


def shortened(line: str) -> str:
    """One line of at most LINE characters, its middle left out where it is longer: both ends of an error matter."""
    flat = " ".join(line.split()) if "\n" in line else line
    if len(flat) <= LINE:
        return flat
    half = (LINE - 30) // 2
    return f"{flat[:half]} … ({len(flat) - 2 * half} more) … {flat[-half:]}"
