"""Where a run works: a worktree of the configured repository, or a scratch directory when there is none."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from events.errors import ElRusoError
from runner.changes import Changes
from runner.git import Git
from runner.redact import Redactor
from runner.repository import Repository
from runner.run_directory import acquire, remove_abandoned, safe_name
from runner.scratch import Scratch
from runner.worktree import open_worktree


class Workspace(Protocol):
    """What execution needs to know of the place a run works in."""

    @property
    def directory(self) -> Path:
        """Where the steps run."""

    async def snapshot(self, message: str, redactor: Redactor) -> Changes:
        """Record everything the run changed so far, untracked files too, under a commit message."""

    def keep(self) -> None:
        """The run succeeded: its branch stays where the snapshot is."""


class Workspaces(Struct, frozen=True):
    """Opens one workspace per run, below `runs_directory`. `environment` is the runner's own, for git."""

    runs_directory: Path
    repository: Path | None = None
    environment: Mapping[str, str] = {}

    def branch_of(self, task_id: str, branch: str | None = None) -> str | None:
        """The branch on which a run of this task works: the given one or task/<id>; None without a repository."""
        return (branch or f"task/{safe_name(task_id)}") if self.repository else None

    @asynccontextmanager
    async def open(self, task_id: str, run_id: int, branch: str | None = None) -> AsyncIterator[Workspace]:
        """The workspace of one run. It is gone afterwards, whatever happened in it; the branch stays.

        Raises:
            WorkspaceUnusable: the configured path is not a git repository with a commit.
            BranchBusy: another task's run, or the operator, has the branch checked out.
        """
        place = await asyncio.to_thread(acquire, self.runs_directory, task_id, run_id)
        try:
            if self.repository is None:
                yield Scratch(place.path)
                return
            name = branch or f"task/{safe_name(task_id)}"
            async with open_worktree(
                Git(self.repository, self.environment), place.path, name, branch is None
            ) as opened:
                yield opened
        finally:
            await asyncio.to_thread(place.release)

    async def remove_abandoned(self) -> int:
        """Clear what killed runners left behind; how many workspaces that were."""
        removed = await asyncio.to_thread(remove_abandoned, self.runs_directory)
        if removed and self.repository is not None:
            with suppress(ElRusoError, OSError):
                await (await Repository.at(Git(self.repository, self.environment))).forget_missing()
        return removed
