"""A git worktree for one run, on the branch of its task.

The branch advances only when a run succeeds. A failed run's commit is kept as refs/elruso/runs/<run id>, and the
branch goes back to where the run started, so that the next attempt finds what this one found. Where that was is
noted in refs/elruso/start/<branch> for as long as the run lasts: a killed runner leaves the note, and the next run
starts from it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import structlog

from events.errors import Conflict, InvalidInput, Unprocessable
from runner.changes import Changes, changes_between
from runner.git import Git, GitFailed
from runner.redact import Redactor
from runner.run_directory import is_abandoned, remove_tree

log = structlog.get_logger(__name__)


class WorkspaceUnusable(Unprocessable):
    """The configured workspace is not a git repository with at least one commit."""

    code = "workspace_unusable"


class BranchBusy(Conflict):
    """Somebody else has the branch checked out."""

    code = "branch_busy"


class Worktree:
    """One run's copy of the repository, at `directory`."""

    def __init__(self, git: Git, directory: Path, branch: str, start: str) -> None:
        self.directory = directory
        self._git = git
        self._branch = branch
        self._start = start
        self._result = start
        self._kept = False

    async def snapshot(self, message: str, redactor: Redactor) -> Changes:
        """Commit everything, without hooks, and compare with the start."""
        index = await self._git.line("rev-parse", "--path-format=absolute", "--git-path", "index")
        _unlock(Path(index))
        await self._git.read("add", "--all")
        tree = await self._git.line("write-tree")
        head, committed = (await self._git.line("rev-parse", "HEAD", "HEAD^{tree}")).split("\n")
        if tree != committed:
            head = await self._git.line("commit-tree", tree, "-p", head, "-F", "-", given=message)
        await self._git.read("update-ref", f"refs/heads/{self._branch}", head)
        self._result = head
        return await changes_between(self._git, self._start, head, redactor)

    def keep(self) -> None:
        """The branch stays at the snapshot."""
        self._kept = True

    async def close(self, main: Git) -> None:
        """Remove the worktree; put the branch back unless its result is kept. Never raises: the run has its outcome."""
        if not (self._git.directory / ".git").exists():
            return  # a newer run of the task took over; the branch is its own
        try:
            if not self._kept:
                await self._put_back(main)
            await _remove(main, self._git.directory)
            await main.read("update-ref", "-d", _start_note(self._branch))
        except GitFailed as refusal:  # the note stays, so that the next run starts in the right place
            log.warning("worktree.not_closed", branch=self._branch, detail=refusal.detail)

    async def _put_back(self, main: Git) -> None:
        if self._result != self._start:
            await main.read("update-ref", f"refs/elruso/runs/{_run_id(self._git.directory)}", self._result)
        await main.read("update-ref", f"refs/heads/{self._branch}", self._start)


@asynccontextmanager
async def open_worktree(main: Git, path: Path, branch: str, follow_head: bool) -> AsyncIterator[Worktree]:
    """A worktree of the repository `main` at the empty directory `path`.

    It starts where the branch is. With `follow_head`, a branch that is new, or has nothing of its own, starts where
    the main checkout is.
    """
    prefix = await _prefix_of(main)
    if branch.startswith("-") or not await main.succeeds("check-ref-format", f"refs/heads/{branch}"):
        raise InvalidInput(f"branch: {branch!r} is not a valid branch name")
    await _evict(main, path, branch)
    start = await _start_of(main, branch, follow_head)
    await main.read("update-ref", _start_note(branch), start)
    await main.read("worktree", "add", "--quiet", "--no-track", "-B", branch, str(path), start)
    worktree = Worktree(Git(path, main.environment, path.parent), path / prefix, branch, start)
    try:
        if not worktree.directory.is_dir():
            raise WorkspaceUnusable(f"{main.directory}: nothing in this directory is committed")
        yield worktree
    finally:
        await worktree.close(main)


async def _prefix_of(main: Git) -> str:
    """Where in its repository the configured workspace lies; "" at the top."""
    if not main.directory.is_dir():
        raise WorkspaceUnusable(f"the workspace {main.directory} is not a directory")
    try:
        prefix = await main.line("rev-parse", "--show-prefix")
    except GitFailed as refusal:
        advice = "run `git init` and make a first commit, or configure another workspace"
        raise WorkspaceUnusable(f"{main.directory} is not a git repository: {advice} ({refusal.detail})") from refusal
    if not await main.succeeds("rev-parse", "--verify", "--quiet", "HEAD^{commit}"):
        raise WorkspaceUnusable(f"the repository {main.directory} has no commit yet: make the first one")
    return prefix


async def _start_of(main: Git, branch: str, follow_head: bool) -> str:
    note, tip = _start_note(branch), f"refs/heads/{branch}"
    listed = await main.line("for-each-ref", "--format=%(refname) %(objectname)", note, tip)
    refs = dict(line.rsplit(" ", 1) for line in listed.splitlines())
    known = refs.get(note) or refs.get(tip)
    if known is None or (follow_head and await main.succeeds("merge-base", "--is-ancestor", known, "HEAD")):
        return await main.line("rev-parse", "HEAD")
    return known


async def _evict(main: Git, path: Path, branch: str) -> None:
    """Make way for a run: whatever holds its branch goes if its runner is dead, or it is an older run of the same task.

    Raises:
        BranchBusy: it is somebody else's.
    """
    task = path.name.rpartition(".")[0]
    for holder in await _holders(main, branch):
        ours = holder.parent == path.parent
        older = holder.name.rpartition(".")[0] == task and _run_id(holder) < _run_id(path)
        if not (ours and (older or is_abandoned(holder))):
            raise BranchBusy(f"branch {branch} is checked out in {holder}")
        await _remove(main, holder)


async def _holders(main: Git, branch: str) -> list[Path]:
    entries = (await main.line("worktree", "list", "--porcelain")).split("\n\n")
    held = [entry.splitlines() for entry in entries if f"\nbranch refs/heads/{branch}\n" in f"{entry}\n"]
    return [Path(lines[0].removeprefix("worktree ")) for lines in held]


async def _remove(main: Git, path: Path) -> None:
    try:
        await main.read("worktree", "remove", "--force", "--force", str(path))
    except GitFailed:
        remove_tree(path)
        with suppress(GitFailed):
            await main.read("worktree", "prune")


def _unlock(index: Path) -> None:
    """A step that was killed inside git leaves its lock; nobody else works here."""
    index.with_name("index.lock").unlink(missing_ok=True)


def _run_id(path: Path) -> int:
    digits = path.name.rpartition(".")[2]
    return int(digits) if digits.isdigit() else 0


def _start_note(branch: str) -> str:
    return f"refs/elruso/start/{branch}"
