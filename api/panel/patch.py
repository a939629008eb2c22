"""A patch as git writes it -> files and their lines, to be read side by side with what they changed."""

import re
from typing import Literal

from markupsafe import Markup
from msgspec import Struct, field

from api.panel.harmless import harmless_each

HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)")
BEGIN = "diff --git "
LINE_CHARACTERS = 2000
NOTES = ("new file", "deleted file", "rename from", "rename to", "Binary files", "GIT binary", "old mode", "new mode")
SIGNS = {"added": "+", "removed": "−", "same": " ", "note": " "}


class Line(Struct, frozen=True):
    """A line: its numbers before and after, whichever it has. A "hunk" says which place follows."""

    kind: Literal["hunk", "added", "removed", "same", "note"]
    text: str
    before: int | None = None
    after: int | None = None


class FileDiff(Struct):
    """What happened to one file. `notes`: renamed from, binary, new file. `cut`: it has more lines than these."""

    path: str
    notes: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    added: int = 0
    removed: int = 0
    cut: bool = False

    @property
    def rows(self) -> Markup:
        """Its lines as rows of a table. There may be thousands, so no template is asked for each."""
        texts = harmless_each([line.text for line in self.lines])
        return Markup("\n".join(_row(line, text) for line, text in zip(self.lines, texts, strict=True)))


class Part(Struct, frozen=True):
    """Some files of a patch, and how many of the characters that were read they are."""

    files: list[FileDiff]
    length: int


def read_patch(text: str, lines_max: int, *, whole: bool = True) -> Part:
    """The files at the beginning of a patch, of `lines_max` lines at most; `whole`: the text is not itself cut.

    A file that is cut short is left to the next part, unless it is the first.
    """
    files: list[FileDiff] = []
    begins, at, before, after = 0, 0, 0, 0
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if number >= lines_max:
            return Part(files, at) if line.startswith(BEGIN) else _without_torn(files, begins, at)
        if line.startswith(BEGIN):
            files.append(FileDiff(_path(line)))
            begins = at
        elif files and (match := HUNK.match(line)):
            before, after = int(match[1]), int(match[2])
            files[-1].lines.append(Line("hunk", f"⋯ {match[3].strip()}"))
        elif files and not files[-1].lines:
            _note(files[-1], line)
        elif files and line[:1] in ("+", "-", " ", "\\"):
            before, after = _add(files[-1], line, before, after)
        at += len(line) + 1
    return Part(files, len(text)) if whole else _without_torn(files, begins, len(text))


def _without_torn(files: list[FileDiff], begins: int, end: int) -> Part:
    """Without the last file, which begins there; if it is the only one, with what there is of it."""
    if len(files) > 1:
        return Part(files[:-1], begins)
    for file in files:
        file.cut = True
    return Part(files, end)


def _add(file: FileDiff, line: str, before: int, after: int) -> tuple[int, int]:
    text = line[1 : LINE_CHARACTERS + 1]
    match line[0]:
        case "+":
            file.added += 1
            file.lines.append(Line("added", text, after=after))
            return before, after + 1
        case "-":
            file.removed += 1
            file.lines.append(Line("removed", text, before=before))
            return before + 1, after
        case "\\":
            file.lines.append(Line("note", text.strip()))
            return before, after
    file.lines.append(Line("same", text, before, after))
    return before + 1, after + 1


def _note(file: FileDiff, line: str) -> None:
    if line.startswith(NOTES):
        file.notes.append(line)
    elif line.startswith("+++ b/"):
        file.path = line[6:]


def _path(line: str) -> str:
    return line.rpartition(" b/")[2] or line.removeprefix(BEGIN)


def _row(line: Line, text: str) -> str:
    if line.kind == "hunk":
        return f'<tr class="hunk"><td colspan="3"><bdi>{text}</bdi></td></tr>'
    before, after = line.before or "", line.after or ""
    numbers = f'<td class="num">{before}</td><td class="num">{after}</td>'
    return (
        f'<tr class="line-{line.kind}">{numbers}'
        f'<td><span class="sign">{SIGNS[line.kind]}</span><bdi>{text}</bdi></td></tr>'
    )
