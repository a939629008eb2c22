"""One connection that listens, and the proof that it hears.

A ping is sent after LISTEN and whenever nothing was heard for a while; anything that arrives answers it. It goes out
through the notifier, over another connection: behind a transaction pooler one's own ping may return although
strangers' notifications never would. When the notifier is out of order the listening connection sends it itself,
which still proves the way to the server, its LISTEN and the way back.
"""

import asyncio
import contextlib
from collections.abc import Callable
from uuid import uuid4

from asyncpg import Connection

from events.hint import CHANNEL, Hint
from events.notifier import Notifier
from events.statements import load_statements

_sql = load_statements("events", "notifier.sql")


class Hearing:
    """LISTEN on one connection: begin, prove, watch; every step raises OSError once it hears no more.

    `tell` is called with every hint but those from connections of our own, which this process knows already.
    """

    def __init__(self, connection: Connection, notifier: Notifier, tell: Callable[[Hint], None]) -> None:
        self._connection = connection
        self._notifier = notifier
        self._tell = tell
        self._lost = asyncio.Event()
        self._heard = asyncio.Event()
        self._heard_at = 0.0

    async def begin(self, deadline: float) -> None:
        """LISTEN. Raises TimeoutError when the server does not answer within `deadline` seconds."""
        self._connection.add_termination_listener(self._lose)
        async with asyncio.timeout(deadline):
            await self._connection.add_listener(CHANNEL, self._hear)

    async def prove(self, deadline: float) -> None:
        """Ping, and wait until something is heard. Raises TimeoutError, ConnectionError."""
        self._heard.clear()
        ping = Hint(pings=frozenset((str(uuid4()),)))
        if self._notifier.working:
            self._notifier.send(ping)
        else:
            await self._connection.execute(_sql["send_hint"], CHANNEL, ping.encode(), timeout=deadline)
        if not await _happens(self._heard, within=deadline):
            raise TimeoutError(f"no notification came back within {deadline:g} s")
        if self._lost.is_set():
            raise ConnectionError("the server ended the connection")

    async def watch(self, ping: float, deadline: float) -> None:
        """Return never: raises as `prove` does, which is asked again after `ping` seconds of silence."""
        while True:
            silence = _now() - self._heard_at
            if silence >= ping:
                await self.prove(deadline)
            elif await _happens(self._lost, within=ping - silence):
                raise ConnectionError("the server ended the connection")

    def _hear(self, _connection: object, process_id: int, _channel: str, payload: object) -> None:
        self._heard_at = _now()
        self._heard.set()
        hint = Hint.parse(str(payload)).without_pings()
        if hint and not self._notifier.is_ours(process_id):
            self._tell(hint)

    def _lose(self, _connection: object) -> None:
        self._lost.set()
        self._heard.set()


async def _happens(event: asyncio.Event, within: float) -> bool:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(within):
            await event.wait()
    return event.is_set()


def _now() -> float:
    return asyncio.get_running_loop().time()
