"""A patch as git writes it -> files, hunks, lines, to be read side by side with what they changed."""

import re
from typing import Literal

from msgspec import Struct, field

HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)")
LINES_MAX = 1500
LINE_CHARACTERS = 2000


class Line(Struct, frozen=True):
    """A line of a hunk: its numbers before and after, whichever it has."""

    kind: Literal["added", "removed", "same", "note"]
    text: str
    before: int | None = None
    after: int | None = None


class Hunk(Struct):
    """Lines that stand together; `about` is what git says of the place."""

    about: str
    lines: list[Line] = field(default_factory=list)


class FileDiff(Struct):
    """What happened to one file. `notes`: renamed from, binary, new file."""

    path: str
    notes: list[str] = field(default_factory=list)
    hunks: list[Hunk] = field(default_factory=list)
    added: int = 0
    removed: int = 0


def read_patch(text: str) -> tuple[list[FileDiff], bool]:
    """The files of a patch, and whether all of it was read: LINES_MAX lines at most."""
    files: list[FileDiff] = []
    before = after = 0
    lines = text.split("\n")
    for line in lines[:LINES_MAX]:
        if line.startswith("diff --git "):
            files.append(FileDiff(_path(line)))
        elif not files:
            continue
        elif match := HUNK.match(line):
            before, after = int(match[1]), int(match[2])
            files[-1].hunks.append(Hunk(match[3].strip()))
        elif not files[-1].hunks:
            _note(files[-1], line)
        elif line[:1] in ("+", "-", " ", "\\"):
            before, after = _add(files[-1], line, before, after)
    return files, len(lines) <= LINES_MAX


def _add(file: FileDiff, line: str, before: int, after: int) -> tuple[int, int]:
    lines, text = file.hunks[-1].lines, line[1 : LINE_CHARACTERS + 1]
    match line[0]:
        case "+":
            file.added += 1
            lines.append(Line("added", text, after=after))
            return before, after + 1
        case "-":
            file.removed += 1
            lines.append(Line("removed", text, before=before))
            return before + 1, after
        case "\\":
            lines.append(Line("note", text.strip()))
            return before, after
    lines.append(Line("same", text, before, after))
    return before + 1, after + 1


def _note(file: FileDiff, line: str) -> None:
    if line.startswith(
        ("new file", "deleted file", "rename from", "rename to", "Binary files", "GIT binary", "old mode", "new mode")
    ):
        file.notes.append(line)
    elif line.startswith("+++ b/"):
        file.path = line[6:]


def _path(line: str) -> str:
    return line.rpartition(" b/")[2] or line.removeprefix("diff --git ")
