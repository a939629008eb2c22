"""A served panel with a runner at work, in a thread of its own: Playwright's plain interface wants no loop here."""

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import asyncpg

from events.task import Step, TaskCreated
from ops.postgres.server import Server
from tests.api.serving import Served, serving
from tests.panel.scene import play_morning, play_yesterday, runner_in
from tests.support.postgres import create_database, drop_database, ensure_template

Answer = TypeVar("Answer")


class Stage:
    """The server, as tests without an event loop use it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, served: Served, database: str, folder: Path) -> None:
        self._loop = loop
        self.served = served
        self.url = served.url
        self.database = database
        self.folder = folder

    def do(self, what: Coroutine[Any, Any, Answer]) -> Answer:
        """Have something done on the server's side."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(30)

    def shell(self, task_id: str, command: str, **more: Any) -> None:
        """Create a task of one command."""
        task = TaskCreated(more.pop("title", task_id), steps=[Step("one", command)], **more)
        self.do(self.served.commands.create_tasks([(task_id, task)], "human:test"))

    def fetch(self, query: str, *arguments: Any) -> Any:
        """One value from the database."""

        async def ask() -> Any:
            connection = await asyncpg.connect(self.database)
            try:
                return await connection.fetchval(query, *arguments)
            finally:
                await connection.close()

        return self.do(ask())


@asynccontextmanager
async def _staged(server: Server, folder: Path, yesterday: bool) -> AsyncIterator[tuple[Served, str]]:
    await ensure_template(server)
    name = await create_database(server)
    url = server.url(name)
    try:
        if yesterday:
            await play_yesterday(url)
        async with serving(url, approval="manual") as served, runner_in(folder, url):
            await play_morning(served)
            yield served, url
    finally:
        await drop_database(server, name)


@contextmanager
def stage(server: Server, folder: Path, yesterday: bool = False) -> Iterator[Stage]:
    """A served panel, with the work of a morning behind it, and of the day before if asked for."""
    ready = threading.Event()
    built: dict[str, Any] = {}

    async def live() -> None:
        over = asyncio.Event()
        try:
            async with _staged(server, folder, yesterday) as (served, url):
                loop = asyncio.get_running_loop()
                built["stage"] = Stage(loop, served, url, folder)
                built["end"] = lambda: loop.call_soon_threadsafe(over.set)
                ready.set()
                await over.wait()
        except BaseException as error:
            built["error"] = error
            ready.set()
            raise

    thread = threading.Thread(target=lambda: asyncio.run(live()), name="stage")
    thread.start()
    ready.wait(60)
    if "error" in built:
        raise built["error"]
    try:
        yield built["stage"]
    finally:
        built["end"]()
        thread.join(60)
