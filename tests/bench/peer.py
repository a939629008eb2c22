"""El Ruso speaking tests/bench/protocol.py: for our own benchmarks, and for a run beside rivals.

Settings: `concurrency` of the runner, `request_tasks` of a bulk request, `api`: speak to it instead of the database,
`recorded`: false where nobody asks afterwards which tasks ran.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from events.commands import Commands
from events.connect import Database
from events.notifier import Notifier
from events.task import TaskCreated
from ops.collector import spare_the_runner  # what `elruso runner run` does counts here too
from ops.config import read_config
from ops.logs import configure_logs
from ops.migrate import migrate
from runner.handlers import Handlers, Task
from runner.http_link import HttpLink
from runner.link import Link
from runner.postgres_link import PostgresLink
from runner.redact import Redactor
from runner.run import Context
from runner.settings import Settings
from runner.worker import Worker
from runner.workspace import Workspaces
from tests.bench.create import ACTOR, requests_of, task_list
from tests.bench.protocol import DSN, INDEX, RECORDER, SETTINGS, main, produce, ready

CALLERS = 2
POST = b"POST /ops/tasks HTTP/1.1\r\nHost: %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
QUIET = {"ELRUSO_LOG_LEVEL": "warning"}
API: str | None = SETTINGS.get("api")
RECORDED: bool = SETTINGS.get("recorded", True)
DATABASE = Database(DSN, application="elruso-bench")

handlers = Handlers()


@handlers.task("noop")
async def noop(task: Task) -> None:
    """Takes the time; does nothing."""
    now = time.monotonic_ns()
    if RECORDED:
        RECORDER.hit(task.params["i"], task.params["t"], now)


async def setup() -> None:
    """Our schema; a database that has it already stays as it is."""
    await migrate(DATABASE.connect)


async def enqueue(count: int) -> float:
    """In bulk requests, over one group committer."""
    requests = requests_of(list(task_list(count)), SETTINGS.get("request_tasks", 2_000))
    async with Commands(DATABASE) as commands:

        async def call() -> None:
            for request in requests:
                await commands.create_tasks(request, ACTOR)

        began = time.perf_counter()
        await asyncio.gather(*(call() for _ in range(CALLERS)))
        return time.perf_counter() - began


async def worker() -> None:
    """One runner, as `elruso runner run` makes it."""
    settings = Settings(runner_id=f"bench-{INDEX}", concurrency=SETTINGS.get("concurrency", 1000))
    link = HttpLink(API, None, settings) if API else PostgresLink(DATABASE, settings)
    async with link:
        await _work(link, settings)


async def _work(link: Link, settings: Settings) -> None:
    """From GO to STOP."""
    with tempfile.TemporaryDirectory() as folder:
        context = Context(workspaces=Workspaces(Path(folder) / "runs"), redactor=Redactor([]), handlers=handlers)
        runner = Worker(link, context, settings)
        stop = await ready()
        configure_logs(read_config(QUIET))
        spare_the_runner()
        working = asyncio.create_task(runner.run())
        working.add_done_callback(lambda _: stop.set())  # it failed, should that come first
        await stop.wait()
        runner.stop()
        await working


async def producer(count: int, low_ms: float, high_ms: float) -> None:
    """One task at a time; through Commands, whose notifier wakes the runners, or by POST."""
    await (_produce_by_post if API else _produce)(count, low_ms, high_ms)


async def _produce(count: int, low_ms: float, high_ms: float) -> None:
    async with Notifier(DATABASE) as notifier, Commands(DATABASE, notifier=notifier) as commands:

        async def send(number: int, at: int) -> None:
            await commands.create_tasks([(f"w-{number}", _numbered(number, at))], ACTOR)

        await produce(send, count, low_ms, high_ms)


async def _produce_by_post(count: int, low_ms: float, high_ms: float) -> None:
    """Through a client that is next to nothing, as a load generator is: what is measured is the server's way."""
    host = urlsplit(API or "")
    reader, writer = await asyncio.open_connection(host.hostname, host.port)

    async def send(number: int, at: int) -> None:
        definition = msgspec.to_builtins(_numbered(number, at))
        body = msgspec.json.encode({"id": f"w-{number}"} | definition)
        writer.write(POST % (host.netloc.encode(), len(body)) + body)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))
        assert head.split()[1] == b"201", head

    await produce(send, count, low_ms, high_ms)
    writer.close()


def _numbered(number: int, at: int) -> TaskCreated:
    """A task that says when it was created."""
    return TaskCreated(title=f"no-op {number}", task_type="python", params={"handler": "noop", "i": number, "t": at})


if __name__ == "__main__":
    main(setup, enqueue, worker, producer)
