"""Creating tasks: in bulk, against COPY into a bare table; one by one from many callers, against single INSERTs; and
with the hints that wake runners, against the same without them."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial

import asyncpg

from events import catalog
from events.commands import Commands
from events.listener import Listener
from events.notifier import Notifier
from events.statements import load_statements
from events.task import TaskCreated
from tests.bench.measure import Row, by_turns
from tests.bench.plan import Plan
from tests.bench.report import Result
from tests.bench.server import Bench

SQL = load_statements("tests.bench", "baseline.sql")
ACTOR = "human:bench"
CALLERS = 2  # of bulk requests: while one is written the next is encoded
SINGLE_CALLERS = 32

Task = tuple[str, TaskCreated]


async def run(bench: Bench, plan: Plan) -> Result:
    """Tasks a second."""
    sizes = plan.sizes
    rows = [await _bulk(bench, plan, size) for size in sizes.request_tasks]
    tasks = list(task_list(sizes.created_singly))
    samples = await by_turns(
        plan.runs,
        {"ours": partial(create, bench, tasks, 1, SINGLE_CALLERS), "baseline": partial(_insert, bench, tasks)},
        plan.says("create, one by one"),
    )
    rows.append(Row(f"one by one, {SINGLE_CALLERS} callers", "tasks/s", samples["ours"], samples["baseline"]))
    samples = await by_turns(
        plan.runs,
        {
            "ours": partial(_create_heard, bench, tasks),
            "baseline": partial(create, bench, tasks, 1, SINGLE_CALLERS),
        },
        plan.says("create, hints sent"),
    )
    rows.append(Row("the same, hints sent and heard", "tasks/s", samples["ours"], samples["baseline"]))
    return Result(
        "create",
        "tasks created",
        f"COPY of the same rows into a bare table; {SINGLE_CALLERS} connections with one INSERT at a time; no hints",
        rows,
        facts={"tasks": sizes.created, "tasks one by one": sizes.created_singly},
    )


async def create(bench: Bench, tasks: Sequence[Task], request_tasks: int, callers: int) -> float:
    """Tasks a second through Commands, in requests of so many, by so many callers at once."""
    async with bench.database() as database, Commands(database) as commands:
        return await _rate(commands, tasks, request_tasks, callers)


async def _create_heard(bench: Bench, tasks: Sequence[Task]) -> float:
    """One by one, while hints are sent, and a process listens as a runner would."""
    async with bench.database() as database:
        notifier = Notifier(database)
        listener = Listener(database, notifier)
        async with Commands(database, notifier=notifier) as commands:
            notifier.start()
            listener.start()
            rate = await _rate(commands, tasks, 1, SINGLE_CALLERS)
            await listener.stop()
            await notifier.stop()
        return rate


async def _rate(commands: Commands, tasks: Sequence[Task], request_tasks: int, callers: int) -> float:
    requests = requests_of(tasks, request_tasks)

    async def call() -> None:
        for request in requests:
            await commands.create_tasks(request, ACTOR)

    return len(tasks) / await seconds(lambda: asyncio.gather(*(call() for _ in range(callers))))


async def seconds(work: Callable[[], Awaitable[object]]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def task_list(count: int) -> Iterator[Task]:
    """No-op python tasks, numbered."""
    for number in range(count):
        params = {"handler": "noop", "i": number, "t": 0}
        yield f"b-{number:08}", TaskCreated(title=f"no-op {number}", task_type="python", params=params)


def requests_of(tasks: Sequence[Task], size: int) -> Iterator[Sequence[Task]]:
    """The tasks in requests of at most so many; one iterator may serve several callers."""
    return (tasks[low : low + size] for low in range(0, len(tasks), size))


async def _bulk(bench: Bench, plan: Plan, request_tasks: int) -> Row:
    tasks = list(task_list(plan.sizes.created))
    samples = await by_turns(
        plan.runs,
        {"ours": partial(create, bench, tasks, request_tasks, CALLERS), "baseline": partial(_copy, bench, tasks)},
        plan.says(f"create, {request_tasks:,} per request"),
    )
    return Row(f"{request_tasks:,} per request", "tasks/s", samples["ours"], samples["baseline"])


async def _copy(bench: Bench, tasks: Sequence[Task]) -> float:
    """Encoding counts on both sides."""
    async with bench.database(empty=True) as database:
        connection = await asyncpg.connect(database.url)
        await connection.execute(SQL["create_rows"])
        columns = ["id", "priority", "data"]

        async def copy() -> None:
            await connection.copy_records_to_table("bare", columns=columns, records=[_bare(task) for task in tasks])

        rate = len(tasks) / await seconds(copy)
        await connection.close()
        return rate


async def _insert(bench: Bench, tasks: Sequence[Task]) -> float:
    async with bench.database(empty=True) as database:
        connections = [await asyncpg.connect(database.url) for _ in range(SINGLE_CALLERS)]
        await connections[0].execute(SQL["create_rows"])
        rest = iter(tasks)

        async def call(connection: asyncpg.Connection) -> None:
            for task in rest:
                await connection.fetch(SQL["add_row"], *_bare(task))

        rate = len(tasks) / await seconds(lambda: asyncio.gather(*map(call, connections)))
        for connection in connections:
            await connection.close()
        return rate


def _bare(task: Task) -> tuple[str, int, str]:
    return task[0], task[1].priority, catalog.encode(task[1]).decode()
