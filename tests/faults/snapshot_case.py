"""One run in an operator's repository, and the law for its end: whatever it left is in the commit, or is named.

The last command of the run writes down every file as it lies there. The law compares that list with the commit, the
operator's repository with what it was, and looks whether anything that the run configured was executed by us.
"""

import asyncio
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from events.task import TaskDone, TaskFailed
from runner.execute import execute
from tests.runner.recording import claim, context
from tests.support.operator_repository import (
    OperatorState,
    broken_objects,
    differences,
    operator_state,
    prepare_project,
    run_git,
)

BRANCH = "refs/heads/task/T1"
# Words of a programmer, not of an operator; and what a shell or Python says when nobody thought of the case.
PROGRAMMERS_WORDS = ("Traceback", "FileNotFoundError", "NotADirectoryError", "PermissionError", "UnicodeDecodeError")
_LIST = """
import hashlib, json, os, stat, sys
found = []
for folder, names, files in os.walk(b"."):
    names[:] = [name for name in names if name != b".git"]
    for name in files + [name for name in names if os.path.islink(os.path.join(folder, name))]:
        path = os.path.join(folder, name)
        if path == b"./.git":
            continue
        mode = os.lstat(path).st_mode
        kind = "link" if stat.S_ISLNK(mode) else "file" if stat.S_ISREG(mode) else "special"
        data = os.readlink(path) if kind == "link" else open(path, "rb").read() if kind == "file" else b""
        blob = hashlib.sha1(b"blob %d\\0" % len(data) + data).hexdigest()
        unix = data.replace(b"\\r\\n", b"\\n")
        plain = hashlib.sha1(b"blob %d\\0" % len(unix) + unix).hexdigest()
        found.append([path[2:].hex(), kind, bool(mode & 0o100), blob, plain])
json.dump(found, open(sys.argv[1], "w"))
"""


class Left(Struct, frozen=True, array_like=True):
    """One file as the run left it. `blob` and `plain` are git's names of its content, as it is and with Unix lines."""

    path_hex: str
    kind: str
    executable: bool
    blob: str
    plain: str

    @property
    def path(self) -> str:
        """Relative to the top of the workspace."""
        return os.fsdecode(bytes.fromhex(self.path_hex))


class Result(Struct):
    """What is known after a run. `tree`: path -> (mode, object) in its commit, or in the start when nothing changed."""

    event: TaskDone | TaskFailed
    left: list[Left]
    tree: dict[str, tuple[str, str]]
    project: Path
    before: OperatorState
    trap: Path
    retry: bool

    @property
    def is_done(self) -> bool:
        """Whether the run succeeded."""
        return isinstance(self.event, TaskDone)

    @property
    def error(self) -> str:
        """What a failed run says."""
        return self.event.error if isinstance(self.event, TaskFailed) else ""

    def show(self, path: str) -> str:
        """The content of a file in the commit."""
        return run_git(self.project, "cat-file", "blob", self.tree[path][1])

    def names(self, path: str) -> bool:
        """Whether the run's record names a path, or a folder above it, as not recorded. The one place that knows how.

        Bytes that are no UTF-8 are escaped there. A failed run may name it in its error as well.
        """
        escaped = os.fsencode(path).decode(errors="backslashreplace")
        named = [each.path for each in getattr(self.event, "unrecorded", [])]
        return escaped in self.error or any(f"{escaped}/".startswith(f"{each}/") for each in named)


class Trap:
    """A file that a planted command would make if it were executed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def command(self) -> str:
        """Something that git would execute, and that passes its input on."""
        return f"sh -c 'echo sprung >> {self.path}; cat' #"


async def play(
    folder: Path, *commands: str, project: Path | None = None, workspace: Path | None = None, **definition: Any
) -> Result:
    """Execute a run of these commands in a new operator's repository below `folder`, or in `project`.

    In the commands, {trap} is a command that must never be executed by us.
    """
    if project is None:
        project = folder / "project"
        await asyncio.to_thread(prepare_project, project)
    before = await asyncio.to_thread(operator_state, project)
    trap, listed = Trap(folder / "sprung"), folder / "left.json"
    setup = context(folder / "home", workspace or project)
    program = f"{shlex.quote(sys.executable)} -I -S -c {shlex.quote(_LIST)} {shlex.quote(str(listed))}"
    steps = [{"name": f"step {n}", "cmd": cmd.replace("{trap}", trap.command)} for n, cmd in enumerate(commands, 1)]
    steps[-1]["cmd"] = f"(\n{steps[-1]['cmd']}\n)\ncode=$?; {program}; exit $code"
    outcome = await execute(claim(steps=steps, **definition), setup)
    left = msgspec.json.decode(listed.read_bytes(), type=list[Left]) if listed.exists() else []
    commit = outcome.event.commit_hash or "HEAD"
    tree = await asyncio.to_thread(_tree_of, project, commit)
    return Result(outcome.event, left, tree, project, before, trap.path, outcome.retry)


async def expect_law(result: Result, *allowed_refs: str, normalised: bool = False) -> None:
    """Nothing is lost without a word, nothing of the operator's is changed, nothing that was planted is executed.

    `normalised`: the operator's own settings, or another object format, change the names of contents.
    """
    symptoms = [] if normalised else _lost(result)
    symptoms += await asyncio.to_thread(_operator_symptoms, result, {BRANCH, *allowed_refs})
    symptoms += [
        f"the error speaks to programmers: {result.error}" for word in PROGRAMMERS_WORDS if word in result.error
    ]
    assert [] == symptoms, "\n".join([*symptoms, f"the run says: {result.event}"])


async def expect_next_run_is_clean(result: Result, folder: Path) -> None:
    """A run that follows records its own change only, and in its own words."""
    following = await play(folder / "next", "printf 'one\\ntwo\\n' > next.txt", project=result.project)
    assert following.is_done, following.event
    assert ["next.txt"] == [change.path for change in following.event.file_changes]
    assert "one\ntwo" == following.show("next.txt")
    assert not following.trap.exists()
    await expect_law(result)


def _lost(result: Result) -> list[str]:
    """What the run left and neither the commit holds nor the record names."""
    if not result.left:
        return []
    ignored = _ignored(result)
    return [
        f"{left.path!r} ({left.kind}) is neither in the commit nor named"
        for left in result.left
        if not _is_recorded(left, result.tree) and left.path not in ignored and not result.names(left.path)
    ]


def _is_recorded(left: Left, tree: dict[str, tuple[str, str]]) -> bool:
    mode, blob = tree.get(left.path, ("", ""))
    if left.kind == "link":
        return (mode, blob) == ("120000", left.blob)
    return mode == ("100755" if left.executable else "100644") and blob in (left.blob, left.plain)


def _ignored(result: Result) -> set[str]:
    """What the operator's .gitignore hides, as the operator's own git says."""
    paths = b"\0".join(bytes.fromhex(left.path_hex) for left in result.left)
    command = ["git", "check-ignore", "-z", "--stdin", "--no-index"]
    printed = subprocess.run(command, cwd=result.project, input=paths, capture_output=True, check=False).stdout
    return {os.fsdecode(path) for path in printed.split(b"\0")}


def _operator_symptoms(result: Result, allowed_refs: set[str]) -> list[str]:
    project = result.project
    looks = [("log", "--oneline", "--all", "-3"), ("fetch", "--all")]
    if run_git(project, "rev-parse", "--is-bare-repository") == "false":
        looks += [("status", "--short"), ("diff", "--stat")]
    for look in looks:
        run_git(project, *look)
    symptoms = differences(result.before, operator_state(project), allowed_refs) + broken_objects(project)
    if result.trap.exists():
        symptoms.append(f"what the run planted was executed: {result.trap.read_text()!r}")
    if result.event.commit_hash:
        run_git(project, "rev-list", "--objects", "--quiet", result.event.commit_hash)
    return symptoms


def _tree_of(project: Path, commit: str) -> dict[str, tuple[str, str]]:
    command = ["git", "--no-replace-objects", "ls-tree", "-r", "-z", "--full-tree", commit]
    printed = subprocess.run(command, cwd=project, capture_output=True, check=True).stdout
    entries = [entry.partition(b"\t") for entry in printed.split(b"\0") if entry]
    return {os.fsdecode(path): tuple(head.decode().split(" ")[::2]) for head, _, path in entries}  # type: ignore[misc]
