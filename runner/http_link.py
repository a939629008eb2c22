"""A runner without a database: it speaks to the API, and claims by long poll."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Self

import msgspec

from events.beats import Beat
from events.claims import ClaimAnswer, Claimed
from events.commands import OutputChunk
from events.committer import Answered
from events.errors import Draining, ElRusoError, LeaseLost, NotFound, Paused, Unavailable
from events.hint import Hint
from events.reports import Report
from events.run_state import RunState
from events.task import TaskCreated, TaskDone, TaskFailed, TaskStarted, TaskStep
from runner.http_client import HttpClient
from runner.settings import Settings

WAIT_SECONDS = 25.0  # how long a claim waits for work
LIMIT_MAX = 1000

_DEFINITION = tuple(field.name for field in msgspec.structs.fields(TaskCreated))


class HttpLink:
    """Use as `async with HttpLink(address, token, settings) as link`."""

    def __init__(self, address: str, token: str | None, settings: Settings) -> None:
        self.actor = f"runner:{settings.runner_id}"
        self.mode = "long poll"
        self._runner = settings.runner_id
        self._open_client = partial(HttpClient, address, token)
        self._client = self._open_client()
        self._last: dict[int, asyncio.Task[None]] = {}  # by run: its latest report

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Sends what is under way, as long as the API takes it at once."""
        self._client.lose_patience()
        if self._last:
            await asyncio.wait(list(self._last.values()))
        await self._client.close()

    def subscribe(self, callback: Callable[[Hint], None]) -> Callable[[], None]:
        """There are no hints: the long poll is answered when there is work."""
        return lambda: None

    @asynccontextmanager
    async def pulse(self) -> AsyncIterator["HttpPulse"]:
        """See Link."""
        client = self._open_client()
        client.lose_patience()
        try:
            yield HttpPulse(client, self._runner)
        finally:
            await client.close()

    async def started(self, meta: dict[str, Any]) -> Beat:
        """See Link."""
        body = {"runner_id": self._runner, "status": "started", "meta": meta}
        return _beat(await self._client.ask("POST", "/ops/runner/heartbeat", body))

    async def stopped(self, reason: str) -> None:
        """See Link."""
        await self._client.ask("POST", "/ops/runner/heartbeat", {"runner_id": self._runner, "status": "stopped"})

    async def claim(self, limit: int) -> ClaimAnswer:
        """See Link."""
        body = {"runner_id": self._runner, "limit": min(limit, LIMIT_MAX), "wait_seconds": WAIT_SECONDS}
        try:
            rows = await self._client.ask("POST", "/ops/tasks/claim", body, wait_seconds=WAIT_SECONDS)
        except Paused:
            return ClaimAnswer([], paused=True)
        except Draining:
            return ClaimAnswer([], draining=True)
        return ClaimAnswer([_claimed(row) for row in rows], due_seconds=0.0)

    def report(self, report: Report, answered: Answered[ElRusoError | None]) -> None:
        """See Link."""
        run_id = report.run_id
        task = asyncio.create_task(self._deliver(report, self._last.get(run_id), answered))
        self._last[run_id] = task
        task.add_done_callback(lambda done: self._last.pop(run_id) if self._last.get(run_id) is done else None)

    async def run_state(self, run_id: int) -> RunState | None:
        """See Link."""
        try:
            run = await self._client.ask("GET", f"/runs/{run_id}", {})
        except NotFound:
            return None
        return RunState(run["status"], run["task_id"], run["commit_hash"])

    async def output(self, chunks: Sequence[OutputChunk]) -> None:
        """See Link. All chunks are of one run."""
        pieces = [
            {"number": chunk.number, "step": chunk.step, "stream": chunk.stream, "data": chunk.data} for chunk in chunks
        ]
        await self._client.ask("POST", f"/runs/{chunks[0].run_id}/output", {"chunks": pieces})

    async def save_artifact(self, run_id: int, kind: str, content: str) -> None:
        """See Link."""
        await self._client.ask("POST", f"/runs/{run_id}/artifacts", {"kind": kind, "content": content})

    async def release(self, runs: Sequence[int] | None, reason: str) -> None:
        """See Link."""
        named = None if runs is None else [str(run_id) for run_id in runs]
        body = {"runner_id": self._runner, "runs": named, "reason": reason}
        await self._client.ask("POST", "/ops/runner/release", body)

    async def sweep(self) -> None:
        """The API does that itself, when a heartbeat finds tasks stuck."""

    async def _deliver(
        self, report: Report, previous: "asyncio.Task[None] | None", answered: Answered[ElRusoError | None]
    ) -> None:
        if previous is not None:
            await asyncio.wait([previous])
        try:
            await self._send(report)
        except Unavailable as error:
            answered(None, error)
        except ElRusoError as refusal:
            answered(refusal, None)
        except Exception as error:
            answered(None, error)
        else:
            answered(None, None)

    async def _send(self, report: Report) -> None:
        path = f"/runs/{report.run_id}"
        match report.event:
            case TaskStarted(branch=branch):
                body = {"task_id": report.task_id, "branch": branch, "runner_id": self._runner}
                run = await self._client.ask("POST", "/runs", body)
                if run["id"] != str(report.run_id):
                    raise LeaseLost(f"task {report.task_id} is at run {run['id']}, not {report.run_id}")
            case TaskStep() as step:
                told = msgspec.to_builtins(step)
                del told["run_id"]
                await self._client.ask("POST", f"{path}/steps", {"step_name": told.pop("name"), **told})
            case TaskDone() | TaskFailed() as end:
                told = msgspec.to_builtins(end)
                del told["run_id"]
                status = "done" if isinstance(end, TaskDone) else "failed"
                await self._client.ask("PATCH", path, {"status": status, "retry": report.retry, **told})


class HttpPulse:
    """Heartbeats over a client of their own."""

    def __init__(self, client: HttpClient, runner: str) -> None:
        self._client = client
        self._runner = runner

    async def beat(self, meta: dict[str, Any] | None) -> Beat:
        """See Pulse."""
        body = {"runner_id": self._runner} | ({} if meta is None else {"meta": meta})
        return _beat(await self._client.ask("POST", "/ops/runner/heartbeat", body))


def _beat(answer: dict[str, Any]) -> Beat:
    held = None if answer["held"] is None else [int(run_id) for run_id in answer["held"]]
    draining = answer.get("draining", False)  # an API of before has none
    return Beat(answer["ready"], answer["paused"], answer["due_seconds"], stuck=False, held=held, draining=draining)


def _claimed(row: dict[str, Any]) -> Claimed:
    """The API shows a task with its definition and its state in one; the definition is what a TaskCreated has."""
    definition = {name: row[name] for name in _DEFINITION if row.get(name) is not None}
    raw = msgspec.Raw(msgspec.json.encode(definition))
    return Claimed(row["id"], int(row["run_id"]), row["attempts"], row["version"], raw)
