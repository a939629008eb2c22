"""One follower of the log, many viewers.

The log is followed only while somebody watches. A viewer first reads on from where it was, page by page, until it has
caught up with the follower; from then on it is handed what the follower delivers. What waits for a viewer is bounded:
one that does not keep up is dropped, and comes back with its Last-Event-ID.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager, suppress

import structlog
from asyncpg import Pool

from api.viewer import Viewer, frame
from events.backoff import Backoff
from events.database_errors import from_database
from events.errors import Unavailable
from events.event import Event
from events.follower import Follower
from events.hint import Hint
from events.listener import Listener
from events.log import check_within
from events.outage import Outage

log = structlog.get_logger(__name__)

GAP_SECONDS = 0.05
BEGIN_SECONDS = 5.0  # until a stream whose log cannot be read is refused
PAGE = 500
KEEP_ALIVE = b": still here\n\n"

Encode = Callable[[Event], bytes]


class Broadcast:
    """The event streams of one process, each with at most `waiting_max` events unread."""

    def __init__(self, pool: Pool, listener: Listener, waiting_max: int) -> None:
        self._pool = pool
        self._listener = listener
        self._waiting_max = waiting_max
        self._viewers: set[Viewer] = set()
        self._live: set[Viewer] = set()
        self._task: asyncio.Task[None] | None = None
        self._forget: Callable[[], None] = lambda: None
        self._kick = asyncio.Event()
        self._follower: Follower | None = None
        self._started = asyncio.Event()
        self._closed = False
        self._outage = Outage("broadcast")

    @property
    def viewers(self) -> int:
        """How many watch."""
        return len(self._viewers)

    @property
    def live(self) -> int:
        """How many of them have caught up, and are handed what happens as it happens."""
        return len(self._live)

    @property
    def waiting(self) -> int:
        """How many events wait for viewers to read on, in all: never more than `waiting_max` for each."""
        return sum(len(viewer.frames) for viewer in self._viewers)

    @property
    def is_following(self) -> bool:
        """Whether the log is followed now."""
        return self._task is not None

    def close(self) -> None:
        """End all streams, now and from now on."""
        self._closed = True
        for viewer in self._viewers:
            viewer.end()

    @contextmanager
    def viewer(self, encode: Encode = frame) -> Iterator[Viewer]:
        """A viewer for as long as the block runs; the first one starts the follower, the last one ends it.

        Raises:
            Unavailable: the server is stopping.
        """
        if self._closed:
            raise Unavailable("the server is stopping; try again later")
        if not self._viewers:
            self._start()
        viewer = Viewer(self._waiting_max, encode)
        self._viewers.add(viewer)
        try:
            yield viewer
        finally:
            self._viewers.discard(viewer)
            self._live.discard(viewer)
            if not self._viewers:
                self._stop()

    async def begin(self, viewer: Viewer, after: int | None) -> None:
        """Nothing that is committed from here on is missed, nor what happened after the seq `after`, if one is given.

        Raises:
            BeyondTheLog: the log ends before it.
            Unavailable: the database is away.
        """
        try:
            async with asyncio.timeout(BEGIN_SECONDS):
                await self._started.wait()
                if after is None:
                    self._live.add(viewer)
                else:
                    await check_within(self._pool, after)
        except TimeoutError as error:
            raise Unavailable("the log cannot be followed now; try again later, or read GET /ops/events") from error

    async def frames(self, viewer: Viewer, after: int | None, keep_alive_seconds: float) -> AsyncGenerator[bytes, None]:
        """What goes out to a viewer that has begun: what happened after the seq `after`, then what happens."""
        if after is not None:
            async for page in self._catch_up(viewer, after):
                yield page
        self._live.add(viewer)
        while not viewer.ended.is_set():
            yield await viewer.take(keep_alive_seconds) or KEEP_ALIVE

    async def _catch_up(self, viewer: Viewer, after: int) -> AsyncGenerator[bytes, None]:
        """Ends in the same step in which the viewer stands where the follower stands."""
        own = Follower(self._pool, after)
        while not viewer.ended.is_set():
            viewer.position = own.position
            if self._follower is None or own.position >= self._follower.position:
                return
            events = await own.advance(PAGE)
            if events:
                yield b"".join(map(viewer.encode, events))
            else:
                await asyncio.sleep(GAP_SECONDS)

    def _start(self) -> None:
        self._started.clear()
        self._forget = self._listener.subscribe(self._hear)
        self._task = asyncio.create_task(self._follow(), name="broadcast")

    def _stop(self) -> None:
        self._forget()
        if self._task is not None:
            self._task.cancel()
        self._task = self._follower = None

    def _hear(self, hint: Hint) -> None:
        if hint.anything or hint.events is not None:
            self._kick.set()

    async def _follow(self) -> None:
        """Deliver what happens for as long as anybody watches, through every loss of the database."""
        backoff = Backoff()
        while True:
            try:
                if self._follower is None:
                    self._follower = await Follower.from_now(self._pool)
                    self._started.set()
                await self._deliver(self._follower, backoff)
            except Exception as error:  # whatever it is: viewers would wait for ever
                self._outage.fail(self, from_database(error))
                await asyncio.sleep(backoff.next_delay())

    async def _deliver(self, follower: Follower, backoff: Backoff) -> None:
        while True:
            self._kick.clear()
            events = await follower.advance(PAGE)
            backoff.reset()
            self._outage.recover(self)
            self._hand_out(events)
            if follower.blocked:
                await self._kicked_within(GAP_SECONDS)
            elif not events:
                await self._kick.wait()

    async def _kicked_within(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._kick.wait()

    def _hand_out(self, events: list[Event]) -> None:
        for event in events:
            made: dict[Encode, bytes] = {}  # viewers of one sort are handed the same bytes
            for viewer in tuple(self._live):
                if viewer.encode not in made:
                    made[viewer.encode] = viewer.encode(event)
                if not viewer.offer(event.seq, made[viewer.encode]):
                    self._live.discard(viewer)
                    log.info("viewer.dropped", position=viewer.position)
