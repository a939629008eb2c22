"""The server: bounded, prompt to stop, and no owner of signals."""

import asyncio
import signal
import socket

import pytest
import structlog

from api.protocol import JoinedWrites
from api.server import bind, serve
from tests.api.serving import Served, serving
from tests.support.waiting import eventually


async def test_a_shutdown_ends_long_polls_and_streams(database: str) -> None:
    """Those who wait are answered (with nothing), streams end, and it takes a moment only."""
    async with serving(database) as api:
        waiting = asyncio.create_task(api.claim(wait_seconds=60))
        stream = asyncio.create_task(read_all(api))
        live = api.app.state.live
        await eventually(lambda: len(live.waiting) == 1 and live.broadcast.live == 1)
        live.close()
        assert await asyncio.wait_for(waiting, 20) is None
        assert (await asyncio.wait_for(stream, 20)).startswith(b"retry: ")


async def test_leaving_the_block_is_a_shutdown(database: str) -> None:
    """`serve` ends all of that by itself, and then nothing listens any more."""
    async with serving(database) as api:
        inner = serve(api.app, "127.0.0.1", 0, shutdown_seconds=5)
        address = await inner.__aenter__()
        port = int(address.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /ops/events/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await eventually(lambda: api.app.state.live.broadcast.live == 1)
        await inner.__aexit__(None, None, None)
        assert (await asyncio.wait_for(reader.read(), 5)).endswith(b"0\r\n\r\n"), "an orderly end"
        with pytest.raises(OSError, match="Connect call failed"):
            await asyncio.open_connection("127.0.0.1", port)
        writer.close()


def test_no_answer_waits_for_the_one_before_it() -> None:
    """A connection sends what it has at once, whichever loop serves it."""
    with bind("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        connection, _address = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


async def test_signals_belong_to_the_caller(database: str) -> None:
    """Serving changes no handler."""
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    async with serving(database):
        assert before == [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]


async def test_a_taken_port_is_an_oserror(api: Served) -> None:
    """Nobody exits the process."""
    with pytest.raises(OSError, match="in use"):
        async with serve(api.app, "127.0.0.1", api.port):
            pass


def test_both_families() -> None:
    """IPv4, names, and IPv6 where there is some."""
    for host, family in (("127.0.0.1", socket.AF_INET), ("localhost", None), ("::1", socket.AF_INET6)):
        try:
            listening = bind(host, 0)
        except OSError:
            assert host == "::1"
            continue
        assert family in (None, listening.family)
        listening.close()


async def test_a_short_answer_goes_out_in_one_piece() -> None:
    """Head and body are one write; what a stream says later goes out as it is said."""
    connection = Recorder()
    answer = JoinedWrites(connection, asyncio.get_running_loop())
    answer.write(b"head;")
    answer.write(b"body;")
    answer.write(b"more;")
    assert [b"head;body;", b"more;"] == connection.written
    await asyncio.sleep(0)
    assert [b"head;body;", b"more;"] == connection.written


async def test_a_head_does_not_wait_for_a_body_that_takes_its_time() -> None:
    """A stream has been answered before there is anything to say; an answer without a body may end the connection."""
    stream, last = Recorder(), Recorder()
    JoinedWrites(stream, asyncio.get_running_loop()).write(b"head;")
    await asyncio.sleep(0)
    assert [b"head;"] == stream.written

    answer = JoinedWrites(last, asyncio.get_running_loop())
    answer.write(b"head;")
    answer.close()
    assert ([b"head;"], True) == (last.written, last.is_closing())


async def test_nothing_is_written_to_a_connection_that_was_cut() -> None:
    """The head that was held is dropped."""
    connection = Recorder()
    JoinedWrites(connection, asyncio.get_running_loop()).write(b"head;")
    connection.close()
    await asyncio.sleep(0)
    assert [] == connection.written


async def test_answers_without_a_body(api: Served) -> None:
    """To HEAD, and to one who has the answer already; over the same connection, one right after the other."""
    tag = (await api.client.get("/ops/tasks")).headers["etag"]
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    for method, header in (("HEAD", "Accept: */*"), ("GET", f"If-None-Match: {tag}"), ("HEAD", "Connection: close")):
        writer.write(f"{method} /ops/tasks HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode())
    read = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    assert [b"200", b"304", b"200"] == [part[:3] for part in read.split(b"HTTP/1.1 ")[1:]]
    assert read.endswith(b"\r\n\r\n")


async def test_headers_are_bounded(api: Served) -> None:
    """A client that sends headers without end is cut off."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
    for _ in range(40):
        writer.write(b"x" * 65_536)
    line = await asyncio.wait_for(reader.readline(), 10)
    writer.close()

    assert b"HTTP/1.1 431 Request Header Fields Too Large\r\n" == line


async def test_large_bodies_are_no_large_headers(api: Served) -> None:
    """What comes in after the headers does not count for them."""
    task = {"title": "T", "body": "x" * 500_000}

    for _ in range(3):
        assert 201 == (await api.client.post("/ops/tasks", json=task)).status_code


async def test_what_is_not_http_is_refused(api: Served) -> None:
    """And the server serves on."""
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    writer.write(b"\x16\x03\x01 this is TLS\r\n\r\n")

    assert b"400" in await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    assert "healthy" == (await api.get("/health"))["status"]


async def test_each_request_leaves_one_line_in_the_log(api: Served) -> None:
    """With method, path, status and duration; the query, which may hold anything, is left out."""
    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        await api.client.get("/ops/tasks?text=secret", headers={"X-Request-ID": "one"})
        await api.client.get("/nothing")
        await eventually(lambda: len([line for line in lines if line["event"] == "http.request"]) == 2)

    one, two = (line for line in lines if line["event"] == "http.request")
    assert ("GET", "/ops/tasks", 200, "one") == (one["method"], one["path"], one["status"], one["request_id"])
    assert (404, True) == (two["status"], two["duration_ms"] >= 0)
    assert "secret" not in str(lines)


async def test_a_bug_is_a_500_that_tells_nothing(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller gets an id, the log gets the traceback."""
    monkeypatch.setattr("projections.views.Views.system", lambda self: 1 / 0)
    with structlog.testing.capture_logs() as lines:
        response = await api.client.get("/ops/system/status")

    assert (500, "internal") == (response.status_code, response.json()["error"])
    assert "division" not in response.text
    assert response.headers["x-request-id"]
    assert ["ZeroDivisionError"] == [line["error"] for line in lines if line["event"] == "http.error"]


async def read_all(api: Served) -> bytes:
    """Everything that a stream sends until it ends."""
    async with api.client.stream("GET", "/ops/events/stream") as response:
        return b"".join([chunk async for chunk in response.aiter_bytes()])


class Recorder(asyncio.Transport):
    """A connection that keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self._is_closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep it."""
        self.written.append(bytes(data))

    def close(self) -> None:
        """No more."""
        self._is_closing = True

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._is_closing
