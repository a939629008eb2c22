"""Group commit: many callers, one connection, self-clocked batches.

While one batch is in flight the next one gathers; there is no timer. Each caller gets its own answer. A batch that is
refused is halved until the refusal has found the one item it belongs to, so a bad item refuses only itself. A batch
that meets a transient condition (events/database_errors.py) is halved too, and tried again after a delay, so an item
that waits for another session's lock delays none of the others (docs/adr/0031).
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import asyncpg
import structlog
from asyncpg import Connection

from events.database_errors import DRIVER_ERRORS, LOCK_NOT_AVAILABLE, OTHER_SESSION, from_database, is_conflict
from events.deferred import Answer, Answered, Batch, Deferred, Entry, Group, Item
from events.errors import Unavailable
from events.locks import find_lock_holders, limit_lock_waits
from events.outage import database_outage
from events.pooled import is_pooled
from events.session import hang_up, keep_alive

__all__ = ["Answered", "Batch", "Committer"]

CONFLICT_RETRIES = 8
WRITE_SECONDS = 15.0  # then a connection that does not answer is given up, and so is a caller's wait
CLOSE_SECONDS = 6.0  # how long items are tried once the committer closes
LOCK_SECONDS = 2.0  # longer than PostgreSQL waits before it looks for deadlocks
RETRY_LOCK_SECONDS = 0.25  # for all that is tried again, in turn
RETRY_LOCK_SECONDS_MIN = 0.02
NAME_EVERY_SECONDS = 60.0  # between two lines about sessions that hold locks
HALVES_SECONDS = 0.02  # until the halves of a batch are tried, about
FIRST_SECONDS = 0.05  # until the second try of a group; doubled after each
LONGEST_SECONDS = 2.0
FAILURES = 4  # in a row: then no single item is to blame, and everything waits
GIVE_UP_SECONDS = 6.0  # how long a caller waits while the database is away: a restart is survived
EXPIRE_EVERY_SECONDS = 0.5
LOCKED = "another session holds a lock that this waits for: {holders}. End its transaction, or send it later"

log = structlog.get_logger(__name__)


class Committer:
    """One connection and its queue. Start it with `async with`; `submit` from anywhere in the same loop.

    `patient`: an item that meets a transient condition is tried for ever. Otherwise its caller is answered Unavailable
    after some seconds, `write_seconds` at most; so is everybody soon after the committer closes. `lazy`: the first item
    opens the connection.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        patient: bool = False,
        lazy: bool = False,
        write_seconds: float | None = None,
    ) -> None:
        self._connect = connect
        self._patient = patient
        self._lazy = lazy
        self._outage = database_outage
        self._write_seconds = write_seconds or WRITE_SECONDS
        self._under_way = 0
        self._connection: Connection | None = None
        self._lock_seconds = LOCK_SECONDS
        self._queue: deque[Entry] = deque()
        self._deferred = Deferred()
        self._failures = 0  # since the last success
        self._resume_at = 0.0
        self._is_retry = False
        self._name_holders_at = 0.0
        self._reason: Unavailable | None = None
        self._kick = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop
        self._task: asyncio.Task[None] | None = None
        self._expiry: asyncio.TimerHandle | None = None
        self._closing_at: float | None = None

    async def __aenter__(self) -> "Committer":
        self._loop = asyncio.get_running_loop()
        if not self._lazy:
            await self._connected()
        self._task = asyncio.create_task(self._run(), name="committer")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Carries out what is queued, then closes."""
        self._closing_at = self._loop.time()
        self._expire_later()
        self._kick.set()
        if self._task is not None:
            await self._task
        if self._expiry is not None:
            self._expiry.cancel()
        self._outage.recover(self)
        if self._connection is not None:
            await hang_up(self._connection)

    @property
    def load(self) -> int:
        """How many items have no answer yet."""
        return len(self._queue) + self._under_way + (len(self._deferred) if self._deferred else 0)

    def submit(self, batch: Batch[Item, Answer], item: Item) -> "asyncio.Future[Answer]":
        """Queues one item; the future gets its answer or its refusal. Cancelled in time, it is not carried out."""
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._enqueue(batch, item, partial(_resolve, future), future)
        return future

    def post(self, batch: Batch[Item, Answer], item: Item, answered: Answered[Answer]) -> None:
        """The same for callers with many items, whom a future for each would cost too much."""
        self._enqueue(batch, item, answered, None)

    def _enqueue(
        self, batch: Batch[Any, Any], item: Any, answered: Answered[Any], future: asyncio.Future[Any] | None
    ) -> None:
        if self._closing_at is not None:
            answered(None, Unavailable("the process is shutting down; send it again"))
            return
        since = 0.0 if self._patient else self._loop.time()
        self._queue.append(Entry(batch, item, answered, future, since))
        if not self._patient and self._expiry is None:
            self._expire_later()
        self._kick.set()

    # ------------------------------------------------------------------ what comes next

    async def _run(self) -> None:
        while self._closing_at is None or self._queue or self._deferred:
            group = self._next()
            if group is None:
                await self._rest()
                continue
            self._under_way = len(group.entries)
            await self._commit(group)
            self._under_way = 0

    def _next(self) -> Group | None:
        if self._failures or self._deferred:
            now = self._loop.time()
            if now < self._resume_at:
                return None
            group = None if self._queue and self._is_retry else self._deferred.pop(now)  # they take turns
            if group is not None:
                self._is_retry = True
                group.entries = [entry for entry in group.entries if not entry.is_cancelled]
                return group if group.entries else self._next()
        self._is_retry = False
        return self._take() if self._queue else None

    def _take(self) -> Group | None:
        """Everything queued of the same kind as the oldest, in order; the other kinds stay."""
        batch = self._queue[0].batch
        entries: list[Entry] = []
        rest: deque[Entry] = deque()
        for entry in self._queue:
            if entry.batch is not batch or len(entries) == batch.items_max:
                rest.append(entry)
            elif entry.future is None or not entry.future.cancelled():
                entries.append(entry)
        self._queue = rest
        return Group(entries)

    async def _rest(self) -> None:
        """Until something is queued or due; after many failures in a row, for as long as everything waits."""
        pause = self._resume_at - self._loop.time()
        if pause > 0 and (self._queue or self._deferred):
            await asyncio.sleep(pause)
            return
        self._kick.clear()
        due = self._deferred.next_due
        if due is None:
            await self._kick.wait()
            return
        waking = self._loop.call_at(due, self._kick.set)
        try:
            await self._kick.wait()
        finally:
            waking.cancel()

    # ------------------------------------------------------------------ one group

    async def _commit(self, group: Group) -> None:
        if self._deferred:
            group.entries = self._deferred.keep_order(group.entries)
        if not group.entries:
            return
        try:
            answers = await self._write(group)
        except Unavailable as error:
            if not self._patient and error.facts.get("sqlstate") in OTHER_SESSION:  # a setting is wrong
                self._refuse(group.entries, error)
            else:
                self._defer(group, error)
        except Exception as error:
            await self._narrow(group, error)
        else:
            self._succeed(group, answers)

    async def _narrow(self, group: Group, error: Exception) -> None:
        """It was refused: halve it until the refusal has found its item."""
        entries = group.entries
        if len(entries) == 1:
            _fail(entries[0], error)
            return
        half = len(entries) // 2
        for part in (entries[:half], entries[half:]):
            await self._commit(Group(part, group.tries))

    def _succeed(self, group: Group, answers: Sequence[Any]) -> None:
        self._failures, self._reason = 0, None
        if self._outage and not self._deferred:
            self._outage.recover(self)
        if self._queue:  # the next batch is sent before callbacks run
            self._loop.call_soon(_answer, group.entries, answers)
        else:
            _answer(group.entries, answers)

    def _defer(self, group: Group, error: Unavailable) -> None:
        """It met a transient condition: halve it, so that one item does not keep the others, and try again later."""
        now = self._loop.time()
        self._reason = error
        self._outage.fail(self, error)
        is_locked = error.facts.get("sqlstate") == LOCK_NOT_AVAILABLE
        self._failures += not is_locked  # a lock is an item's own affair
        if self._connection is None or self._failures >= FAILURES:
            self._resume_at = now + _delay(self._failures)
        late = [entry for entry in group.entries if self._is_late(entry)]
        group.entries = [entry for entry in group.entries if not self._is_late(entry)]
        self._refuse(late)
        may_be_one = group.reached and (self._connection is not None or group.tries > 1)
        for part in group.halves() if may_be_one and group.entries else [group]:
            part.locked = is_locked
            part.due = now + (_delay(part.tries) if part is group else random.uniform(0.5, 1) * HALVES_SECONDS)
            if part.entries:
                self._deferred.add(part)
        if not self._deferred:
            self._outage.recover(self)

    # ------------------------------------------------------------------ deadlines

    def _is_late(self, entry: Entry) -> bool:
        now = self._loop.time()
        if self._closing_at is not None and now - self._closing_at >= CLOSE_SECONDS:
            return True
        limit = min(GIVE_UP_SECONDS, self._write_seconds) if self._failures else self._write_seconds
        return not self._patient and now - entry.since >= limit

    def _expire_later(self) -> None:
        self._expiry = self._loop.call_later(EXPIRE_EVERY_SECONDS, self._expire)

    def _expire(self) -> None:
        """Answer those who have waited too long, whatever is under way."""
        self._expiry = None
        late: list[Entry] = []
        while self._queue and self._is_late(self._queue[0]):
            late.append(self._queue.popleft())
        late += self._deferred.drop(self._is_late)
        self._refuse(late)
        if self.load:
            self._expire_later()

    def _refuse(self, entries: Sequence[Entry], reason: Unavailable | None = None) -> None:
        reason = reason or self._reason or Unavailable("the database did not answer in time; send it again")
        for entry in entries:
            _fail(entry, Unavailable(reason.detail, **reason.facts))

    # ------------------------------------------------------------------ the connection

    async def _write(self, group: Group) -> Sequence[Any]:
        """One try; at once again after a conflict. Raises ElRusoError, and whatever a batch raises."""
        conflicts = 0
        group.reached = False
        left = self._write_seconds
        if not self._patient:
            left = max(EXPIRE_EVERY_SECONDS, left + group.entries[0].since - self._loop.time())
        while True:
            try:
                async with asyncio.timeout(left):
                    connection = await self._connected()
                    group.reached = True
                    return await self._write_once(group, connection)
            except Exception as error:
                if is_conflict(error) and conflicts < CONFLICT_RETRIES:
                    conflicts += 1
                    await asyncio.sleep(random.uniform(0, 0.002 * 2**conflicts))
                    continue
                if _ends_session(error):
                    self._abandon()
                raise self._translate(group, error) from error

    async def _write_once(self, group: Group, connection: Connection) -> Sequence[Any]:
        seconds = LOCK_SECONDS
        if group.tries or self._deferred:
            seconds = max(RETRY_LOCK_SECONDS_MIN, RETRY_LOCK_SECONDS / (1 + self._deferred.groups))
        if seconds != self._lock_seconds:
            await limit_lock_waits(connection, seconds)
            self._lock_seconds = seconds
        items = [entry.item for entry in group.entries]
        writing = group.batch.write(connection, items, group.resent)
        if group.locked and group.holders is None and not is_pooled(connection):
            return await self._write_watched(group, connection, writing)
        return await writing

    async def _write_watched(
        self, group: Group, connection: Connection, writing: Awaitable[Sequence[Any]]
    ) -> Sequence[Any]:
        """The same, while another connection sees who holds the lock that the last try waited for."""
        try:
            observer = await self._connect()
        except Unavailable:  # there may be too many connections
            return await writing
        running = asyncio.ensure_future(writing)
        try:
            with suppress(*DRIVER_ERRORS):
                group.holders = await find_lock_holders(observer, connection.get_server_pid(), running)
            if group.holders is not None and self._loop.time() >= self._name_holders_at:
                self._name_holders_at = self._loop.time() + NAME_EVERY_SECONDS
                log.warning("database.locked", write=group.batch.name, items=len(group.entries), holders=group.holders)
            return await running
        finally:
            running.cancel()
            await hang_up(observer)

    def _translate(self, group: Group, error: Exception) -> Exception:
        ours = from_database(error)
        if not isinstance(ours, Unavailable):
            return ours
        group.tries += group.reached
        if group.holders is not None and ours.facts.get("sqlstate") == LOCK_NOT_AVAILABLE:
            return Unavailable(LOCKED.format(holders=group.holders), **ours.facts)
        return ours

    def _abandon(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def _connected(self) -> Connection:
        """Raises Unavailable."""
        if self._connection is None or self._connection.is_closed():
            self._connection = None
            connection = await self._connect()
            keep_alive(connection)
            try:
                await limit_lock_waits(connection, LOCK_SECONDS)
            except BaseException:
                connection.terminate()
                raise
            self._connection, self._lock_seconds = connection, LOCK_SECONDS
        return self._connection


def _ends_session(error: Exception) -> bool:
    """Whether the connection is lost, or leads to a server that will not do."""
    if not isinstance(error, asyncpg.PostgresError):
        return isinstance(from_database(error), Unavailable)
    state = error.sqlstate or ""
    return state.startswith(("08", "57P")) or state in ("25006", "25P03", "25P04", "26000", "42P05")


def _delay(failures: int) -> float:
    return random.uniform(0.5, 1) * min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 8))


def _answer(entries: Sequence[Entry], answers: Sequence[Any]) -> None:
    for entry, answer in zip(entries, answers, strict=True):
        try:
            entry.answered(answer, None)
        except Exception:  # it must not end the committer
            log.exception("committer.callback_failed", batch=entry.batch.name)


def _fail(entry: Entry, error: Exception) -> None:
    try:
        entry.answered(None, error)
    except Exception:
        log.exception("committer.callback_failed", batch=entry.batch.name)


def _resolve(future: asyncio.Future[Any], answer: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(answer)
    else:
        future.set_exception(error)
