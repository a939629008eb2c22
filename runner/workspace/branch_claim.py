"""One run at a time on a branch, which moves only when the log has accepted the run's end (ADR 0025).

A run claims its branch with the ref refs/elruso/active/<digest of the branch>: an annotated tag on the commit where the
run starts, which also protects that commit from garbage collection. The tag's message is a BranchNote that names the
run. The result is stored as refs/elruso/results/<run id>-<the same digest> before the run's end is reported. A process
that finds the note of another run, after a crash for instance, asks the log about that run, and finishes or undoes what
it began:

    done                         the branch moves to the result, by compare-and-swap
    running                      the branch is in use; wait
    any other status             the branch stays; a result is kept as refs/elruso/runs/<run id>
    unknown to this log          as for any other status, once no runner of this machine executes it
"""

import asyncio
import hashlib
import os
import platform
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog
from msgspec import Struct

from events.run_state import RunState
from runner.git import GitFailed
from runner.run_state import RunLookup
from runner.workspace.repository import NO_COMMIT, BranchUnusable, Repository, is_excluded, is_gone, is_locked
from runner.workspace.run_directory import is_abandoned

ACTIVE = "refs/elruso/active/"
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 2.0
FINISH_ATTEMPTS = 5

log = structlog.get_logger(__name__)


class BranchNote(Struct, frozen=True):
    """The claim of a run on a branch, as its tag records it.

    `start`: the commit where the run starts. `tip`: where the branch was; None: it did not exist. `directory`: the run
    directory on `host`.
    """

    run_id: int
    task_id: str
    branch: str
    start: str
    tip: str | None
    directory: str
    host: str

    @property
    def ref(self) -> str:
        """The ref that holds this note."""
        return note_ref(self.branch)

    @property
    def result_ref(self) -> str:
        """The ref of the result until the log has accepted the run's end. Two logs may share a run id, not a branch."""
        return f"refs/elruso/results/{self.run_id}-{self.ref.removeprefix(ACTIVE)}"

    @property
    def kept_ref(self) -> str:
        """The ref that keeps the result of a run that did not end as done."""
        return f"refs/elruso/runs/{self.run_id}"


def note_ref(branch: str) -> str:
    """The ref for notes of a branch. Named by a digest, so that notes of `a` and `a/b` can exist side by side."""
    digest = hashlib.sha256(branch.encode(errors="surrogateescape")).hexdigest()
    return f"{ACTIVE}{digest[:40]}"


def new_note(run_id: int, task_id: str, branch: str, start: str, tip: str | None, directory: Path) -> BranchNote:
    """The note of a run on this machine."""
    return BranchNote(run_id, task_id, branch, start, tip, os.fspath(directory), platform.node())


class BranchClaims:
    """Claims, releases and reconciles branches. `_released` is set when a run of this process releases one."""

    def __init__(self, runs: RunLookup) -> None:
        self.runs = runs
        self._released = asyncio.Event()

    async def take(self, repository: Repository, note: BranchNote) -> bool:
        """Claim the branch. False: another run was faster, or a branch was moved or created; read the refs again."""
        tag = await repository.git.line("mktag", given=_tag_text(note))
        try:
            await repository.update_refs(
                f"verify refs/heads/{note.branch} {note.tip or NO_COMMIT}", f"create {note.ref} {tag}"
            )
        except GitFailed as refusal:
            if is_gone(refusal) or is_excluded(refusal):
                return False
            if not is_locked(refusal, f"refs/heads/{note.branch}"):
                raise
            return await self._take_beside_lock(repository, note, tag)
        return True

    async def _take_beside_lock(self, repository: Repository, note: BranchNote, tag: str) -> bool:
        """The same where a lock file on the branch, which may be stale, keeps git from verifying it: look afterwards.
        It may well be gone when the branch is to be moved."""
        log.warning("branch.locked", branch=note.branch, run_id=note.run_id)
        try:
            await repository.update_refs(f"create {note.ref} {tag}")
        except GitFailed as refusal:
            if is_gone(refusal):
                return False
            raise
        if await self._commit_at(repository, f"refs/heads/{note.branch}") == note.tip:
            return True
        await self._drop(repository, note)
        return False

    async def await_free(self, repository: Repository, branch: str) -> None:
        """Wait until no run holds the branch; finish or undo what a dead run began."""
        wait = FIRST_WAIT_SECONDS
        is_logged = False
        while True:
            note = await self.find(repository, note_ref(branch))
            if note is None or await self.reconcile(repository, note):
                return
            if not is_logged:
                log.info("branch.busy", branch=branch, run_id=note.run_id, task_id=note.task_id)
                is_logged = True
            await self._wait(wait)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)

    async def find_excluding(self, repository: Repository, branch: str, refs: Iterable[str]) -> str | None:
        """A branch that a run works on, made yet or not, that `branch` cannot exist beside: `rel` beside `rel/1`.

        Of two runs that begin at the same moment neither finds the other: the second branch waits for the first to go,
        its result kept until then.
        """
        for ref in refs:
            note = await self.find(repository, ref) if ref.startswith(ACTIVE) else None
            if note is not None and (
                f"{note.branch}/".startswith(f"{branch}/") or branch.startswith(f"{note.branch}/")
            ):
                return note.branch
        return None

    async def find(self, repository: Repository, ref: str) -> BranchNote | None:
        """The note at `ref`; None: there is none.

        Raises:
            BranchUnusable: it cannot be read. Waiting would not help.
        """
        try:
            text = await repository.git.read("cat-file", "tag", ref)
        except GitFailed:
            if not await repository.git.succeeds("rev-parse", "--verify", "--quiet", ref):
                return None
            text = b""
        note = _read_tag(text)
        if note is None:
            raise BranchUnusable(
                f"{ref} cannot be read; another version of El Ruso may have written it. Once no runner works on its "
                f"branch, remove it (git update-ref -d {ref})"
            )
        return note

    async def reconcile(self, repository: Repository, note: BranchNote) -> bool:
        """Finish or undo what the note's run began, depending on its status in the log. False: it is still running.

        Raises:
            GitFailed, BranchUnusable: the branch cannot be moved now. The note stays; call again later.
        """
        state = await self.runs.run_state(note.run_id)
        if state is not None and state.task_id != note.task_id:
            state = None
        if state is None and not _is_dead(note):
            return False
        if state is not None and state.status == "running":
            return False
        await self.finish(repository, note, state)
        return True

    async def finish(self, repository: Repository, note: BranchNote, state: RunState | None) -> None:
        """Move the branch to the result of a run that is done, else keep the result under `kept_ref`. Remove the note.

        Raises:
            GitFailed, BranchUnusable: as in `reconcile`.
        """
        try:
            for attempt in range(1, FINISH_ATTEMPTS + 1):
                try:
                    await self._finish_once(repository, note, state)
                except GitFailed as refusal:  # another process finishes the same run: read its refs again
                    if not is_gone(refusal) or attempt == FINISH_ATTEMPTS:
                        raise
                    await asyncio.sleep(attempt * FIRST_WAIT_SECONDS)
                else:
                    return
        finally:
            self._released.set()

    async def _finish_once(self, repository: Repository, note: BranchNote, state: RunState | None) -> None:
        result = await self._commit_at(repository, note.result_ref)
        if result is None:
            await self._drop(repository, note)
        elif state is not None and state.status == "done" and state.commit_hash in (None, result):
            await self._move_branch(repository, note, result)
        else:
            kept = await self._kept_ref(repository, note, result)
            await self._drop(repository, note, f"update {kept} {result}", f"delete {note.result_ref} {result}")

    async def _move_branch(self, repository: Repository, note: BranchNote, result: str) -> None:
        if note.tip is not None:
            await repository.check_not_checked_out(note.branch)
        try:
            await repository.update_refs(f"update refs/heads/{note.branch} {result} {note.tip or NO_COMMIT}")
        except GitFailed as refusal:
            if not is_gone(refusal):
                raise
            if not await repository.git.is_ancestor(result, f"refs/heads/{note.branch}"):
                kept = await self._kept_ref(repository, note, result)
                log.error("branch.moved_meanwhile", branch=note.branch, run_id=note.run_id, result_ref=kept)
                await repository.update_refs(f"update {kept} {result}")
        await self._drop(repository, note, f"delete {note.result_ref} {result}")

    async def _drop(self, repository: Repository, note: BranchNote, *commands: str) -> None:
        """Remove the note, if it is still this run's, in one transaction with `commands` of update-ref."""
        current = await self.find(repository, note.ref)
        removal = [f"delete {note.ref}"] if current == note else []
        if removal or commands:
            await repository.update_refs(*commands, *removal)

    async def _kept_ref(self, repository: Repository, note: BranchNote, result: str) -> str:
        """Where to keep the result: beside what the run of the same id of another log, or an earlier one, has there."""
        there = await self._commit_at(repository, note.kept_ref)
        return note.kept_ref if there in (None, result) else f"{note.kept_ref}-{note.ref.removeprefix(ACTIVE)}"

    async def _commit_at(self, repository: Repository, ref: str) -> str | None:
        try:
            return await repository.git.line("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        except GitFailed:
            return None

    async def _wait(self, seconds: float) -> None:
        self._released.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._released.wait()


def _is_dead(note: BranchNote) -> bool:
    return note.host == platform.node() and is_abandoned(Path(note.directory))


def _tag_text(note: BranchNote) -> str:
    message = msgspec.json.encode(note).decode()
    tagger = f"El Ruso <elruso@localhost> {int(time.time())} +0000"
    return f"object {note.start}\ntype commit\ntag elruso-run-{note.run_id}\ntagger {tagger}\n\n{message}\n"


def _read_tag(text: bytes) -> BranchNote | None:
    _, _, message = text.partition(b"\n\n")
    try:
        return msgspec.json.decode(message, type=BranchNote)
    except (msgspec.MsgspecError, UnicodeError):
        return None
