"""The workspace of a run in a repository: its working copy, its branch, its result."""

import re
from pathlib import Path

import structlog
from msgspec.structs import replace

from events.paths import parts_inside
from events.run_state import RunState
from runner.commit_scan import CommittedSecrets, refusal, scan_commits
from runner.git import GitFailed
from runner.redact import Redactor
from runner.workspace.aside import Aside, move_paths
from runner.workspace.branch_claim import BranchClaims, BranchNote
from runner.workspace.changes import Changes
from runner.workspace.snapshot import Snapshot, record_without_history, take_snapshot
from runner.workspace.working_copy import WorkingCopy

# Reasons for which the whole working copy is kept; for the others, the unrecorded paths are enough.
_NEEDS_ALL = ("submodule", "history", "refused")
_OBJECT = re.compile(r"[0-9a-f]{40,64} [a-z]+ \d+")

log = structlog.get_logger(__name__)


class GitWorkspace:
    """Implements Workspace with a working copy."""

    def __init__(
        self,
        copy: WorkingCopy,
        note: BranchNote,
        claims: BranchClaims,
        aside: Aside,
        committed_secrets: CommittedSecrets,
    ) -> None:
        self.copy = copy
        self.note = note
        self.is_finished = False
        self.snapshot_taken: Snapshot | None = None
        self.is_unchanged_since_snapshot = False
        self._claims = claims
        self._aside = aside
        self._name = copy.root.name
        self._committed_secrets = committed_secrets
        self._is_stored = False

    @property
    def directory(self) -> Path:
        """See Workspace."""
        return self.copy.directory

    @property
    def prefix(self) -> str:
        """See Workspace."""
        return self.copy.repository.prefix

    @property
    def is_recorded(self) -> bool:
        """True when the operator's repository has the run's work, except what the snapshot lists as unrecorded."""
        return self._is_stored

    async def snapshot(self, message: str, redactor: Redactor) -> Changes:
        """See Workspace. Stores the result in the operator's repository, as `note.result_ref`.

        Raises:
            GitFailed: nothing can be recorded, or the repository refuses the result.
        """
        try:
            return await self._snapshot(message, redactor)
        except GitFailed as refusal:
            raise GitFailed(f"{refusal.detail}; the work is kept in {self._kept_path}") from refusal

    async def _snapshot(self, message: str, redactor: Redactor) -> Changes:
        taken = await take_snapshot(self.copy, message, redactor)
        self.snapshot_taken = taken
        self.is_unchanged_since_snapshot = True
        secrets = await self._secrets_in(taken, redactor)
        if secrets:
            taken.problems.append(secrets)
            taken.changes = replace(taken.changes, commit_hash=None)
        else:
            await self._store(taken, message)
        changes = replace(taken.changes, unrecorded=taken.unrecorded, problems=taken.problems)
        if self._is_stored and not taken.unrecorded:
            self.copy.mark_recorded()
            return changes
        return replace(changes, kept_path=self._kept_path, kept_until=self._aside.until())

    @property
    def _kept_path(self) -> str:
        return str(self._aside.path_of(self._name))

    async def _secrets_in(self, taken: Snapshot, redactor: Redactor) -> str | None:
        """The refusal if the run's commits hold a stored value, else None."""
        if taken.commit == self.copy.start or self._committed_secrets == "allow":
            return None
        present = set(self.copy.refs.values()) if taken.has_history else ()  # a merged branch is no news
        findings = await scan_commits(self.copy.git, self.copy.start, taken.commit, redactor, present)
        return refusal(findings) if findings else None

    async def missing(self, path: str) -> str | None:
        """See Workspace."""
        assert self.snapshot_taken is not None
        parts = parts_inside(path, "acceptance.expected_files")
        name = f"{self.snapshot_taken.commit}:{self.prefix}{'/'.join(parts)}"
        answer = await self.copy.git.line("cat-file", "--batch-check", "--follow-symlinks", given=f"{name}\n")
        if _OBJECT.fullmatch(answer):
            return None
        found = self.directory.joinpath(*parts).resolve()
        if found.exists() and found.is_relative_to(self.directory.resolve()):
            return f"{path} (it exists, but is not in the commit: .gitignore hides it, or it is named as not recorded)"
        return path

    def expect_changes(self) -> None:
        """See Workspace."""
        self.is_unchanged_since_snapshot = False

    async def finish(self, state: RunState | None) -> None:
        """See Workspace."""
        await self._claims.finish(self.copy.repository, self.note, state)
        self.is_finished = True  # after the await: if it is cancelled, the branch is reconciled in the background

    def keep_aside(self) -> bool:
        """Keep what the commit does not hold. True: that was the whole working copy, which was moved away."""
        taken = self.snapshot_taken
        if taken is None or not self.is_recorded or any(each.reason in _NEEDS_ALL for each in taken.unrecorded):
            self._aside.keep(self.copy.root, self._name)
            return True
        if taken.unrecorded:
            move_paths(self.copy.files, taken.excluded, self.copy.aside)
            self._aside.keep(self.copy.aside, self._name)
        return False

    async def _store(self, taken: Snapshot, message: str) -> None:
        if taken.commit != self.copy.start:
            await self._fetch(taken, message)
        self._is_stored = True

    async def _fetch(self, taken: Snapshot, message: str) -> None:
        try:
            await self._fetch_commit(taken.commit)
        except GitFailed as problem:
            if not taken.has_history:
                raise
            log.warning("run.history_refused", run_id=self.note.run_id, detail=problem.detail)
            await record_without_history(self.copy, taken, message)
            taken.changes = replace(taken.changes, commit_hash=taken.commit)
            await self._fetch_commit(taken.commit)

    async def _fetch_commit(self, commit: str) -> None:
        await self.copy.git.read("update-ref", "refs/heads/result", commit)
        await self.copy.repository.fetch_result(self.copy.git_directory, self.note.result_ref)
