"""How fast the views are folded anew from the log, against a COPY of the same events into a table with its indexes."""

import tempfile
from functools import partial
from pathlib import Path

from events.commands import Commands
from events.connect import Database
from events.reports import Report
from events.statements import load_statements
from events.task import TaskDone, TaskFailed, TaskStarted, TaskStep
from ops.migrate import read_schema
from projections.rebuild import rebuild
from tests.bench.create import ACTOR, requests_of, seconds, task_list
from tests.bench.measure import Row, by_turns
from tests.bench.plan import Plan
from tests.bench.report import Result
from tests.bench.server import Bench, observe

SQL = load_statements("tests.bench", "baseline.sql")
RUNNER = "runner:bench"
REQUEST_TASKS = 2_000
CLAIM_TASKS = 500
COLUMNS = ("seq", "at", "command_id", "cause", "version", "kind", "id", "type", "actor", "data")


async def run(bench: Bench, plan: Plan) -> Result:
    """Events a second."""
    async with bench.database() as database:
        await write_history(database, plan)
        await bench.settle(database)
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "events"
            events = await _export(database, copy)
            sides = {
                "ours": partial(_rebuild, database, plan),
                "baseline": partial(_copy, database, copy, events),
            }
            samples = await by_turns(plan.runs, sides, plan.says("rebuild"))
        identical = await _is_as_before(database, events)
    rows = [Row("the whole log", "events/s", samples["ours"], samples["baseline"])]
    return Result(
        "rebuild",
        "views folded anew from the log",
        "binary COPY of the same events into a table with the log's indexes",
        rows,
        {"every task has its state again": identical},
        {"events": events, "tasks": plan.sizes.rebuilt_tasks},
    )


async def write_history(database: Database, plan: Plan) -> None:
    """Lives of tasks as they are lived: most are done, some with steps, one in twenty fails and rests."""
    total = plan.sizes.rebuilt_tasks
    plan.voice.say(f"rebuild: a history of {total:,} tasks")
    async with Commands(database) as commands:
        for request in requests_of(list(task_list(total)), REQUEST_TASKS):
            await commands.create_tasks(request, ACTOR)
        lived = 0
        while answer := (await commands.claim("bench", CLAIM_TASKS, RUNNER)).tasks:
            reports = [
                report for place, task in enumerate(answer) for report in _life(task.task_id, task.run_id, place)
            ]
            refusals = await commands.report(reports)
            assert not any(refusals), f"a report was refused: {next(filter(None, refusals))}"
            lived += len(answer)
            plan.voice.show(lived, total)


def _life(task_id: str, run_id: int, place: int) -> list[Report]:
    events: list[TaskStarted | TaskStep | TaskDone | TaskFailed] = [TaskStarted(run_id)]
    if place % 10 == 0:
        events += [TaskStep(run_id, number, f"step {number}", "true", 0, 3, "ok") for number in (1, 2)]
    events.append(TaskFailed(run_id, "it broke", 5) if place % 20 == 7 else TaskDone(run_id, 5))
    return [Report(task_id, run_id, event, RUNNER) for event in events]


async def _rebuild(database: Database, plan: Plan) -> float:
    report = await rebuild(database.connect, read_schema().view, plan.voice.show)
    return report.events / report.seconds


async def _export(database: Database, path: Path) -> int:
    connection = await observe(database)
    try:
        await connection.execute(SQL["create_log"])
        status = await connection.copy_from_query(SQL["all_events"], output=path, format="binary")
        return int(status.rpartition(" ")[2])
    finally:
        await connection.close()


async def _copy(database: Database, path: Path, events: int) -> float:
    connection = await observe(database)
    try:
        await connection.execute(SQL["empty_copied"])
        copying = partial(connection.copy_to_table, "copied", source=path, columns=COLUMNS, format="binary")
        return events / await seconds(copying)
    finally:
        await connection.close()


async def _is_as_before(database: Database, events: int) -> bool:
    """A quick look; `elruso audit` compares every row, and tests do."""
    connection = await observe(database)
    try:
        return bool(await connection.fetchval(SQL["tasks_at_their_version"], events))
    finally:
        await connection.close()
