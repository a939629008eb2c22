"""Which files a task may change: patterns like `src/**`, `docs/*.md`, `README.md`.

`*`, `?` and `[abc]` stay within one part of a path; `**` as a part of its own stands for any number of parts.
A pattern without any of them, or with a slash at its end, stands for a directory with all that is below it too.
"""

import fnmatch
import re
from collections.abc import Callable, Iterable, Sequence

from events.paths import parts_inside
from events.task import FileChange

_SHOWN = 20  # offending files named in an error

_Part = Callable[[str], object] | None  # matches one part of a path; None: any number of parts


class Scope:
    """The patterns of one task, ready to match. No patterns: everything is allowed.

    Raises:
        InvalidInput: a pattern is empty, absolute, or leads out of the workspace.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self.patterns = tuple(patterns)
        self._compiled = [_compiled(pattern) for pattern in patterns]

    def allows(self, path: str) -> bool:
        """True when a file at `path`, relative to the workspace, may change."""
        parts = path.split("/")
        return not self._compiled or any(_covers(pattern, parts) for pattern in self._compiled)

    def offenders(self, changes: Iterable[FileChange]) -> list[str]:
        """The changed paths outside the scope, in order; a rename changes two paths."""
        paths = {path for change in changes for path in (change.path, change.renamed_from) if path is not None}
        return sorted(path for path in paths if not self.allows(path))

    def complaint(self, offenders: Sequence[str]) -> str:
        """The error of a run that left its scope."""
        named = ", ".join(offenders[:_SHOWN])
        more = f" and {len(offenders) - _SHOWN} more" if len(offenders) > _SHOWN else ""
        return f"changed files outside allowed_scope ({', '.join(self.patterns)}): {named}{more}"


def _compiled(pattern: str) -> list[_Part]:
    names = parts_inside(pattern, "allowed_scope")
    if names[-1] == "**":
        names.insert(-1, "*")  # what is below a directory, not a file in its place
    parts: list[_Part] = [None if name == "**" else re.compile(fnmatch.translate(name)).match for name in names]
    return [*parts, None] if pattern.endswith("/") or not re.search(r"[*?\[]", pattern) else parts


def _covers(pattern: Sequence[_Part], parts: Iterable[str]) -> bool:
    """Follow every way to read the pattern at once: linear in the path, however many stars there are."""
    places = _skip(pattern, {0})
    for part in parts:
        stay = {place for place in places if place < len(pattern) and pattern[place] is None}
        move = {place + 1 for place in places - stay if place < len(pattern) and _fits(pattern[place], part)}
        places = _skip(pattern, stay | move)
    return len(pattern) in places


def _skip(pattern: Sequence[_Part], places: set[int]) -> set[int]:
    """`**` may also stand for nothing."""
    for place in range(len(pattern)):
        if place in places and pattern[place] is None:
            places.add(place + 1)
    return places


def _fits(part: _Part, name: str) -> bool:
    return part is not None and part(name) is not None
