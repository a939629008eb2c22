"""How a run ended, ready to be reported."""

import time
from functools import partial

from msgspec import Struct
from msgspec.structs import replace

from events.errors import ElRusoError, InvalidInput, TooLarge, Unprocessable, explain
from events.limits import PATH_MAX, shortened
from events.task import FILE_CHANGES_MAX, FileChange, TaskDone, TaskFailed, Unrecorded
from runner.containment import describe
from runner.output import harmless
from runner.run import Finished, Run, RunFailed
from runner.workspace.changes import Changes

UNRECORDED_LIMIT = 100  # paths in the event
ERROR_LIMIT = 4096  # characters
REFUSED = "a report of this run was refused"


class Outcome(Struct, frozen=True):
    """The event to report. `retry` False: another attempt would fail as well. `patch` and `diffstat` are artifacts."""

    event: TaskDone | TaskFailed
    retry: bool = False
    patch: str = ""
    diffstat: str = ""


def done(run: Run, finished: Finished) -> Outcome:
    """The outcome of a run whose work was accepted."""
    event = TaskDone(
        run_id=run.run_id,
        duration_ms=_duration(run.started),
        summary=_summary(finished.summary, run.changes),
        result=finished.result,
        branch=run.branch,
        commit_hash=run.changes.commit_hash,
        file_changes=_listed(run),
        unrecorded=_unrecorded(run),
        kept_path=run.changes.kept_path,
        kept_until=run.changes.kept_until,
    )
    return Outcome(event, patch=run.changes.patch, diffstat=run.changes.diffstat)


def failed(run: Run, failure: Exception) -> Outcome:
    """The outcome of a run that ended with an exception."""
    detail = failure.detail if isinstance(failure, ElRusoError) else describe(failure)
    event = TaskFailed(
        run_id=run.run_id,
        error=harmless(run.context.redactor.redact(detail)[:ERROR_LIMIT]),
        duration_ms=_duration(run.started),
        summary=_summary(None, run.changes),
        branch=run.branch,
        commit_hash=run.changes.commit_hash,
        file_changes=_listed(run),
        unrecorded=_unrecorded(run),
        kept_path=run.changes.kept_path,
        kept_until=run.changes.kept_until,
    )
    return Outcome(event, may_succeed_later(failure), run.changes.patch, run.changes.diffstat)


def unreadable(run_id: int, failure: InvalidInput) -> Outcome:
    """The outcome of a run whose definition could not even be read."""
    return Outcome(TaskFailed(run_id=run_id, error=harmless(failure.detail[:ERROR_LIMIT])))


def refused(outcome: Outcome, refusal: Exception) -> Outcome:
    """The failure of a run whose report the engine refuses: no more than needed, so that this one is accepted."""
    event = outcome.event
    kept = f"; its commit is kept as refs/elruso/runs/{event.run_id}" if event.commit_hash else ""
    failure = TaskFailed(
        run_id=event.run_id,
        error=harmless(refusal_text(refusal) + kept),
        duration_ms=event.duration_ms,
        commit_hash=event.commit_hash,
    )
    return Outcome(failure, may_succeed_later(refusal))


def refusal_text(refusal: Exception) -> str:
    """Why a run fails whose report was refused."""
    return f"{REFUSED}: {explain(refusal)[:ERROR_LIMIT]}"


def may_succeed_later(failure: Exception) -> bool:
    """False when the task itself is wrong, so that every attempt would fail alike."""
    if isinstance(failure, RunFailed):
        return failure.retry
    return not isinstance(failure, InvalidInput | TooLarge | Unprocessable)


def _listed(run: Run) -> list[FileChange]:
    """What goes into the event: a name may hold a secret as well as a line may."""
    if not run.changes.files:
        return []
    shown = partial(_shown, run)
    return [
        replace(change, path=shown(change.path), renamed_from=change.renamed_from and shown(change.renamed_from))
        for change in run.changes.files[:FILE_CHANGES_MAX]
    ]


def _unrecorded(run: Run) -> list[Unrecorded]:
    return [replace(each, path=_shown(run, each.path)) for each in run.changes.unrecorded[:UNRECORDED_LIMIT]]


def _shown(run: Run, path: str) -> str:
    return shortened(run.context.redactor.redact(path), PATH_MAX)


def _duration(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _summary(said: str | None, changes: Changes) -> str | None:
    parts = [said, _counted(changes.files), _left_out(changes)]
    return "; ".join(part for part in parts if part) or None


def _counted(files: list[FileChange]) -> str | None:
    if not files:
        return None
    added = sum(file.added or 0 for file in files)
    removed = sum(file.removed or 0 for file in files)
    lines = f"+{added} -{removed}"
    return f"1 file changed, {lines}" if len(files) == 1 else f"{len(files)} files changed, {lines}"


def _left_out(changes: Changes) -> str | None:
    """For the summary, so that readers see that something was not recorded."""
    if not changes.unrecorded:
        return None
    number = len(changes.unrecorded)
    what = changes.unrecorded[0].path if number == 1 else f"{number} paths"
    kept = f", kept in {changes.kept_path} until {changes.kept_until:%Y-%m-%d}" if changes.kept_until else ""
    return f"not recorded: {what}{kept}"
