"""The operator's repository, as the runs of a task see it: where they start, and who else works in it."""

import asyncio
from pathlib import Path
from typing import Self

from msgspec import Struct

from events.errors import Conflict, InvalidInput, Unprocessable
from runner.git import Git, GitFailed
from runner.repository_lock import locked
from runner.run_directory import is_abandoned, remove_tree


class WorkspaceUnusable(Unprocessable):
    """The configured workspace is not a git repository with at least one commit."""

    code = "workspace_unusable"


class BranchBusy(Conflict):
    """Somebody else has the branch checked out."""

    code = "branch_busy"


class Repository(Struct, frozen=True):
    """A repository that runs may branch off. `prefix`: where in it the configured workspace lies, "" at the top."""

    git: Git
    prefix: str
    lock: Path

    @classmethod
    async def at(cls, git: Git) -> Self:
        """The repository around the configured workspace, the directory of `git`.

        Raises:
            WorkspaceUnusable: there is none, or it has no commit.
        """
        path = git.directory
        if not path.is_dir():
            raise WorkspaceUnusable(f"the workspace {path} is not a directory")
        try:
            found = await git.line("rev-parse", "--show-prefix", "--path-format=absolute", "--git-common-dir")
        except GitFailed as refusal:
            advice = "run `git init` and make a first commit, or configure another workspace"
            raise WorkspaceUnusable(f"{path} is not a git repository: {advice} ({refusal.detail})") from refusal
        if not await git.succeeds("rev-parse", "--verify", "--quiet", "HEAD^{commit}"):
            raise WorkspaceUnusable(f"the repository {path} has no commit yet: make the first one")
        prefix, common = found.split("\n", 1)
        return cls(git, prefix, Path(common) / "elruso.lock")

    async def start_of(self, branch: str, follow_head: bool) -> str:
        """The commit where a run on `branch` starts: where a killed run did, or where the branch is.

        With `follow_head`, a branch that is new, or has nothing of its own, starts where the main checkout is.

        Raises:
            InvalidInput: git would not take the name.
        """
        if branch.startswith("-") or not await self.git.succeeds("check-ref-format", f"refs/heads/{branch}"):
            raise InvalidInput(f"branch: {branch!r} is not a valid branch name")
        note, tip = start_note(branch), f"refs/heads/{branch}"
        listed = await self.git.line("for-each-ref", "--format=%(refname) %(objectname)", note, tip)
        refs = dict(line.rsplit(" ", 1) for line in listed.splitlines())
        known = refs.get(note) or refs.get(tip)
        if known is None or (follow_head and await self.git.succeeds("merge-base", "--is-ancestor", known, "HEAD")):
            return await self.git.line("rev-parse", "HEAD")
        return known

    async def add_worktree(self, path: Path, branch: str, start: str) -> None:
        """A worktree in the empty directory `path`, on `branch` at `start`; files are still to be checked out.

        Whatever holds the branch makes way if its runner is dead, or if it is an older run of the same task.

        Raises:
            BranchBusy: somebody else holds it.
        """
        async with locked(self.lock):
            for holder in await self._holders(branch):
                if not _makes_way(holder, path):
                    raise BranchBusy(f"branch {branch} is checked out in {holder}")
                await self._forget(holder)
            await self.git.read("update-ref", start_note(branch), start)
            await self.git.read("worktree", "add", "--no-checkout", "--no-track", "-B", branch, str(path), start)

    async def remove_worktree(self, path: Path) -> None:
        """Remove the files, which may take long, and then the worktree itself."""
        await asyncio.to_thread(remove_tree, path)
        async with locked(self.lock):
            await self._forget(path)

    async def forget_missing(self) -> None:
        """Drop what is known of worktrees whose files are gone."""
        async with locked(self.lock):
            await self.git.read("worktree", "prune")

    async def _forget(self, path: Path) -> None:
        await self.git.read("worktree", "remove", "--force", "--force", str(path))
        await asyncio.to_thread(remove_tree, path)

    async def _holders(self, branch: str) -> list[Path]:
        entries = (await self.git.line("worktree", "list", "--porcelain")).split("\n\n")
        held = [entry.splitlines() for entry in entries if f"\nbranch refs/heads/{branch}\n" in f"{entry}\n"]
        return [Path(lines[0].removeprefix("worktree ")) for lines in held]


def start_note(branch: str) -> str:
    """The ref that tells where the run on `branch` started, for as long as it lasts."""
    return f"refs/elruso/start/{branch}"


def run_id_of(path: Path) -> int:
    """The run that a run directory belongs to; 0 for any other path."""
    digits = path.name.rpartition(".")[2]
    return int(digits) if digits.isdigit() else 0


def _makes_way(holder: Path, path: Path) -> bool:
    same_task = holder.name.rpartition(".")[0] == path.name.rpartition(".")[0]
    older = same_task and run_id_of(holder) < run_id_of(path)
    return holder.parent == path.parent and (older or is_abandoned(holder))
