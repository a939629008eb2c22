"""Group commit: many callers, one connection, self-clocked batches.

While one batch is in flight the next one gathers; there is no timer. Each caller gets its own answer. A batch that is
refused is halved until the refusal has found the one item it belongs to, so a bad item refuses only itself.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Generic, TypeVar

import asyncpg
from asyncpg import Connection
from msgspec import Struct

from events.connect import LOST_CONNECTION, unavailable
from events.errors import Unavailable, from_postgres, is_retryable
from events.session import keep_alive

Item = TypeVar("Item")
Answer = TypeVar("Answer")

BATCH_ITEMS = 500
CONFLICTS = 8
WRITE_SECONDS = 30.0  # a connection that does not answer for so long is given up
RECONNECTS = 8  # some six seconds: a restart of the server is survived


class Batch(Struct, Generic[Item, Answer], frozen=True):
    """A kind of write: how a list of items is carried out on a connection.

    `write(connection, items, resent)` answers one result per item, in order; `resent` says that an earlier try may
    have been committed although its acknowledgement was lost.
    """

    name: str
    write: Callable[[Connection, Sequence[Item], bool], Awaitable[Sequence[Answer]]]
    items_max: int = BATCH_ITEMS


class Committer:
    """One connection and its queue. Start it with `async with`; `submit` from anywhere in the same loop.

    `patient`: while the database is away everything waits for it, in order; otherwise Unavailable is the answer after
    some seconds, as it is for everybody once the committer is closing.
    """

    def __init__(self, connect: Callable[[], Awaitable[Connection]], patient: bool = False) -> None:
        self._connect = connect
        self._patient = patient
        self._connection: Connection | None = None
        self._queue: deque[tuple[Batch[Any, Any], Any, asyncio.Future[Any]]] = deque()
        self._kick = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    async def __aenter__(self) -> "Committer":
        await self._connected()
        self._task = asyncio.create_task(self._run(), name="committer")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Carries out what is queued, then closes."""
        self._closing = True
        self._kick.set()
        if self._task is not None:
            await self._task
        if self._connection is not None:
            await self._connection.close()

    def submit(self, batch: Batch[Item, Answer], item: Item) -> "asyncio.Future[Answer]":
        """Queues one item; the future gets its answer or its refusal."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        if self._closing:
            future.set_exception(Unavailable("the process is shutting down; send it again"))
            return future
        self._queue.append((batch, item, future))
        self._kick.set()
        return future

    async def _run(self) -> None:
        while not (self._closing and not self._queue):
            await self._kick.wait()
            self._kick.clear()
            while self._queue:
                await self._commit(*self._take())

    def _take(self) -> tuple[Batch[Any, Any], list[Any], list[asyncio.Future[Any]]]:
        """Everything queued of the same kind as the oldest, in order; the other kinds stay."""
        batch = self._queue[0][0]
        items: list[Any] = []
        futures: list[asyncio.Future[Any]] = []
        rest: deque[tuple[Batch[Any, Any], Any, asyncio.Future[Any]]] = deque()
        for entry in self._queue:
            if entry[0] is batch and len(items) < batch.items_max:
                if not entry[2].cancelled():
                    items.append(entry[1])
                    futures.append(entry[2])
            else:
                rest.append(entry)
        self._queue = rest
        return batch, items, futures

    async def _commit(self, batch: Batch[Any, Any], items: list[Any], futures: list[asyncio.Future[Any]]) -> None:
        if not items:
            return
        try:
            answers = await self._write(batch, items)
        except Exception as error:
            if len(items) > 1 and not isinstance(error, Unavailable):
                half = len(items) // 2
                await self._commit(batch, items[:half], futures[:half])
                await self._commit(batch, items[half:], futures[half:])
            else:
                _fail(futures, error)
        else:
            for future, answer in zip(futures, answers, strict=True):
                if not future.done():
                    future.set_result(answer)

    async def _write(self, batch: Batch[Any, Any], items: list[Any]) -> Sequence[Any]:
        """One batch, sent again after a conflict or a lost connection. Raises ElRusoError."""
        conflicts = losses = 0
        while True:
            try:
                async with asyncio.timeout(WRITE_SECONDS):
                    return await batch.write(await self._connected(), items, losses > 0)
            except (*LOST_CONNECTION, Unavailable) as error:
                self._abandon()
                losses += 1
                if losses > RECONNECTS and (self._closing or not self._patient):
                    if isinstance(error, Unavailable):
                        raise
                    raise unavailable(error) from error
                await asyncio.sleep(random.uniform(0.5, 1) * min(2.0, 0.05 * 2 ** min(losses, 8)))
            except asyncpg.PostgresError as error:
                conflicts += 1
                if not is_retryable(error) or conflicts > CONFLICTS:
                    raise from_postgres(error) or error from error
                await asyncio.sleep(random.uniform(0, 0.002 * 2**conflicts))

    def _abandon(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _connected(self) -> Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await self._connect()
            keep_alive(self._connection)
        return self._connection


def _fail(futures: list[asyncio.Future[Any]], error: BaseException) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
