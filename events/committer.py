"""Group commit: many callers, one connection, self-clocked batches.

While one batch is in flight the next one gathers; there is no timer. Each caller gets its own answer. A batch that is
refused is halved until the refusal has found the one item it belongs to, so a bad item refuses only itself.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

import asyncpg
from asyncpg import Connection
from msgspec import Struct

from events.connect import LOST_CONNECTION, unavailable
from events.errors import Unavailable, from_postgres, is_retryable
from events.session import keep_alive

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Answered = Callable[[Answer | None, Exception | None], None]
"""Told once what became of an item: its answer, or why there is none. Must not raise."""

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


Entry = tuple[Batch[Any, Any], Any, Answered[Any], asyncio.Future[Any] | None]


class Committer:
    """One connection and its queue. Start it with `async with`; `submit` from anywhere in the same loop.

    `patient`: while the database is away everything waits for it, in order; otherwise Unavailable is the answer after
    some seconds, as it is for everybody once the committer is closing. `lazy`: the first item opens the connection.
    """

    def __init__(self, connect: Callable[[], Awaitable[Connection]], patient: bool = False, lazy: bool = False) -> None:
        self._connect = connect
        self._patient = patient
        self._lazy = lazy
        self._under_way = 0
        self._connection: Connection | None = None
        self._queue: deque[Entry] = deque()
        self._kick = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    async def __aenter__(self) -> "Committer":
        if not self._lazy:
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

    @property
    def load(self) -> int:
        """How many items have no answer yet."""
        return len(self._queue) + self._under_way

    def submit(self, batch: Batch[Item, Answer], item: Item) -> "asyncio.Future[Answer]":
        """Queues one item; the future gets its answer or its refusal. Cancelled in time, it is not carried out."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._enqueue(batch, item, partial(_resolve, future), future)
        return future

    def post(self, batch: Batch[Item, Answer], item: Item, answered: Answered[Answer]) -> None:
        """The same for callers with many items, whom a future for each would cost too much."""
        self._enqueue(batch, item, answered, None)

    def _enqueue(
        self, batch: Batch[Any, Any], item: Any, answered: Answered[Any], future: asyncio.Future[Any] | None
    ) -> None:
        if self._closing:
            answered(None, Unavailable("the process is shutting down; send it again"))
            return
        self._queue.append((batch, item, answered, future))
        self._kick.set()

    async def _run(self) -> None:
        while not (self._closing and not self._queue):
            await self._kick.wait()
            self._kick.clear()
            while self._queue:
                batch, items, listeners = self._take()
                self._under_way = len(items)
                await self._commit(batch, items, listeners)
                self._under_way = 0

    def _take(self) -> tuple[Batch[Any, Any], list[Any], list[Answered[Any]]]:
        """Everything queued of the same kind as the oldest, in order; the other kinds stay."""
        batch = self._queue[0][0]
        items: list[Any] = []
        listeners: list[Answered[Any]] = []
        rest: deque[Entry] = deque()
        for entry in self._queue:
            if entry[0] is not batch or len(items) == batch.items_max:
                rest.append(entry)
            elif entry[3] is None or not entry[3].cancelled():
                items.append(entry[1])
                listeners.append(entry[2])
        self._queue = rest
        return batch, items, listeners

    async def _commit(self, batch: Batch[Any, Any], items: list[Any], listeners: list[Answered[Any]]) -> None:
        if not items:
            return
        try:
            answers = await self._write(batch, items)
        except Exception as error:
            if len(items) > 1 and not isinstance(error, Unavailable):
                half = len(items) // 2
                await self._commit(batch, items[:half], listeners[:half])
                await self._commit(batch, items[half:], listeners[half:])
            else:
                for answered in listeners:
                    answered(None, error)
        else:
            if self._queue:  # the database is not to wait while the answers are heard
                asyncio.get_running_loop().call_soon(_answer, listeners, answers)
            else:
                _answer(listeners, answers)

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


def _answer(listeners: Sequence[Answered[Any]], answers: Sequence[Any]) -> None:
    for answered, answer in zip(listeners, answers, strict=True):
        answered(answer, None)


def _resolve(future: asyncio.Future[Any], answer: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(answer)
    else:
        future.set_exception(error)
