"""The `.git` that the steps of a run see: a repository of the run's own that borrows the operator's objects.

Its configuration, refs, hooks and index belong to the run. The runner never runs git in it, because git would obey a
configuration that a step may have written; it is written and read as plain files.
"""

import os
import re
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

REF_LIMIT = 4096  # bytes of a ref
PACKED_REFS_LIMIT = 64 * 1024 * 1024  # bytes
_SYMREF_DEPTH = 5

_OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_SAFE_REF = re.compile(r"(?:HEAD|refs/(?!.*\.\.)[^\0\s~^:?*\[\\]+)")
_SECTION = re.compile(r"[A-Za-z0-9.-]+")
# Files in a git directory while an operation is unfinished.
_UNFINISHED = {
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
}


class StepRepositoryState(Struct, frozen=True):
    """The state of the steps' repository at the end of the run.

    `exists`: False if a step removed it. `head`: the commit that is checked out; None: there is none, or it cannot be
    read. `merged`: the other parents of an uncommitted merge. `unfinished`: "rebase", "cherry-pick" or "revert".
    """

    exists: bool = True
    head: str | None = None
    merged: tuple[str, ...] = ()
    unfinished: str | None = None


def create_step_repository(
    git_directory: Path,
    objects: Path,
    branch: str,
    refs: Iterable[tuple[str, str]],
    settings: Iterable[tuple[str, str]],
    copied: Iterable[tuple[Path, str]],
) -> None:
    """Write a repository on `branch` that borrows `objects`.

    `refs`: (name, object id) in byte order, `branch` included. `settings`: (key, value). `copied`: (file, path relative
    to the git directory); files that do not exist are skipped.
    """
    for folder in ("objects/info", "objects/pack", "refs/heads", "info"):
        (git_directory / folder).mkdir(parents=True)
    borrow_objects(git_directory, objects)
    (git_directory / "HEAD").write_text(f"ref: refs/heads/{branch}\n", errors="surrogateescape")
    packed = "".join(f"{oid} {name}\n" for name, oid in refs)
    (git_directory / "packed-refs").write_text(f"# pack-refs with: sorted \n{packed}", errors="surrogateescape")
    (git_directory / "config").write_text(config_text(settings), errors="surrogateescape")
    copy_files(git_directory, copied)


def borrow_objects(git_directory: Path, *sources: Path) -> None:
    """Let the git directory read the objects of others, and of no more than these."""
    lines = "".join(f"{source}\n" for source in sources)
    (git_directory / "objects/info/alternates").write_text(lines, errors="surrogateescape")


def copy_files(git_directory: Path, copied: Iterable[tuple[Path, str]]) -> None:
    """Copy files to their place below the git directory; one that does not exist is removed there."""
    for source, place in copied:
        (git_directory / place).unlink(missing_ok=True)
        if source.is_file():
            shutil.copyfile(source, git_directory / place)


def config_text(settings: Iterable[tuple[str, str]]) -> str:
    """A git configuration file of (key, value) pairs like ("remote.origin.url", "https://…")."""
    lines = []
    for key, value in settings:
        section, _, rest = key.partition(".")
        subsection, _, name = rest.rpartition(".")
        if not _SECTION.fullmatch(section) or not name or "\n" in subsection:
            continue
        heading = f'{section} "{_escaped(subsection)}"' if subsection else section
        quoted = _escaped(value).replace("\n", "\\n").replace("\t", "\\t")
        lines.append(f'[{heading}]\n\t{name} = "{quoted}"\n')
    return "".join(lines)


def read_step_repository(git_directory: Path) -> StepRepositoryState:
    """The state of the repository, whatever a step did to it. Follows no symbolic link in a path's last component."""
    if not os.path.lexists(git_directory):
        return StepRepositoryState(exists=False)
    if git_directory.is_symlink() or not git_directory.is_dir():
        return StepRepositoryState()
    unfinished = next((kind for name, kind in _UNFINISHED.items() if os.path.lexists(git_directory / name)), None)
    merged = _read(git_directory / "MERGE_HEAD", REF_LIMIT).split()
    return StepRepositoryState(
        head=_resolve(git_directory, "HEAD"),
        merged=tuple(oid for oid in merged if _OID.fullmatch(oid)),
        unfinished=unfinished,
    )


def list_refs(git_directory: Path) -> dict[str, str]:
    """Object ids by name of all refs that are not symbolic."""
    if git_directory.is_symlink() or not git_directory.is_dir():
        return {}
    found = _packed_refs(git_directory)
    for folder, _, names in os.walk(git_directory / "refs"):
        for name in names:
            path = Path(folder, name)
            found[path.relative_to(git_directory).as_posix()] = _read(path, REF_LIMIT).strip()
    return {name: oid for name, oid in found.items() if _OID.fullmatch(oid)}


def remote_heads(git_directory: Path) -> set[str]:
    """The commits of the remote-tracking branches."""
    return {oid for name, oid in list_refs(git_directory).items() if name.startswith("refs/remotes/")}


def _resolve(git_directory: Path, name: str) -> str | None:
    for _ in range(_SYMREF_DEPTH):
        if not _SAFE_REF.fullmatch(name):
            return None
        value = _read(git_directory / name, REF_LIMIT).strip() or _packed_refs(git_directory).get(name, "")
        if not value.startswith("ref:"):
            return value if _OID.fullmatch(value) else None
        name = value.removeprefix("ref:").strip()
    return None


def _packed_refs(git_directory: Path) -> dict[str, str]:
    lines = _read(git_directory / "packed-refs", PACKED_REFS_LIMIT).splitlines()
    pairs = (line.partition(" ") for line in lines if line[:1] not in ("#", "^"))
    return {name: oid for oid, _, name in pairs}


def _read(path: Path, limit: int) -> str:
    """At most `limit` bytes of a regular file, as text; "" for any other file, and if it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return ""
        try:
            return opened.read(limit).decode(errors="surrogateescape")
        except OSError:
            return ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
