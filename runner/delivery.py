"""What the runs of a process have to say, on its way to the engine.

Nobody waits for a report to be written: it is posted, and its answer comes when it comes. A run that was taken away
learns of it by the answer to any of its reports.
"""

import asyncio
from collections.abc import Callable
from functools import partial

import structlog

from events.claims import Claimed
from events.errors import ElRusoError, LeaseLost, Unavailable, explain
from events.reports import Report, RunEvent
from events.run_state import RunState
from events.task import TaskDone, TaskFailed, TaskStarted, TaskStep
from runner.link import Link
from runner.outcome import REFUSED, Outcome, may_succeed_later, refusal_text, refused
from runner.output import Stream
from runner.run import RunFailed
from runner.transcript import Transcript

FLUSH_SECONDS = 0.2  # how long output may gather before it is sent

log = structlog.get_logger(__name__)


class Delivery:
    """The Reporter of all runs of a process.

    `lost(run_id)` is called when a run turns out not to be ours any more, `progress` set whenever a report is answered.
    """

    def __init__(self, link: Link, lost: Callable[[int], None], progress: asyncio.Event) -> None:
        self.outstanding: dict[int, int] = {}  # run id -> its reports that have no answer yet
        self.accepted: set[int] = set()  # runs whose end the log has accepted, until their workspace is closed
        self._link = link
        self._actor = link.actor
        self._lost = lost
        self._claims: dict[int, Claimed] = {}
        self._versions: dict[int, int] = {}  # of the last event of each run
        self._transcripts: dict[int, Transcript] = {}
        self._ends: dict[int, asyncio.Future[None]] = {}  # run id -> resolved when its posted end has its answer
        self._refusals: dict[int, Exception] = {}  # run id -> why a report before its end was refused
        self._flushing: set[asyncio.Task[None]] = set()
        self._progress = progress

    def begin(self, claimed: Claimed) -> None:
        """The run will have something to say."""
        self._claims[claimed.run_id] = claimed
        self._versions[claimed.run_id] = claimed.version

    async def started(self, task_id: str, event: TaskStarted) -> None:
        """The run begins to execute."""
        self._post(task_id, event)

    async def step(self, task_id: str, event: TaskStep) -> None:
        """A step ended; its output goes first. Raises RunFailed: an earlier report was refused."""
        if (refusal := self._refusals.get(event.run_id)) is not None:
            raise RunFailed(refusal_text(refusal), may_succeed_later(refusal))
        await self._flush(event.run_id)
        self._post(task_id, event)

    async def output(self, run_id: int, step: int, stream: Stream, text: str) -> None:
        """A step printed something. Slow to return when the engine is slow to take it."""
        transcript = self._transcripts.get(run_id)
        if transcript is None:
            transcript = self._transcripts[run_id] = Transcript(self._claims[run_id].task_id, run_id)
        if transcript.is_empty:
            asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._flush_soon, run_id)
        transcript.add(step, stream, text)
        if transcript.is_full:
            await self._flush(run_id)

    async def end(self, run_id: int, outcome: Outcome) -> None:
        """The run ended: its last output, its artifacts, its end."""
        await self._post_end(run_id, outcome)

    async def _post_end(self, run_id: int, outcome: Outcome) -> Outcome:
        """What was posted: a failure, if a report of a run that is done was refused."""
        refusal = self._refusals.get(run_id)
        if refusal is not None and isinstance(outcome.event, TaskDone):
            outcome = refused(outcome, refusal)
        if run_id in self._transcripts:
            await self._flush(run_id)
        if outcome.patch or outcome.diffstat:
            await self._save_artifacts(run_id, outcome)
            self._versions.pop(run_id, None)  # only the statement that looks up the version seals artifacts
        self._post(self._claims[run_id].task_id, outcome.event, outcome.retry)
        return outcome

    async def confirmed_end(self, run_id: int, outcome: Outcome) -> RunState | None:
        """Report the end and wait until the log accepts it, or the failure that is reported in its place.

        When another runner has the task this is cancelled: the run is lost. Raises LeaseLost: neither is accepted.
        """
        try:
            outcome = await self._await_answer(run_id, outcome)
        except _EndRefused as refusal:
            try:
                outcome = await self._await_answer(run_id, refused(outcome, refusal.reason))
            except _EndRefused as again:
                raise LeaseLost(str(again)) from again
        self.accepted.add(run_id)
        status = "done" if isinstance(outcome.event, TaskDone) else "failed"
        return RunState(status, self._claims[run_id].task_id, outcome.event.commit_hash)

    async def _await_answer(self, run_id: int, outcome: Outcome) -> Outcome:
        """The outcome that was accepted."""
        self._ends[run_id] = asyncio.get_running_loop().create_future()
        try:
            posted = await self._post_end(run_id, outcome)
            await self._ends[run_id]
            return posted
        finally:
            del self._ends[run_id]

    def give_up(self, claimed: Claimed, reason: str) -> None:
        """The runner fails a run that did not report its own end."""
        self._post(claimed.task_id, TaskFailed(claimed.run_id, reason))

    def forget(self, run_id: int) -> None:
        """The run has nothing more to say."""
        self._claims.pop(run_id, None)
        self.accepted.discard(run_id)
        self._refusals.pop(run_id, None)
        self._versions.pop(run_id, None)
        self._transcripts.pop(run_id, None)

    async def settle(self) -> None:
        """Until every report has its answer."""
        while self.outstanding:
            self._progress.clear()
            await self._progress.wait()

    def _post(self, task_id: str, event: RunEvent, retry: bool = True) -> None:
        run_id = event.run_id
        assert run_id is not None, "a runner reports on its runs"
        version = self._versions.get(run_id)
        if version is not None:
            version = self._versions[run_id] = version + 1
        report = Report(task_id, run_id, event, self._actor, retry, version)
        self.outstanding[run_id] = self.outstanding.get(run_id, 0) + 1
        self._link.report(report, partial(self._answered, report))

    def _answered(self, report: Report, refusal: ElRusoError | None, error: Exception | None) -> None:
        left = self.outstanding[report.run_id] - 1
        if left:
            self.outstanding[report.run_id] = left
        else:
            del self.outstanding[report.run_id]
            self._progress.set()
        problem = refusal or error
        if problem is not None:
            self._refused(report, problem)
        elif (end := self._end_of(report)) is not None:
            end.set_result(None)

    def _end_of(self, report: Report) -> "asyncio.Future[None] | None":
        """What waits for the answer to this report, if it is the end of a run that is waited for."""
        end = self._ends.get(report.run_id) if isinstance(report.event, TaskDone | TaskFailed) else None
        return None if end is None or end.done() else end

    def _refused(self, report: Report, refusal: Exception) -> None:
        """Not ours any more, or not writable: then the run fails with that, and its work is kept."""
        if isinstance(refusal, LeaseLost):
            self._lost(report.run_id)
            log.warning("run.lost", task_id=report.task_id, run_id=report.run_id)
            return
        log.error("report.refused", task_id=report.task_id, run_id=report.run_id, error=explain(refusal))
        if isinstance(refusal, Unavailable):  # the link closes
            self._lost(report.run_id)
        elif (end := self._end_of(report)) is not None:
            end.set_exception(_EndRefused(refusal))
        elif isinstance(report.event, TaskStarted | TaskStep):
            if report.run_id in self._claims:
                self._refusals[report.run_id] = refusal
        elif isinstance(report.event, TaskDone) or not report.event.error.startswith(REFUSED):
            outcome = refused(Outcome(report.event), refusal)
            self._post(report.task_id, outcome.event, outcome.retry)

    def _flush_soon(self, run_id: int) -> None:
        task = asyncio.ensure_future(self._flush(run_id))
        self._flushing.add(task)
        task.add_done_callback(self._flushing.discard)

    async def _flush(self, run_id: int) -> None:
        transcript = self._transcripts.get(run_id)
        chunks = transcript.take() if transcript is not None else []
        if not chunks:
            return
        try:
            await self._link.output(chunks)
        except ElRusoError as refusal:  # the end of each step stands in its event all the same
            log.warning("output.dropped", run_id=run_id, chunks=len(chunks), error=refusal.code)

    async def _save_artifacts(self, run_id: int, outcome: Outcome) -> None:
        for kind, content in (("patch", outcome.patch), ("diffstat", outcome.diffstat)):
            try:
                if content:
                    await self._link.save_artifact(run_id, kind, content)
            except ElRusoError as refusal:
                log.warning("artifact.dropped", run_id=run_id, kind=kind, error=refusal.code)


class _EndRefused(Exception):
    """The engine refused a run's end."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(explain(reason))
        self.reason = reason
