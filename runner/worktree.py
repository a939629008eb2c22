"""A git worktree for one run, on the branch of its task.

The branch advances only when a run succeeds. A failed run's commit is kept as refs/elruso/runs/<run id>, and the
branch goes back to where the run started, so that the next attempt finds what this one found. Where that was is
noted in refs/elruso/start/<branch> for as long as the run lasts: a killed runner leaves the note, and the next run
starts from it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from events.errors import ElRusoError
from runner.changes import Changes, changes_between
from runner.git import Git
from runner.redact import Redactor
from runner.repository import Repository, WorkspaceUnusable, run_id_of, start_note

log = structlog.get_logger(__name__)


class Worktree:
    """One run's copy of the repository. Its steps run in `directory`."""

    def __init__(self, repository: Repository, path: Path, branch: str, start: str) -> None:
        self.directory = path / repository.prefix
        self._path = path
        self._repository = repository
        self._git = Git(path, repository.git.environment, ceiling=path.parent)
        self._branch = branch
        self._start = start
        self._result = start
        self._kept = False

    async def snapshot(self, message: str, redactor: Redactor) -> Changes:
        """Commit everything, without hooks, and compare with the start."""
        _unlock(Path(await self._git.line("rev-parse", "--path-format=absolute", "--git-path", "index")))
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

    async def close(self) -> None:
        """Remove the worktree; put the branch back unless its result is kept. Never raises: the run has its outcome."""
        if not self._path.is_dir():
            return  # a newer run of the task took over; the branch is its own
        try:
            if not self._kept:
                await self._put_back()
            await self._repository.remove_worktree(self._path)
            await self._repository.git.read("update-ref", "-d", start_note(self._branch))
        except ElRusoError as refusal:  # the note stays, so that the next run starts in the right place
            log.warning("worktree.not_closed", branch=self._branch, detail=refusal.detail)

    async def _put_back(self) -> None:
        main = self._repository.git
        if self._result != self._start:
            await main.read("update-ref", f"refs/elruso/runs/{run_id_of(self._path)}", self._result)
        await main.read("update-ref", f"refs/heads/{self._branch}", self._start)


@asynccontextmanager
async def open_worktree(main: Git, path: Path, branch: str, follow_head: bool) -> AsyncIterator[Worktree]:
    """A worktree of the repository around `main` in the empty directory `path`, gone afterwards.

    Raises:
        WorkspaceUnusable, InvalidInput, BranchBusy: as Repository says.
    """
    repository = await Repository.at(main)
    start = await repository.start_of(branch, follow_head)
    await repository.add_worktree(path, branch, start)
    worktree = Worktree(repository, path, branch, start)
    try:
        await Git(path, main.environment, ceiling=path.parent).read("reset", "--quiet", "--hard")
        if not worktree.directory.is_dir():
            raise WorkspaceUnusable(f"{main.directory}: nothing in this directory is committed")
        yield worktree
    finally:
        await worktree.close()


def _unlock(index: Path) -> None:
    """A step that was killed inside git leaves its lock; nobody else works here."""
    index.with_name("index.lock").unlink(missing_ok=True)
