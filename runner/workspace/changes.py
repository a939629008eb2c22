"""The changes between two commits: every file with its line counts, a patch, a diffstat."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from msgspec import Struct

from events.task import FileChange, Unrecorded
from runner.git import Git
from runner.redact import Redactor

PATCH_LIMIT = 1024 * 1024  # characters
DIFFSTAT_LIMIT = 256 * 1024  # characters
_MARGIN = 16 * 1024  # bytes read beyond the limit, so that a secret at the cut is complete when it is redacted

_OPTIONS = ("-r", "-M", "--no-color", "--no-ext-diff", "--no-textconv")
_KINDS: dict[str, Literal["added", "modified", "deleted", "renamed"]] = {"A": "added", "D": "deleted", "R": "renamed"}


class Changes(Struct, frozen=True):
    """The differences between two commits. `patch` and `diffstat` are redacted and bounded.

    `commit_hash`: the second commit; None: nothing differs, or nothing was committed. `unrecorded`: paths that the
    commit does not hold, kept at `kept_path` until `kept_until`. `problems`: messages that say why the run must fail.
    """

    files: list[FileChange] = []
    patch: str = ""
    diffstat: str = ""
    commit_hash: str | None = None
    unrecorded: list[Unrecorded] = []
    kept_path: str | None = None
    kept_until: datetime | None = None
    problems: list[str] = []


async def changes_between(git: Git, base: str, result: str, redactor: Redactor) -> Changes:
    """The changes from commit `base` to commit `result`."""
    if base == result:
        return Changes()
    listing = await git.read("diff-tree", *_OPTIONS, "-z", "--raw", "--numstat", base, result)
    patch = ("--src-prefix=a/", "--dst-prefix=b/", "--patch")
    return Changes(
        files=list(parse_listing(listing)),
        patch=await _text(git, PATCH_LIMIT, redactor, *patch, base, result),
        diffstat=await _text(git, DIFFSTAT_LIMIT, redactor, "--stat=120", base, result),
        commit_hash=result,
    )


def parse_listing(listing: bytes) -> Iterator[FileChange]:
    r"""Parse `git diff-tree -z --raw --numstat`: first the kind of change of each path, then its line counts.

    With -z a path may contain any byte but NUL; bytes that are not UTF-8 become escapes like `\xff`.
    """
    fields = iter(listing.decode(errors="backslashreplace").split("\0"))
    kinds: dict[str, str] = {}
    for field in fields:
        if field.startswith(":"):
            kind = field.rpartition(" ")[2][:1]
            path = next(fields)
            kinds[next(fields) if kind in "RC" else path] = kind
        elif field:
            added, removed, path = field.split("\t", 2)
            old = None if path else next(fields)
            path = path or next(fields)
            yield FileChange(
                path=path,
                change=_KINDS.get(kinds.get(path, "M"), "modified"),
                added=_count(added),
                removed=_count(removed),
                renamed_from=old,
            )


def _count(number: str) -> int | None:
    """Git prints "-" for a binary file."""
    return None if number == "-" else int(number)


async def _text(git: Git, limit: int, redactor: Redactor, *arguments: str) -> str:
    printed = await git.read("diff-tree", *_OPTIONS, *arguments, limit=(limit + _MARGIN))
    text = redactor.redact(printed.decode(errors="replace").replace("\0", "\ufffd"))
    if len(printed) < limit + _MARGIN and len(text) <= limit:
        return text
    return text[:limit] + f"\n[cut: only the first {limit} characters are kept]\n"
