"""A TCP proxy that numbers the messages of both sides and can hold one, cut every connection, or swallow all traffic.

A message is what one side sends after the other has spoken: a request or a response. Only conversations that `counts`
recognises are numbered; the others pass, and are cut with the rest.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Literal

CHUNK = 65_536
OPENING_BYTES = 4096

Side = Literal["client", "server"]
Counts = Callable[[bytes, bytes], bool]  # counts(first bytes of the connection, first bytes of the request)


class FaultProxy:
    """Forwards to `target`, a port of this machine."""

    def __init__(self, target: int, counts: Counts) -> None:
        self.target = target
        self.port = 0
        self.messages: list[str] = []  # since the last `arm` or `reset`
        self.held = asyncio.Event()
        self._counts = counts
        self._armed = 0
        self._released = asyncio.Event()
        self._is_cut = False
        self._is_silent = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def arm(self, number: int) -> None:
        """Hold the message of that number, counted from now, until `release`."""
        self.reset()
        self._armed = number

    def reset(self) -> None:
        """Count from 1 again, and hold nothing."""
        self.release()
        self._armed = 0
        self.messages = []
        self.held = asyncio.Event()
        self._released = asyncio.Event()

    def release(self) -> None:
        """Let the held message go on, if its connection still exists."""
        self._released.set()

    def cut(self) -> None:
        """Close every connection, and every new one at once, until `mend`. What is held is never forwarded."""
        self._is_cut = True
        self._close_all()

    def silence(self) -> None:
        """Swallow everything, on new connections too, and close nothing, until `mend`."""
        self._is_silent = True

    def mend(self) -> None:
        """Forward again. Connections that lost bytes while there was silence are closed."""
        if self._is_silent:
            self._close_all()
        self._is_cut = self._is_silent = False

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client."""
        self._writers.add(writer)
        if self._is_cut or self._is_silent:
            if self._is_cut:
                writer.close()
            return
        try:
            answers, requests = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        self._writers.add(requests)
        conversation = Conversation(self._counts)
        self._spawn(self._pump("client", reader, requests, conversation))
        self._spawn(self._pump("server", answers, writer, conversation))

    async def close(self) -> None:
        """Close every connection."""
        self.release()
        self._close_all()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _close_all(self) -> None:
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    def _spawn(self, pump: "asyncio.coroutines.Coroutine[None, None, None]") -> None:
        task = asyncio.ensure_future(pump)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pump(
        self, side: Side, source: asyncio.StreamReader, sink: asyncio.StreamWriter, conversation: "Conversation"
    ) -> None:
        try:
            while chunk := await source.read(CHUNK):
                if conversation.begins_message(side, chunk):
                    await self._number(conversation.describe(side))
                if not self._is_silent:
                    sink.write(chunk)
                    await sink.drain()
        except OSError:
            pass
        if not self._is_silent:
            sink.close()

    async def _number(self, message: str) -> None:
        self.messages.append(message)
        if len(self.messages) == self._armed:
            self.held.set()
            await self._released.wait()


class Conversation:
    """Who spoke last on one connection, how it opened, and what was asked last."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._last: Side = "server"
        self._opening = b""
        self._request = b""

    def begins_message(self, side: Side, chunk: bytes) -> bool:
        """True when this chunk is the first of a message that is to be numbered."""
        turned, self._last = side != self._last, side
        if side == "client":
            self._opening = (
                (self._opening + chunk)[:OPENING_BYTES] if len(self._opening) < OPENING_BYTES else self._opening
            )
            self._request = chunk if turned else self._request
        return turned and self._counts(self._opening, self._request)

    def describe(self, side: Side) -> str:
        """The message, for people."""
        first = self._request.split(b"\r\n", 1)[0][:60]
        text = first.decode(errors="replace") if first.isascii() and b"\0" not in first else "a statement"
        return f"{'request' if side == 'client' else 'response to'} {text}"


@asynccontextmanager
async def fault_proxy(target: int, counts: Counts) -> AsyncIterator[FaultProxy]:
    """A FaultProxy on a port of its own."""
    proxy = FaultProxy(target, counts)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()


def counts_commands(opening: bytes, request: bytes) -> bool:
    """PostgreSQL: the sessions that append events, known by their start-up settings (events/connect.py: WRITER)."""
    return b"plan_cache_mode" in opening


def counts_requests(opening: bytes, request: bytes) -> bool:
    """HTTP: every request but heartbeats, which come by the clock."""
    return not request.startswith(b"POST /ops/runner/heartbeat")
