"""Every write the product knows, one method each.

`Commands` owns two connections: claims go over one, everything else over the other, each behind a group committer, so
a runner's reports never wait for its next claim. Requests that create many tasks share two more, opened on demand.

After a commit that made something claimable, `wake` is called with a hint (events/hint.py); the notifier sends it,
never the writing transaction. A task created alone carries its own hint (log.create_and_tell).
"""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import Any
from uuid import UUID

from asyncpg import Connection
from msgspec import Struct

from events import catalog
from events.artifacts import Commits, check_stored
from events.beats import Beat, BeatDesk, Life
from events.calls import Call, batched, carry_out
from events.claims import ClaimAnswer, ClaimDesk, Claimed, Key, Wish
from events.committer import Answered, Batch, Committer
from events.connect import Database
from events.creation import Answer, CreatedTask, Creation, create_and_tell, create_singly, create_together, news_of
from events.directives import Directives
from events.errors import ElRusoError, IllegalTransition, NotEligible, NotFound
from events.handover import HandoverDesk, Takers
from events.hint import Hint
from events.notifier import Notifier
from events.releases import free_releases
from events.reports import Report, run_of, write_reports
from events.requests import Requests
from events.run_state import RunState
from events.runner import RunnerHeartbeat, RunnerStarted, RunnerStopped
from events.runners import Runners, draining
from events.system import SystemPaused, SystemResumed, paused
from events.task import TaskCreated

MANY = 200  # streams in one statement of those that take many
REPORTS = 2000  # in one: begun and done of a thousand runs; a statement costs as much besides as seventy of them
BULK_CONNECTIONS = 2


class Sweep(Struct, frozen=True):
    """How many stuck tasks a sweep took back, and how many of them had no attempt left."""

    requeued: int
    blocked: int


class OutputChunk(Struct, frozen=True):
    """A piece of a step's output; `number` counts the chunks of the run from 1."""

    task_id: str
    run_id: int
    number: int
    step: int
    stream: str
    data: str


class Commands:
    """All writes. Use as `async with Commands(database, wake) as commands`. Those about credentials: `requests`; about
    directives: `directives`; of an operator about runners: `runners`."""

    def __init__(
        self,
        database: Database,
        wake: Callable[[Hint | str], None] = lambda hint: None,
        patient: bool = False,
        notifier: Notifier | None = None,
    ) -> None:
        """`patient`: wait for a database that is away for as long as it takes, instead of raising Unavailable.
        `notifier`: takes the hints in place of `wake`, and, but for a pooler, shares its voice with lone creations."""
        self.wake = notifier.wake if notifier else wake
        self._notifier = None if database.pooled else notifier
        self.requests = Requests(self._call, self._announce, self._made_ready)
        self.runners = Runners(self._call, lambda hint: self.wake(hint))
        self._writes = Committer(database.connect_writer, patient)
        self.directives = Directives(self._writes, self._made_ready)
        self._claims = Committer(database.connect_writer, patient)
        self._bulk = [Committer(database.connect_writer, patient, lazy=True) for _ in range(BULK_CONNECTIONS)]
        self._desk = ClaimDesk(self._ready_from)
        self._stack = AsyncExitStack()
        self._singles: Batch[Creation, Answer] = Batch("create", self._create_singly)
        self._groups: Batch[Creation, Answer] = Batch("create together", self._create_together, items_max=1)
        self._handovers = Batch(
            "create for a taker", HandoverDesk(self._desk, self._with_news, self._announce).write, items_max=1
        )
        self._reports = Batch("report", self._write_reports, items_max=REPORTS, key=run_of)
        self._calls = Batch("call", carry_out)
        self._beats = Batch("beat", BeatDesk().write_all, items_max=1)
        self._claiming = Batch("claim", self._desk.claim, items_max=1)
        self._claiming_one = Batch("claim_task", self._desk.claim_task, items_max=1)

    async def __aenter__(self) -> "Commands":
        await self._stack.enter_async_context(self._writes)
        await self._stack.enter_async_context(self._claims)
        for committer in self._bulk:
            await self._stack.enter_async_context(committer)
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self._stack.__aexit__(*exception)

    # ------------------------------------------------------------------ tasks

    async def create_tasks(
        self,
        tasks: Sequence[tuple[str | None, TaskCreated]],
        actor: str,
        command_id: UUID | None = None,
        takers: Takers | None = None,
    ) -> list[CreatedTask]:
        """Creates the tasks, all or none; the answers are in the order asked.

        A task whose id exists with the same content is answered as it is (`created` False). Of `takers` one may be
        handed a task that is ready at once.

        Raises:
            DuplicateId: an id is taken by other content.
            UnknownDependency, DependencyCycle: see events/dependencies.py.
        """
        creation = Creation.of(tasks, actor, command_id)
        if takers and takers.any_rests and creation.is_ready and not self._claims.load:
            answer = await self._claims.submit(self._handovers, (creation, takers))
        elif len(tasks) == 1:
            answer = await self._writes.submit(self._singles, creation)
        else:
            answer = await min(self._bulk, key=lambda committer: committer.load).submit(self._groups, creation)
        if isinstance(answer, ElRusoError):
            raise answer
        return answer

    async def claim(self, runner: str, limit: int, actor: str, *, shown: bool = False) -> ClaimAnswer:
        """Claims up to `limit` tasks. If there are none: when the next one falls due, or what holds them back.

        `shown`: each comes whole, as the view would have it right afterwards.
        """
        answer = await self._claims.submit(self._claiming, Wish(runner, limit, actor, shown))
        if answer.tasks:
            self._announce(max(task.run_id for task in answer.tasks))
        return answer

    async def claim_task(self, runner: str, task_id: str, actor: str) -> Claimed:
        """Claims this task. Raises NotFound, NotEligible with the reason, Paused, or Draining."""
        claimed = await self._claims.submit(self._claiming_one, (runner, task_id, actor))
        if claimed is None:
            raise await self._why_not_claimed(runner, task_id)
        self._announce(claimed.run_id)
        return claimed

    async def report(self, reports: Sequence[Report]) -> list[ElRusoError | None]:
        """Writes what runs report; per report None, or LeaseLost when its run is no longer the current one."""
        futures = [self._writes.submit(self._reports, report) for report in reports]
        return [await future for future in futures]

    def post(self, report: Report, answered: Answered[ElRusoError | None]) -> None:
        """The same for one report, without waiting; reports are written in the order in which they are posted."""
        self._writes.post(self._reports, report, answered)

    async def hand_back(self, runs: Sequence[tuple[str, int]], reason: str, actor: str) -> list[str]:
        """Gives claimed tasks back at once, without counting the attempt. Returns the ids that were still held."""
        return await self._returned(
            await self._call("hand_back_runs", [run[0] for run in runs], [run[1] for run in runs], reason, actor)
        )

    async def release(self, runner: str, runs: Sequence[int] | None, reason: str, actor: str) -> list[str]:
        """Gives back what a runner holds, of these runs or (None) all; returns the ids. See releases.py."""
        return await self._returned(
            await self._call("release_runs", runner, runs, reason, actor, *free_releases(reason))
        )

    async def run_state(self, run_id: int) -> RunState | None:
        """What the log says of a run; None: there is no such run."""
        rows = await self._call("run_state", run_id)
        return RunState(**rows[0]) if rows else None

    async def requeue(
        self,
        task_id: str,
        *,
        actor: str,
        backoff_seconds: float = 0.0,
        last_error: str | None = None,
        attempts: int | None = 0,
        reason: str = "requeued by hand",
    ) -> bool:
        """Makes a task ready again, with `attempts` behind it (None keeps them); False: it is ready already.

        Raises NotFound; IllegalTransition when it is done."""
        rows = await self._call("requeue_task", task_id, reason, backoff_seconds, last_error, attempts, actor)
        if not rows:
            await self._settle(task_id, "ready", "task.requeued")
        await self._made_ready(rows)
        return bool(rows)

    async def requeue_many(self, task_ids: Sequence[str], reason: str, actor: str) -> list[str]:
        """Makes many tasks ready again, each with all its attempts, a few hundred at a time. Returns which it could."""
        return await self._returned(await self._call_many("requeue_many", task_ids, reason, actor))

    async def prioritize_many(self, task_ids: Sequence[str], priority: int, actor: str) -> list[str]:
        """Gives many tasks another priority (0 is the most urgent), those that wait; the ids of those that changed."""
        return await self._returned(await self._call_many("prioritize_many", task_ids, priority, actor))

    async def prioritize(self, task_id: str, priority: int, actor: str) -> None:
        """Gives a task another priority. No-op when it has it. Raises NotFound; IllegalTransition unless it waits."""
        if not await self.prioritize_many([task_id], priority, actor):
            await self._settle(task_id, "ready", "task.prioritized")

    async def cancel_many(self, task_ids: Sequence[str], reason: str | None, actor: str) -> list[str]:
        """Cancels many tasks, taking them from their runners; the ids of those that could be."""
        rows: list[Any] = []
        for ids in batched(task_ids, MANY):
            rows += await self._call("cancel_many", ids, reason, actor)
        if rows:
            self._announce(max(row["seq"] for row in rows))
        return [row["id"] for row in rows]

    async def cancel(self, task_id: str, reason: str | None, actor: str) -> None:
        """Cancels a task, taking it from its runner. No-op when it is so. Raises NotFound, IllegalTransition."""
        await self._stop(task_id, "task.cancelled", "cancelled", reason, actor)

    async def block(self, task_id: str, reason: str, actor: str) -> None:
        """Blocks a task for a human. No-op when it is blocked. Raises NotFound, IllegalTransition."""
        await self._stop(task_id, "task.blocked", "blocked", reason, actor)

    async def close(self, task_id: str, note: str, actor: str) -> None:
        """Says of a task that no run executes that it is done. No-op when it is. Raises NotFound, IllegalTransition."""
        rows = await self._call("close_tasks", [task_id], ["task.done"], note, actor)
        if not rows:
            await self._settle(task_id, "done", "task.done")
        await self._made_ready(rows)

    async def fail_task(self, task_id: str, error: str, actor: str) -> None:
        """Marks a ready or running task as failed, for good. No-op when it is. Raises NotFound, IllegalTransition."""
        await self._stop(task_id, "task.failed", "failed", error, actor)

    async def sweep(self, lease_seconds: float, limit: int = 500, client_lease: float | None = None) -> Sweep:
        """Takes stuck tasks back from runners not seen for `lease_seconds`; from those that send no heartbeats while
        they work, for `client_lease` (None: the same). Any process may call it, at any time."""
        rows = await self._call("sweep_stuck", lease_seconds, limit, client_lease or lease_seconds)
        await self._made_ready(rows)
        requeued = sum(row["type"] == "task.requeued" for row in rows)
        return Sweep(requeued, len(rows) - requeued)

    # ------------------------------------------------------------------ what runs leave behind

    async def append_output(self, chunks: Sequence[OutputChunk]) -> None:
        """Stores output of runs that are still current; a chunk sent twice is stored once."""
        columns = [[getattr(chunk, name) for chunk in chunks] for name in OutputChunk.__struct_fields__]
        await self._call("append_output", *columns)

    async def save_artifact(self, run_id: int, kind: str, content: str, commits: Commits = (None, None)) -> bool:
        """Stores the "patch" or "diffstat" of a run, once. False: it came after the run's end, which does not seal it.
        Raises what check_stored does."""
        return check_stored(await self._call("save_artifact", run_id, kind, content, *commits), run_id, kind)

    # ------------------------------------------------------------------ runners and the system

    async def runner_started(self, runner: str, meta: dict[str, Any], actor: str, lease_seconds: float) -> Beat:
        """A runner came up, which ends its drain. Answers like a heartbeat."""
        return await self.beat(Life(runner, RunnerStarted(meta=meta), actor, lease_seconds))

    async def heartbeat(self, runner: str, meta: dict[str, Any] | None, actor: str, lease_seconds: float) -> Beat:
        """A runner is alive: its lease on everything it holds begins anew."""
        return await self.beat(Life(runner, RunnerHeartbeat(meta=meta), actor, lease_seconds))

    async def runner_stopped(self, runner: str, reason: str | None, actor: str, lease_seconds: float) -> None:
        """A runner left in an orderly way."""
        await self.beat(Life(runner, RunnerStopped(reason=reason), actor, lease_seconds))

    async def pause(self, reason: str | None, actor: str) -> None:
        """Hands out no work until resumed. No-op when paused."""
        await self._change_system(SystemPaused(reason=reason), actor)

    async def resume(self, actor: str) -> None:
        """Hands out work again. No-op when not paused."""
        await self._change_system(SystemResumed(), actor)

    def hear(self, hint: Hint) -> None:
        """What the listener heard: the next claim looks there."""
        if hint.anything:
            self._desk.forget_floor()
        if hint.ready is not None:
            self._desk.lower_floor(*hint.ready)

    # ------------------------------------------------------------------ inside

    async def _create_singly(
        self, connection: Connection, creations: Sequence[Creation], resent: bool
    ) -> Sequence[Answer]:
        if self._notifier and not resent and len(creations) == 1 and creations[0].is_lone:
            self._notifier.share_voice(connection)
            answer = await create_and_tell(connection, creations[0])
            if answer is not None:
                self._notifier.tell(news_of([answer]))
                return [answer]
        return self._with_news(await create_singly(connection, creations))

    async def _create_together(
        self, connection: Connection, creations: Sequence[Creation], _resent: bool
    ) -> Sequence[Answer]:
        return self._with_news(await create_together(connection, creations))

    def _with_news(self, answers: Sequence[Answer]) -> Sequence[Answer]:
        if news := news_of(answers):
            self.wake(news)
        return answers

    async def _write_reports(
        self, connection: Connection, reports: Sequence[Report], resent: bool
    ) -> list[ElRusoError | None]:
        written = await write_reports(connection, reports, resent)
        if written.frees:
            self._desk.forget_floor()
            if written.first is not None:
                self._desk.lower_floor(*written.first)
            self.wake(Hint(anything=True, ready=written.first))
        if written.last_seq:
            self._announce(written.last_seq)
        return written.refusals

    async def _call(self, statement: str, *arguments: Any) -> list[Any]:
        return await self._writes.submit(self._calls, Call(statement, arguments))

    async def beat(self, life: Life) -> Beat:
        """A sign of life. Nobody is told: an idle runner's heartbeats would keep the whole system awake."""
        return await self._writes.submit(self._beats, life)

    async def _change_system(self, event: Struct, actor: str) -> None:
        rows = await self._call("change_system", catalog.type_name(event), catalog.encode(event).decode(), actor)
        if rows:
            self.wake("p")
            self._announce(rows[0]["seq"])

    async def _stop(self, task_id: str, event_type: str, status: str, reason: str | None, actor: str) -> None:
        rows = await self._call("stop_task", task_id, event_type, reason, actor)
        if not rows:
            await self._settle(task_id, status, event_type)
        else:
            self._announce(rows[0]["seq"])

    async def _settle(self, task_id: str, wanted: str, event_type: str) -> None:
        """Nothing was written: fine when the task is so already, else a refusal."""
        state = await self._state(task_id)
        if state["status"] != wanted:
            raise IllegalTransition(f"{event_type} is not possible: task {task_id} is {state['status']}")

    async def _why_not_claimed(self, runner: str, task_id: str) -> ElRusoError:
        state = await self._state(task_id)
        if state["paused"]:
            return paused(state["pause_reason"])
        if await self.runners.is_draining(runner):
            return draining(runner)
        if state["status"] != "ready":
            holder = f" by {state['claimed_by']} (run {state['run_id']})" if state["run_id"] else ""
            return NotEligible(f"task {task_id} is {state['status']}{holder}", status=state["status"])
        if state["waiting_on"]:
            parents = ", ".join(state["waits_for"] or [])
            return NotEligible(f"task {task_id} waits for {state['waiting_on']} task(s) that are not done: {parents}")
        if state["due_seconds"] is not None and state["due_seconds"] > 0:
            return NotEligible(f"task {task_id} is not due for another {state['due_seconds']:.0f} s")
        return NotEligible(f"task {task_id} is being claimed by another runner")

    async def _state(self, task_id: str) -> Any:
        rows = await self._call("task_state", task_id)
        if not rows:
            raise NotFound(f"there is no task {task_id}")
        return rows[0]

    async def _made_ready(self, rows: Sequence[Any]) -> None:
        """These events may have made tasks ready, and others by reaction. The key follows, for scans that rest."""
        if not rows:
            return
        self._desk.forget_floor()
        self.wake("*")
        self._announce(max(row["seq"] for row in rows))
        with suppress(ElRusoError):  # what was asked for is written
            for row in await self._call("first_ready", min(row["seq"] for row in rows)):
                self._ready_from((row["priority"], row["position"]))

    def _ready_from(self, key: Key) -> None:
        self._desk.lower_floor(*key)
        self.wake(Hint(ready=key))

    async def _call_many(self, statement: str, task_ids: Sequence[str], *arguments: object) -> list[Any]:
        return [row for ids in batched(task_ids, MANY) for row in await self._call(statement, ids, *arguments)]

    async def _returned(self, rows: Sequence[Any]) -> list[str]:
        await self._made_ready(rows)
        return [row["id"] for row in rows]

    def _announce(self, seq: int) -> None:
        self.wake(Hint(events=seq))
