"""Heartbeats, from a thread with an event loop and a connection of its own.

Whatever blocks the runner's main loop, the lease is kept. When the engine cannot be told for as long as the lease
lasts, the runner must assume that its tasks were given to others, and is told so.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from events.backoff import Backoff
from events.beats import Beat
from events.outage import Outage
from runner.link import Link, Pulse
from runner.settings import Settings

BEAT_SECONDS_MAX = 5.0  # how long one heartbeat may take before it is tried again
BEAT_SECONDS_MIN = 0.5  # even when the lease is about to end
JOIN_SECONDS = 2.0


class Heart:
    """Beats until stopped. `felt(beat)` and `lost(seconds)` are called in the loop that started it.

    `lost` is called once per silence, when it has lasted as long as the lease. `meta` returns what the runner says of
    itself, which a heartbeat repeats when it has changed; it is called in the heartbeat's thread.
    """

    def __init__(
        self,
        link: Link,
        settings: Settings,
        felt: Callable[[Beat], None],
        lost: Callable[[float], None],
        meta: Callable[[], dict[str, Any]],
    ) -> None:
        self._link = link
        self._period = settings.heartbeat_seconds
        self._lease = settings.lease_seconds
        self._felt = felt
        self._lost = lost
        self._meta = meta
        self._sent_meta: dict[str, Any] | None = None
        self._backoff = Backoff(0.2, 2.0)
        self._outage = Outage("heartbeat")
        self._seen = 0.0  # when the last heartbeat that got through began
        self._given_up = False
        self._main: asyncio.AbstractEventLoop
        self._own: asyncio.AbstractEventLoop
        self._beating: asyncio.Task[None]
        self._hurried: asyncio.Event
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._live, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin; the runner's start counts as the first heartbeat."""
        self._main = asyncio.get_running_loop()
        self._seen = time.monotonic()
        self._thread.start()

    def hurry(self) -> None:
        """Beat now: the answer may be another one than the last."""
        if self._ready.is_set():
            with suppress(RuntimeError):  # its loop has ended by itself
                self._own.call_soon_threadsafe(self._hurried.set)

    async def stop(self) -> None:
        """The last heartbeat was the last."""
        await asyncio.to_thread(self._ready.wait, JOIN_SECONDS)
        with suppress(RuntimeError):  # its loop has ended by itself
            self._own.call_soon_threadsafe(self._beating.cancel)
        await asyncio.to_thread(self._thread.join, JOIN_SECONDS)

    def _live(self) -> None:
        with suppress(asyncio.CancelledError):
            asyncio.run(self._beat_on())

    async def _beat_on(self) -> None:
        self._own, self._hurried = asyncio.get_running_loop(), asyncio.Event()
        self._beating = asyncio.ensure_future(self._beat_for_ever())
        self._ready.set()
        await self._beating

    async def _beat_for_ever(self) -> None:
        pause = self._period
        async with self._link.pulse() as pulse:
            while True:
                await self._rest(pause)
                pause = await self._beat(pulse)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurried.wait()
        self._hurried.clear()

    async def _beat(self, pulse: Pulse) -> float:
        """One heartbeat; how long to wait before the next."""
        began = time.monotonic()
        lease_left = self._seen + self._lease - began
        try:
            meta = self._meta()
            async with asyncio.timeout(min(BEAT_SECONDS_MAX, self._period, max(BEAT_SECONDS_MIN, lease_left))):
                beat = await pulse.beat(None if meta == self._sent_meta else meta)
        except Exception as error:  # whatever it was: a heart must not stop because a beat failed
            self._outage.fail(self, error)
            self._judge(time.monotonic() - self._seen)
            return min(self._backoff.next_delay(), self._period)
        self._outage.recover(self)
        self._judge(began - self._seen)
        self._seen, self._given_up, self._sent_meta = began, False, meta
        self._backoff.reset()
        self._tell(self._felt, beat)
        return max(0.0, began + self._period - time.monotonic())

    def _judge(self, silent_seconds: float) -> None:
        if silent_seconds >= self._lease and not self._given_up:
            self._given_up = True
            self._tell(self._lost, silent_seconds)

    def _tell(self, callback: Callable[..., None], news: Any) -> None:
        with suppress(RuntimeError):  # the runner's loop has ended
            self._main.call_soon_threadsafe(callback, news)
