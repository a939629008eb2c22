"""One workspace per run: opened before its first step, closed when the log has accepted or refused its end."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

import structlog
from msgspec import Struct

from events.backoff import Backoff
from events.errors import ElRusoError
from events.run_state import RunState
from runner.commit_scan import CommittedSecrets
from runner.git import TIMEOUT_SECONDS, Git
from runner.redact import Redactor
from runner.run_state import NoRuns, RunLookup
from runner.workspace.aside import Aside
from runner.workspace.branch_claim import ACTIVE, BranchClaims, BranchNote, new_note, note_ref
from runner.workspace.changes import Changes
from runner.workspace.copy_pool import CopyPool
from runner.workspace.fitness import Fitness
from runner.workspace.git_workspace import GitWorkspace
from runner.workspace.repository import BranchUnusable, Repository
from runner.workspace.run_directory import RunDirectory, abandoned_directories, acquire, safe_name
from runner.workspace.scratch import Scratch
from runner.workspace.trash import Trash
from runner.workspace.working_copy import RECORDED, WorkingCopy

FIRST_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0

log = structlog.get_logger(__name__)


class Workspace(Protocol):
    """The interface between executing a run and the place it works in."""

    @property
    def directory(self) -> Path:
        """Where the steps run."""

    @property
    def prefix(self) -> str:
        """Path of `directory` in its repository: "" at the top, else ending with a slash."""

    async def snapshot(self, message: str, redactor: Redactor) -> Changes:
        """Record all changes so far, untracked files included, as a commit with this message."""

    async def missing(self, path: str) -> str | None:
        """None if the snapshot has `path`, relative to `directory`; else the path, with the reason if known."""

    def expect_changes(self) -> None:
        """Checks run after the snapshot: what it saw of the files is no longer true of them."""

    async def finish(self, state: RunState | None) -> None:
        """Apply the run's state in the log: if it is done, its branch moves to the snapshot."""


class WorkspacePolicy(Struct, frozen=True, kw_only=True):
    """`git_seconds`: time limit of one git command. `kept_days`: how long work that no commit holds is kept. `copies`:
    idle working copies, at most. `committed_secrets`: see commit_scan.py.
    """

    git_seconds: float = TIMEOUT_SECONDS
    kept_days: float = 7.0
    copies: int = 4
    committed_secrets: CommittedSecrets = "refuse"


class Workspaces:
    """Opens workspaces below `runs_directory`. `repository`: the operator's; None: every run gets an empty directory.

    `environment`: the runner's own, for git. The parent directory also has `copies` (idle working copies), `kept` (work
    that no commit holds) and `trash`.
    """

    def __init__(
        self,
        runs_directory: Path,
        repository: Path | None = None,
        environment: Mapping[str, str] | None = None,
        policy: WorkspacePolicy | None = None,
    ) -> None:
        self.runs_directory = runs_directory
        self.repository = repository
        self._policy = policy or WorkspacePolicy()
        self.aside = Aside(runs_directory.parent / "kept", self._policy.kept_days)
        self._environment = environment or {}
        self.fitness = Fitness(runs_directory, repository, self._environment)
        self._copies_directory = runs_directory.parent / "copies"
        self._trash = Trash(runs_directory.parent / "trash")
        self._pool = CopyPool(self._copies_directory, self._trash, self._policy.copies)
        self._claims = BranchClaims(NoRuns())
        self._closing: set[asyncio.Task[None]] = set()

    def set_run_lookup(self, runs: RunLookup) -> None:
        """Set the source of run states. Until then no run is known."""
        self._claims.runs = runs

    def branch_of(self, task_id: str, branch: str | None = None) -> str | None:
        """The branch of a run: the given one or task/<id>; None without a repository."""
        return _branch_name(task_id, branch) if self.repository else None

    @asynccontextmanager
    async def open(self, task_id: str, run_id: int, branch: str | None = None) -> AsyncIterator[Workspace]:
        """The workspace of one run. Waits while another run works on the branch.

        Raises:
            WorkspaceUnusable: the configured path is not a git repository with a commit.
            BranchUnusable: the branch cannot be created or moved.
        """
        place = await asyncio.to_thread(acquire, self.runs_directory, task_id, run_id)
        opened: GitWorkspace | None = None
        try:
            if self.repository is None:
                yield Scratch(place.path)
            else:
                opened = await self._open(place, task_id, run_id, branch)
                yield opened
        finally:
            await asyncio.shield(self._in_background(self._close(place, opened)))

    async def recover(self) -> int:
        """Clean up after killed runners: keep their uncommitted work, and reconcile the branches they held.

        Returns the number of run directories. Branches are reconciled in the background, until the engine answers.
        """
        cleared = 0
        for place in await asyncio.to_thread(lambda: list(abandoned_directories(self._copies_directory))):
            await asyncio.to_thread(self._trash.throw, place.path)
            place.release()
        for place in await asyncio.to_thread(lambda: list(abandoned_directories(self.runs_directory))):
            await self._clear(place)
            cleared += 1
        self._trash.start()
        await asyncio.to_thread(self.aside.remove_expired)
        await self._reconcile_all()
        return cleared

    async def close(self) -> None:
        """Cancel background work; the next runner resumes it."""
        await self._trash.stop()
        for task in self._closing:
            task.cancel()
        if self._closing:
            await asyncio.wait(self._closing)

    # ------------------------------------------------------------------------------------------- opening

    async def _open(self, place: RunDirectory, task_id: str, run_id: int, branch: str | None) -> GitWorkspace:
        repository, note, refs = await self._take_branch(place, task_id, run_id, branch)
        try:
            copy = await self._check_out(place, repository, note, refs)
        except BaseException:
            self._in_background(self._reconcile_later(repository, note))
            raise
        return GitWorkspace(copy, note, self._claims, self.aside, self._policy.committed_secrets)

    async def _read_repository(self) -> Repository:
        assert self.repository is not None
        return await Repository.at(Git(self.repository, self._environment, timeout_seconds=self._policy.git_seconds))

    async def _take_branch(
        self, place: RunDirectory, task_id: str, run_id: int, given: str | None
    ) -> tuple[Repository, BranchNote, dict[str, str]]:
        """Claim the branch; returns the repository, the note, and the refs, as of the claim.

        A new branch starts at the operator's HEAD. So does the default branch of a task if HEAD contains it.
        """
        branch = _branch_name(task_id, given)
        while True:
            repository = await self._read_repository()
            refs = await repository.refs()
            if note_ref(branch) in refs:
                await self._claims.await_free(repository, branch)
                continue
            await repository.check_branch(branch, refs)
            excluding = await self._claims.find_excluding(repository, branch, refs) if given else None
            if excluding is not None:
                await self._claims.await_free(repository, excluding)
                continue
            tip = refs.get(f"refs/heads/{branch}")
            start = tip or repository.head
            if tip and not given and await repository.git.is_ancestor(tip, repository.head):
                start = repository.head
            note = new_note(run_id, task_id, branch, start, tip, place.path)
            if await self._claims.take(repository, note):
                return repository, note, refs

    async def _check_out(
        self, place: RunDirectory, repository: Repository, note: BranchNote, refs: Mapping[str, str]
    ) -> WorkingCopy:
        copy = await self._pool.take(place, repository, note.start)
        if copy is None:
            copy = WorkingCopy(place.path, repository)
        await copy.check_out(note.start, note.branch, refs)
        if not copy.directory.is_dir():
            raise BranchUnusable(
                f"branch {note.branch} has no {repository.prefix}, the directory that is this runner's workspace"
            )
        return copy

    # ------------------------------------------------------------------------------------------- closing

    async def _close(self, place: RunDirectory, opened: GitWorkspace | None) -> None:
        """Put the workspace away. The outcome is reported by now, so errors are only logged."""
        try:
            if opened is not None:
                await self._put_away(opened)
            await asyncio.to_thread(self._trash.throw, place.path)
        except (ElRusoError, OSError) as problem:
            log.warning("workspace.not_closed", path=str(place.path), error=str(problem))
        place.release()
        self._trash.start()
        if opened is not None and not opened.is_finished:
            self._in_background(self._reconcile_later(opened.copy.repository, opened.note))

    async def _put_away(self, opened: GitWorkspace) -> None:
        """Keep work that no commit holds, and return the working copy to the pool if it can be cleaned."""
        copy = opened.copy
        taken = opened.snapshot_taken
        if not opened.is_recorded and await asyncio.to_thread(copy.is_untouched):
            await self._pool.give_back(copy, None)
        elif not await asyncio.to_thread(opened.keep_aside):
            await self._pool.give_back(copy, taken.survey if taken and opened.is_unchanged_since_snapshot else None)
        else:
            await asyncio.to_thread(self.aside.remove_expired)

    async def _clear(self, place: RunDirectory) -> None:
        """Remove the directory of a killed run, or keep it if it has unrecorded work, perhaps of hours."""
        name = place.path.name
        try:
            if await self._is_clean(place.path):
                await asyncio.to_thread(self._trash.throw, place.path)
            else:
                await asyncio.to_thread(self.aside.keep, place.path, name)
        except OSError as problem:
            log.warning("workspace.not_cleared", path=str(place.path), error=str(problem))
        place.release()

    async def _is_clean(self, path: Path) -> bool:
        """True when everything in a run directory is also in the repository."""
        if self.repository is None or not (path / "files").is_dir() or (path / RECORDED).exists():
            return True
        try:
            copy = WorkingCopy(path, await self._read_repository())
            return not await copy.git.read("status", "--porcelain", "-z", limit=1)
        except ElRusoError:
            return False

    # -------------------------------------------------------------------------------------- reconciling

    async def _reconcile_all(self) -> None:
        if self.repository is None:
            return
        try:
            repository = await self._read_repository()
            listed = await repository.git.line("for-each-ref", "--format=%(refname)", ACTIVE)
        except ElRusoError as problem:
            log.warning("workspace.unusable", error=problem.detail)
            return
        for ref in listed.splitlines():
            try:
                note = await self._claims.find(repository, ref)
            except ElRusoError as problem:
                log.warning("branch.note_unreadable", detail=problem.detail)
                continue
            if note is not None:
                self._in_background(self._reconcile_later(repository, note))

    async def _reconcile_later(self, repository: Repository, note: BranchNote) -> None:
        """Retry until the log answers and the note's branch is reconciled."""
        backoff = Backoff(FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS)
        while True:
            try:
                if await self._claims.find(repository, note.ref) != note:
                    return
                if await self._claims.reconcile(repository, note):
                    return
            except ElRusoError as problem:
                log.warning("branch.not_finished", branch=note.branch, run_id=note.run_id, detail=problem.detail)
            await asyncio.sleep(backoff.next_delay())

    def _in_background(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = asyncio.create_task(work)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
        return task


def _branch_name(task_id: str, given: str | None) -> str:
    return given or f"task/{safe_name(task_id)}"
