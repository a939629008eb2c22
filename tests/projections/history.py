"""Histories written straight into the log: chosen ones, and random but legal ones of every kind of event."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import msgspec
from asyncpg import Connection
from msgspec import Struct

from events import directive, planner, request, runner, system, task
from events.catalog import encode, kind_of, type_name
from projections.page import Page

APPEND = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT kind, id, version, type, 'human:ana', data
    FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::json[]) AS n (kind, id, version, type, data)
    RETURNING seq
"""
VERSION = """
    SELECT coalesce((SELECT version FROM view.tasks WHERE $1 = 'task' AND id = $2),
                    (SELECT version FROM view.runners WHERE $1 = 'runner' AND id = $2),
                    (SELECT version FROM view.requests WHERE $1 = 'request' AND id = $2),
                    (SELECT version FROM view.directives WHERE $1 = 'directive' AND id = $2),
                    (SELECT version FROM view.planner_runs WHERE $1 = 'planner' AND id = $2),
                    (SELECT version FROM view.system WHERE $1 = 'system' AND id = $2), 0)
"""


async def append(connection: Connection, id: str, *datas: Struct) -> int:  # noqa: A002
    """Append events to one stream in one statement; the seq of the last."""
    kind = kind_of(type_name(datas[0]))
    version = await connection.fetchval(VERSION, kind, id)
    rows = await connection.fetch(
        APPEND,
        [kind] * len(datas),
        [id] * len(datas),
        [version + place for place in range(1, len(datas) + 1)],
        [type_name(data) for data in datas],
        [encode(data).decode() for data in datas],
    )
    return int(rows[-1]["seq"])


async def create(connection: Connection, *ids: str, **definition: Any) -> None:
    """Create tasks that differ by id and title only."""
    for id in ids:  # noqa: A001
        await append(connection, id, task.TaskCreated(title=f"task {id}", **definition))


async def claim(connection: Connection, id: str, by: str = "r1", attempt: int = 1) -> int:  # noqa: A002
    """Claim a task; the run's id."""
    return await append(connection, id, task.TaskClaimed(runner=by, attempt=attempt))


async def execute(connection: Connection, id: str, *, fails: bool = False, by: str = "r1") -> int:  # noqa: A002
    """A whole run of one step and one changed file; the run's id."""
    run = await claim(connection, id, by)
    end: Struct = (
        task.TaskFailed(run, "exit status 1", duration_ms=20)
        if fails
        else task.TaskDone(
            run, 20, "fine", commit_hash="abc123", file_changes=[task.FileChange("a.py", "modified", 2, 1)]
        )
    )
    step = task.TaskStep(run, 1, "test", "make test", int(fails), 18, "output", 6)
    await append(connection, id, task.TaskStarted(run, f"task/{id}"), step, end)
    return run


class Chance:
    """Writes random legal events: the seed decides which."""

    def __init__(self, connection: Connection, seed: int) -> None:
        self._connection = connection
        self._random = random.Random(seed)
        self._ids: list[str] = []

    async def write(self, steps: int) -> None:
        """That many turns; each appends one to six events."""
        for _ in range(steps):
            common = (self._create, self._advance, self._runner, self._request)
            rare = (self._directive, self._plan, self._system)
            turn = self._random.choices((*common, *rare), (3, 12, 2, 2, 2, 1, 1))[0]
            await turn()

    async def _create(self) -> None:
        pick, id = self._random, f"{self._random.randrange(16):x}-{len(self._ids)}"  # noqa: A001
        later = datetime.now(UTC) + timedelta(seconds=pick.randrange(-500, 500))
        parents = pick.choices(self._ids, k=pick.randrange(4)) if self._ids and pick.random() < 0.6 else []
        definition = task.TaskCreated(
            title=f"task {id} ñ",
            body=pick.choice([None, "what to do"]),
            phase=pick.choice([None, 3, "3", "build"]),
            task_type=pick.choice(["generic", "shell"]),
            steps=[task.Step("test", "make test")],
            params={"deep": [1, {"a": None}]},
            priority=pick.choice([0, 100, 100, 1000]),
            max_attempts=pick.randrange(1, 5),
            timeout_seconds=pick.choice([None, 0.5, 60]),
            depends_on=parents,
            directive_id=pick.choice([None, "d-1", "d-2"]),
            next_run_at=pick.choice([None, None, later]),
        )
        await append(self._connection, id, definition)
        self._ids.append(id)

    async def _advance(self) -> None:
        if not self._ids:
            return
        id = self._random.choice(self._ids)  # noqa: A001
        row = await self._connection.fetchrow(
            "SELECT status, run_id, attempts, waiting_on FROM view.tasks WHERE id = $1", id
        )
        if row["run_id"] is not None:
            await append(self._connection, id, *self._reports(row["run_id"], row["attempts"]))
        elif row["status"] == "ready" and row["waiting_on"] == 0 and self._random.random() < 0.85:
            await claim(self._connection, id, f"r{self._random.randrange(3)}", row["attempts"] + 1)
        elif row["status"] in ("ready", "failed", "blocked", "cancelled"):
            await append(self._connection, id, *self._decisions(row["status"]))

    def _reports(self, run: int, attempts: int) -> Sequence[Struct]:
        pick = self._random
        branch = pick.choice([None, "task/branch"])
        started = task.TaskStarted(run, branch, "0123abc" if branch else None)
        step = task.TaskStep(
            run, pick.randrange(1, 4), "test", "make test", 0, 12, "x" * pick.choice([5, 500]), 5, error=None
        )
        changes = [task.FileChange(name, "renamed", 1, None, "b.py") for name in pick.choices(["a.py", "c d.py"], k=2)]
        done = task.TaskDone(run, 12, "fine", {"a": 1}, branch, "abc123", changes)
        failed = task.TaskFailed(run, "exit status 1", 12, None, branch, None, changes)
        later = datetime.now(UTC) + timedelta(seconds=10)
        return pick.choice(
            [
                (started,),
                (started, step),
                (step,),
                (started, step, step, done),
                (done,),
                (done,),
                (failed,),
                (failed, task.TaskRequeued("again", None, later, None, None)),
                (failed, task.TaskBlocked("attempts used up")),
                (task.TaskRequeued("handed back", run, None, attempts - 1, None),),
                (task.TaskRequeued("lost", run, last_error="runner lost"),),
                (task.TaskBlocked("lost too often", run),),
                (task.TaskCancelled("not wanted", run),),
            ]
        )

    def _decisions(self, status: str) -> Sequence[Struct]:
        choices: list[Sequence[Struct]] = [(task.TaskCancelled(None),), (task.TaskBlocked("by hand"),)]
        requeued, closed = task.TaskRequeued("by hand", attempts=0), task.TaskDone(None, summary="by hand")
        if status != "ready":
            choices = [(requeued,)] * 3 + [(requeued, closed)] + choices[: status != "cancelled"]
        else:
            choices += [(closed,), (task.TaskFailed(None, "by hand"),)]
        return self._random.choice(choices)

    async def _runner(self) -> None:
        pick, id = self._random, f"r{self._random.randrange(3)}"  # noqa: A001
        known = await self._connection.fetchval("SELECT status FROM view.runners WHERE id = $1", id)
        beat = runner.RunnerHeartbeat(pick.choice([None, {"free": pick.randrange(9)}]))
        started = runner.RunnerStarted({"host": "here"})
        choices: list[Sequence[Struct]] = [(beat,), (beat, beat), (started, beat)]
        if known:
            choices.append((runner.RunnerStopped("done"),))
        if known == "alive":
            drain, resumed = runner.RunnerDraining(pick.choice([None, "w" * 300])), runner.RunnerResumed()
            choices += [(drain,), (beat, drain, beat), (drain, resumed, beat), (drain, started), (resumed,)]
        await append(self._connection, id, *pick.choice(choices))

    async def _request(self) -> None:
        pick, id = self._random, f"REQ-{self._random.randrange(3)}"  # noqa: A001
        known = await self._connection.fetchval("SELECT status FROM view.requests WHERE id = $1", id)
        definition = request.RequestDefinition("OpenAI", scopes=pick.choice([[], ["OPENAI_API_KEY"]]), purpose="plan")
        opened = request.RequestOpened(pick.choice([None, definition]), pick.choice([None, "y" * 300]))
        provided = request.RequestProvided(["OPENAI_API_KEY"], pick.choice([None, "vault"]))
        withdrawn = request.RequestWithdrawn(pick.choice([None, "not used"]))
        choices: list[Sequence[Struct]] = [(opened,), (opened, provided), (opened, provided, provided, withdrawn)]
        if known in ("WAITING", "PROVIDED"):
            choices += [(provided,), (withdrawn,), (withdrawn, opened)]
        await append(self._connection, id, *pick.choice(choices))

    async def _directive(self) -> None:
        pick, id = self._random, f"d-{self._random.randrange(6)}"  # noqa: A001
        known = await self._connection.fetchval("SELECT status FROM view.directives WHERE id = $1", id)
        applied = directive.DirectiveApplied(["x"], [], pick.choice([None, "z" * 300]))
        rejected = directive.DirectiveRejected(pick.choice([None, "no"]))
        if known == "PENDING":
            await append(self._connection, id, pick.choice([applied, rejected]))
        elif known is None:
            proposed = directive.DirectiveProposed(
                title=pick.choice(["short", "long " * 100]),
                digest=f"{pick.randrange(4)}",
                approval=pick.choice(["auto", "manual"]),
                required_requests=[directive.RequiredRequest(f"REQ-{n}") for n in range(pick.randrange(3))],
                tasks_to_create=[
                    directive.PlannedTask(id=f"{id}-{n}", title="ñ", priority=5, params={"a": [1, None]})
                    for n in range(pick.randrange(3))
                ],
                planner_run=pick.choice([None, "p-1"]),
            )
            await append(self._connection, id, *[proposed, rejected][: pick.choice([1, 1, 2])])

    async def _plan(self) -> None:
        pick, id = self._random, f"p-{self._random.getrandbits(40)}"  # noqa: A001
        usage = planner.Usage(pick.randrange(9999), pick.randrange(999))
        failed = planner.PlannerFailed(outcome="timeout", error="slow " * pick.choice([1, 90]), model="m")
        done = planner.PlannerCompleted(
            model="m",
            prompt_hash="ab",
            usage=usage,
            cost=pick.random(),
            duration_ms=7,
            directives=pick.choice([[], ["d-1", "d-2"]]),
            tasks=["t"],
            refused=[planner.RefusedProposal("title", "why")],
        )
        await append(self._connection, id, pick.choice([failed, done]))

    async def _system(self) -> None:
        paused = await self._connection.fetchval("SELECT count(*) FROM view.system WHERE status = 'paused'")
        event = system.SystemResumed() if paused else system.SystemPaused("lunch")
        await append(self._connection, system.STREAM_ID, event)


async def connect(url: str) -> Connection:
    """A connection as the product's own: in UTC, and no NOTIFY for foreign writers."""
    settings = {"timezone": "UTC", "elruso.managed": "on", "jit": "off"}
    return await asyncpg.connect(url, server_settings=settings)


def ids(page: Page) -> list[str]:
    """The ids of a page's rows."""
    return [row["id"] for row in msgspec.json.decode(page.data)]


COUNTERS = {"task_counts": "sum(ready), sum(running), sum(done), sum(failed), sum(blocked), sum(cancelled)"}


async def contents(connection: Connection, schema: str) -> dict[str, list[str]]:
    """Every row of every table of a view schema, as text; counters without their shards."""
    names = await connection.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = $1 AND tablename NOT LIKE '%intake' ORDER BY 1", schema
    )
    tables = {}
    for (name,) in names:
        columns, group = COUNTERS.get(name, "t"), ""
        if name == "run_counts":
            columns, group = "bucket, sum(ended), sum(failed)", "GROUP BY bucket"
        rows = await connection.fetch(f"SELECT ROW({columns})::text FROM {schema}.{name} t {group}")
        tables[name] = sorted(row[0] for row in rows)
    return tables
