"""uvicorn's HTTP protocol on httptools, with what it lacks: a limit on headers, a way to cut a connection, and answers
that go out in one piece.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.peer import Peer

HEAD_BYTES_MAX = 64 * 1024


class BoundedProtocol(HttpToolsProtocol):
    """Refuses a request line with headers of more than HEAD_BYTES_MAX bytes (and what else came in the same read)."""

    _head_bytes = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there."""
        super().connection_made(transport)
        # Becomes the state of each request.
        self.app_state = {**self.app_state, "cut_connection": transport.abort, "peer": _peer_of(transport)}

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """All headers are there; the request's task has been made, and begins when this has returned."""
        self._in_head, self._head_bytes = False, 0
        super().on_headers_complete()
        self.cycle.transport = JoinedWrites(self.transport, self.loop)  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES_MAX:
                self.send_400_response("The headers are too large.")


def _peer_of(transport: asyncio.Transport) -> Peer | None:
    """The other end; None where that is no TCP connection."""
    client, server = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
    return Peer(client[:2], server[:2]) if isinstance(client, tuple) and isinstance(server, tuple) else None


class JoinedWrites:
    """A connection for the time of one answer: its head goes out together with what follows at once.

    uvicorn writes head and body one by one, and each is a system call: the dearest part of a short answer.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._is_begun = False
        self._held = b""

    def write(self, data: bytes) -> None:
        """The head, which waits for the body till the end of the moment: a stream may have nothing to say for long."""
        if self._is_begun:
            held, self._held = self._held, b""
            self._transport.write(held + data)
        else:
            self._is_begun, self._held = True, data
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        held, self._held = self._held, b""
        if held and not self._transport.is_closing():
            self._transport.write(held)

    def close(self) -> None:
        """End the connection once all is written."""
        self._flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether it was ended, here or there."""
        return self._transport.is_closing()
