"""One run at a time on a branch, and a branch that moves only as the log says.

A run that works on a branch says so in refs/elruso/active/<digest of the branch>: an annotated tag on the commit where
the run starts, which also protects that commit from garbage collection. Its message names the run. The result of a run
lies under refs/elruso/results/<run id>-<the same digest> before its end is reported. So whoever finds such a note,
after a crash for instance, asks the log what became of its run, and finishes or undoes what the run began:

    done                         the branch moves to the result, by compare-and-swap
    running                      the branch is taken; wait
    ended otherwise              the branch stays; a result is kept as refs/elruso/runs/<run id>
    unknown to this log          as if it had ended, once no living runner of this machine executes it
"""

import asyncio
import hashlib
import os
import platform
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import structlog
from msgspec import Struct

from events.run_state import RunState
from runner.git import GitFailed
from runner.run_state import RunLookup
from runner.workspace.repository import NO_COMMIT, Repository, is_gone, is_locked
from runner.workspace.run_directory import is_abandoned

ACTIVE = "refs/elruso/active/"
FIRST_WAIT_SECONDS = 0.1
LONGEST_WAIT_SECONDS = 2.0
SETTLE_ATTEMPTS = 5

log = structlog.get_logger(__name__)


class BranchNote(Struct, frozen=True):
    """Who works on a branch. `tip`: where it was; None: it did not exist. `directory`: of the run, on `host`."""

    run_id: int
    task_id: str
    branch: str
    start: str
    tip: str | None
    directory: str
    host: str

    @property
    def ref(self) -> str:
        """Where the note of this branch lies."""
        return note_ref(self.branch)

    @property
    def result_ref(self) -> str:
        """Where the result lies until the log has decided about it. Two logs may have the same run id at once; each
        has a branch of its own."""
        return f"refs/elruso/results/{self.run_id}-{self.ref.removeprefix(ACTIVE)}"

    @property
    def kept_ref(self) -> str:
        """Where the result of a run that was not done can be looked at."""
        return f"refs/elruso/runs/{self.run_id}"


def note_ref(branch: str) -> str:
    """The ref that says who works on a branch. A digest, so that `a` and `a/b` may be worked on at once."""
    digest = hashlib.sha256(branch.encode(errors="surrogateescape")).hexdigest()
    return f"{ACTIVE}{digest[:40]}"


def new_note(run_id: int, task_id: str, branch: str, start: str, tip: str | None, directory: Path) -> BranchNote:
    """The note of a run on this machine."""
    return BranchNote(run_id, task_id, branch, start, tip, os.fspath(directory), platform.node())


class BranchClaims:
    """The notes of one repository. `released` is set whenever a run of this process lets go of a branch."""

    def __init__(self, runs: RunLookup) -> None:
        self.runs = runs
        self._released = asyncio.Event()

    async def take(self, repository: Repository, note: BranchNote) -> bool:
        """Note that a run works on the branch. False: somebody was faster, or the branch has moved: look again."""
        tag = await repository.git.line("mktag", given=_tag_text(note))
        try:
            await repository.update_refs(
                f"verify refs/heads/{note.branch} {note.tip or NO_COMMIT}", f"create {note.ref} {tag}"
            )
        except GitFailed as refusal:
            if is_gone(refusal):
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
        """Return once no run works on the branch; finish or undo what an earlier one left. Costs no attempt."""
        wait = FIRST_WAIT_SECONDS
        told = False
        while True:
            note = await self.find(repository, note_ref(branch))
            if note is None or await self.reconcile(repository, note):
                return
            if not told:
                log.info("branch.busy", branch=branch, run_id=note.run_id, task_id=note.task_id)
                told = True
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
        """The note under a ref."""
        try:
            text = await repository.git.read("cat-file", "tag", ref)
        except GitFailed:
            return None
        return _read_tag(text)

    async def reconcile(self, repository: Repository, note: BranchNote) -> bool:
        """Finish or undo what the run of the note began, as the log says. False: it is still running.

        Raises:
            GitFailed, BranchUnusable: the branch cannot be moved now; the note stays, so that it can be later.
        """
        state = await self.runs.run_state(note.run_id)
        if state is not None and state.task_id != note.task_id:
            state = None
        if state is None and not _is_dead(note):
            return False
        if state is not None and state.status == "running":
            return False
        await self.settle(repository, note, state)
        return True

    async def settle(self, repository: Repository, note: BranchNote, state: RunState | None) -> None:
        """Move the branch to the result of a run that is done; else keep the result beside it. Then let go.

        Raises:
            GitFailed, BranchUnusable: as in `reconcile`.
        """
        try:
            for attempt in range(1, SETTLE_ATTEMPTS + 1):
                try:
                    await self._settle_once(repository, note, state)
                except GitFailed as refusal:  # somebody else settles the same run: see what is left of it
                    if not is_gone(refusal) or attempt == SETTLE_ATTEMPTS:
                        raise
                    await asyncio.sleep(attempt * FIRST_WAIT_SECONDS)
                else:
                    return
        finally:
            self._released.set()

    async def _settle_once(self, repository: Repository, note: BranchNote, state: RunState | None) -> None:
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
            if not await repository.contains(f"refs/heads/{note.branch}", result):
                kept = await self._kept_ref(repository, note, result)
                log.error("branch.moved_meanwhile", branch=note.branch, run_id=note.run_id, result_ref=kept)
                await repository.update_refs(f"update {kept} {result}")
        await self._drop(repository, note, f"delete {note.result_ref} {result}")

    async def _drop(self, repository: Repository, note: BranchNote, *commands: str) -> None:
        """Remove the note if it is still this run's, and carry out the commands with it."""
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
        try:
            async with asyncio.timeout(seconds):
                await self._released.wait()
        except TimeoutError:
            pass


def _is_dead(note: BranchNote) -> bool:
    return note.host == platform.node() and is_abandoned(Path(note.directory))


def _tag_text(note: BranchNote) -> str:
    message = msgspec.json.encode(msgspec.to_builtins(note)).decode()
    tagger = f"El Ruso <elruso@localhost> {int(time.time())} +0000"
    return f"object {note.start}\ntype commit\ntag elruso-run-{note.run_id}\ntagger {tagger}\n\n{message}\n"


def _read_tag(text: bytes) -> BranchNote | None:
    _, _, message = text.partition(b"\n\n")
    try:
        found: Any = msgspec.json.decode(message, type=BranchNote)
    except (msgspec.MsgspecError, UnicodeError):
        return None
    assert isinstance(found, BranchNote)
    return found
