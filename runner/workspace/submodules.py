"""Submodules in the workspace of a run.

A run's commit records the commit id of a submodule, not the submodule's objects: a commit made inside a submodule would
exist in the run only. A change is therefore refused unless the submodule is clean, at a commit that one of its
remote-tracking branches contains (`git submodule update --remote`).
"""

import os
from pathlib import Path

from msgspec import Struct

from runner.git import Git, GitFailed
from runner.workspace.step_repository import read_step_repository, remote_heads
from runner.workspace.working_copy import WorkingCopy

_GITLINK = "160000"
_POINTER_LIMIT = 4096  # bytes of a .git file


class Submodule(Struct, frozen=True):
    """A submodule at `path`. `commit`: its commit when the run started; None: the run added it."""

    path: str
    commit: str | None


async def find_submodules(copy: WorkingCopy) -> list[Submodule]:
    """The submodules in the index, and those that only .gitmodules declares."""
    git, files = copy.git, copy.files
    entries = await git.paths("ls-files", "--stage", "-z")
    known = {
        path: head.split(" ")[1]
        for head, _, path in (entry.partition("\t") for entry in entries)
        if head.startswith(_GITLINK)
    }
    declared: list[str] = []
    if (files / ".gitmodules").is_file() and not (files / ".gitmodules").is_symlink():
        listed = await _config_values(git, files / ".gitmodules")
        declared = [path for path in listed if path not in known]
    return [Submodule(path, known.get(path)) for path in [*known, *declared]]


async def can_record(copy: WorkingCopy, submodule: Submodule) -> bool:
    """True when the submodule's commit id is all that the run's commit needs to record of it."""
    directory = copy.files / submodule.path
    own = _git_directory(directory)
    if own is None:
        return not directory.is_dir() or not any(directory.iterdir())
    head = read_step_repository(own).head
    if head is None:
        return False
    inside = copy.git.with_variables(
        GIT_WORK_TREE=str(directory),
        GIT_INDEX_FILE=str(copy.git_directory / "submodule-index"),
        GIT_ALTERNATE_OBJECT_DIRECTORIES=str(own / "objects"),
    )
    try:
        if head != submodule.commit and not await _is_published(inside, own, head):
            return False
        return await _is_clean(inside, head)
    except GitFailed:
        return False


async def _is_published(inside: Git, own: Path, head: str) -> bool:
    tips = remote_heads(own)
    return head in tips or await inside.is_in_any(head, tips)


async def _is_clean(inside: Git, head: str) -> bool:
    await inside.read("read-tree", "--reset", head)
    await inside.succeeds("update-index", "-q", "--refresh")
    changed = await inside.paths("diff-files", "--name-only", "-z", "--ignore-submodules=all")
    return not changed and not await inside.paths("ls-files", "--others", "--exclude-standard", "-z")


async def _config_values(git: Git, path: Path) -> list[str]:
    try:
        listed = await git.paths("config", "--file", str(path), "-z", "--get-regexp", r"^submodule\..*\.path$")
    except GitFailed:
        return []
    values = (entry.partition("\n")[2] for entry in listed)
    return [value for value in values if value and not value.startswith("/") and ".." not in value.split("/")]


def _git_directory(directory: Path) -> Path | None:
    """The git directory of a submodule: `.git`, or the directory that the file `.git` names. None: it has none."""
    pointer = directory / ".git"
    if not os.path.lexists(pointer) or pointer.is_symlink():
        return None
    if pointer.is_dir():
        return pointer
    try:
        text = pointer.read_bytes()[:_POINTER_LIMIT].decode(errors="surrogateescape")
    except OSError:
        return None
    _, _, target = text.strip().partition("gitdir: ")
    return (directory / target).resolve() if target else None
