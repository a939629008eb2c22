"""uvicorn's HTTP protocol on httptools, with what it lacks: time limits, a limit on headers, refusals in the contract's
shape, a way to cut a connection, and answers that go out in one piece.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.connections import ConnectionTable, Phase
from api.envelope import refusal_bytes
from api.errors import HeadersTooLarge, NotHttp, RequestTimeout
from api.peer import Peer
from events.errors import ElRusoError

HEAD_BYTES_MAX = 64 * 1024
REASONS = {400: b"Bad Request", 408: b"Request Timeout", 431: b"Request Header Fields Too Large"}


class BoundedProtocol(HttpToolsProtocol):
    """One connection, as ConnectionTable wants it; refuses heads of more than HEAD_BYTES_MAX bytes."""

    phase: Phase = "head"
    since = 0.0
    client_address = ""
    _received_bytes = 0  # of the head, then of the body
    _piece_bytes = 0  # of what came in last
    _is_head_too_large = False
    _unread = (0, 0.0)  # bytes of the answer that the client has not read, and the time of their last change

    def __init__(self, table: ConnectionTable, **given: Any) -> None:
        super().__init__(**given)
        self._table = table

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client is there."""
        super().connection_made(transport)
        self.client_address = self.client[0] if self.client else ""
        self.since = self.loop.time()
        # Becomes the state of each request.
        self.app_state = {**self.app_state, "cut_connection": transport.abort, "peer": _peer_of(transport)}
        self._table.make_room(self)

    def on_message_begin(self) -> None:
        """A request begins, in the piece that is being parsed."""
        super().on_message_begin()
        is_first_of_piece = self.phase != "body"
        self._enter("head")
        self._received_bytes = self._piece_bytes if is_first_of_piece else 0

    def on_headers_complete(self) -> None:
        """All headers are there; the request's task has been made, and begins when this has returned."""
        if self._received_bytes > HEAD_BYTES_MAX and self._head_bytes() > HEAD_BYTES_MAX:
            self._is_head_too_large = True
            raise ValueError("the parser stops here, and send_400_response is called")
        self._enter("body")
        super().on_headers_complete()
        self.cycle.transport = JoinedWrites(self.transport, self.loop)  # type: ignore[assignment]

    def on_message_complete(self) -> None:
        """All of the body is there."""
        self._enter("answer")
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer went out; what a client still sends of a body that was refused is thrown away."""
        if self.phase == "answer" and not self.pipeline:
            self._enter("idle")
        super().on_response_complete()

    def data_received(self, data: bytes) -> None:
        """Bytes came in."""
        self._piece_bytes = len(data)
        self._received_bytes += self._piece_bytes
        super().data_received(data)
        if self.phase == "head" and self._received_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self._is_head_too_large = True
            self.send_400_response("")

    def send_400_response(self, msg: str) -> None:
        """uvicorn calls it for what its parser stops at."""
        if self._is_head_too_large:
            self._refuse(HeadersTooLarge(f"the headers are larger than {HEAD_BYTES_MAX} bytes; send fewer"))
        else:
            self._refuse(NotHttp("this is not a valid HTTP/1.1 request; this port speaks HTTP without TLS"))

    def check_time(self, now: float) -> None:
        """Close the connection if the server has waited for its client for too long."""
        limits, waited = self._table.limits, now - self.since
        if self.flow.write_paused:
            self._check_reading(now)
        elif self.phase == "idle" and waited > limits.idle_seconds:
            self.transport.close()
        elif self.phase == "head" and waited > limits.head_seconds:
            self._time_out("the head of a request", limits.head_seconds)
        elif self.phase == "body" and not self.flow.read_paused:
            allowed = limits.body_seconds + self._received_bytes / limits.body_bytes_per_second
            if waited > allowed:
                self._time_out("a body that arrives this slowly", allowed)

    def evict(self) -> None:
        """Close the connection at once."""
        self.transport.abort()

    def _enter(self, phase: Phase) -> None:
        self.phase, self.since, self._received_bytes = phase, self.loop.time(), 0

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _check_reading(self, now: float) -> None:
        unread, since = self._unread
        size = self.transport.get_write_buffer_size()
        if size != unread:
            self._unread = size, now
        elif now - since > self._table.limits.unread_seconds:
            self._table.count_closed("unread")
            self.transport.abort()

    def _time_out(self, subject: str, seconds: float) -> None:
        if self.phase == "head" and not self._received_bytes:
            self.transport.close()  # nothing was asked
        else:
            self._table.count_closed(self.phase)
            self._refuse(RequestTimeout(f"the server waits {seconds:.0f} seconds at most for {subject}; send it again"))

    def _refuse(self, refusal: ElRusoError) -> None:
        """Answer a request that never reaches the application, and close the connection."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # what reads the body ends, and answers nothing
            self.cycle.message_event.set()
            if self.cycle.response_started or self.phase == "head":  # the answer to an earlier request is under way
                self.transport.abort()
                return
        body = refusal_bytes(refusal.code, refusal.detail)
        head = b"HTTP/1.1 %d %b\r\ncontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n"
        status = refusal.http_status
        self.transport.write(head % (status, REASONS[status], len(body)) + body)
        self.transport.close()


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
