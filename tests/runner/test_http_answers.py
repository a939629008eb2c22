"""What a runner over HTTP makes of answers that are not the API's own, and of none."""

import asyncio

import pytest
from msgspec import Struct

from events.errors import Unavailable, explain
from runner import http_client
from runner.handlers import Handlers, Task
from runner.http_client import HttpClient
from runner.http_link import HttpLink
from tests.api.serving import serving
from tests.runner.working import Ledger, settings, working
from tests.support.http_proxy import http_proxy
from tests.support.waiting import eventually, outlast

HTML = "<html><h1>Nothing to see</h1></html>"
BUG = '{"ok": false, "error": "internal", "detail": "an error on our side"}'


def is_done_report(request: bytes) -> bool:
    """Whether a request reports a good end."""
    return request.startswith(b"PATCH /runs/") and b'"done"' in request


def handlers() -> Handlers:
    """One handler: "work"."""
    registry = Handlers()

    @registry.task("work")
    async def work(_task: Task) -> str:
        return "done"

    return registry


class Case(Struct):
    """What the proxy answers; how the run ends, and why. `ended` None: it is tried again until it is done."""

    status: int
    body: str
    ended: str | None = None
    reason: str = ""


CASES = [
    Case(413, HTML, "blocked", "a proxy before the API refuses so large a request (status 413"),
    Case(404, HTML, "requeued", "something else than the API answers (status 404 without JSON: <html>"),
    Case(200, HTML, "requeued", "something else than the API answers (status 200 without JSON: <html>"),
    Case(500, BUG, "requeued", "the API failed (status 500: an error on our side"),
    Case(502, HTML),
    Case(503, BUG),
    Case(429, HTML),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case.status))
async def test_a_good_end_meets_a_strange_answer(
    database: str, tasks: Ledger, monkeypatch: pytest.MonkeyPatch, case: Case
) -> None:
    """An API that is away is tried until it takes the report; any other answer fails the run with the reason."""
    monkeypatch.setattr(http_client, "FAILED_SECONDS", 0.01)
    chosen = settings(runner_id="r", concurrency=1, lease_seconds=60.0)
    async with (
        serving(database) as api,
        http_proxy(api.port) as proxy,
        HttpLink(proxy.url, None, chosen) as link,
        working(link, handlers(), chosen),
    ):
        proxy.answer(case.status, case.body, is_done_report)
        await tasks.python(1, "work")
        if case.ended is None:
            await eventually(lambda: proxy.hits >= 3, describe="the report is tried again")
            proxy.mend()
        await eventually(lambda: _has_ended(tasks, case.ended or "done"))
        row = await tasks.connection.fetchrow("SELECT attempts, last_error FROM view.tasks")
        tries = proxy.hits
    assert 1 == row["attempts"]
    if case.ended is not None:
        assert case.reason in row["last_error"]
        assert tries == (1 if case.status == 413 else http_client.TRIES)


async def _has_ended(tasks: Ledger, outcome: str) -> bool:
    return (await tasks.types("t1"))[-1] == outcome


async def test_slot_is_free_when_nothing_is_accepted(
    database: str, tasks: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An API that fails for every report of a run holds the run's slot for a bounded number of tries."""
    monkeypatch.setattr(http_client, "FAILED_SECONDS", 0.01)
    chosen = settings(runner_id="r", concurrency=1, lease_seconds=60.0)
    async with (
        serving(database) as api,
        http_proxy(api.port) as proxy,
        HttpLink(proxy.url, None, chosen) as link,
        working(link, handlers(), chosen) as work,
    ):
        proxy.answer(500, BUG, lambda request: b" /runs" in request.split(b"\r\n", 1)[0])
        await tasks.python(1, "work")
        await eventually(lambda: proxy.hits >= http_client.TRIES)
        await eventually(lambda: tasks.count("ready"), describe="the task is given back")
        assert not work.run.done()
        proxy.mend()
        await eventually(lambda: tasks.count("done"))


@pytest.mark.parametrize("trickles", [False, True])
async def test_a_request_has_one_deadline(trickles: bool) -> None:
    """An API that never answers, or a byte at a time, is away once its time is over; the reason says so."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" if trickles else b"")
            while trickles:
                writer.write(b" ")
                await writer.drain()
                await outlast(0.02)
            await reader.read()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    client = HttpClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", None, timeout_seconds=0.3)
    client.lose_patience()
    try:
        with pytest.raises(Unavailable, match=r"does not answer \(\w+\)"):
            await client.ask("POST", "/ops/runner/heartbeat", {})
    finally:
        await client.close()
        server.close()


def test_reasons_are_never_empty() -> None:
    """An error without a message is named by its class."""
    assert "TimeoutError" == explain(TimeoutError())
    assert "no route" == explain(OSError("no route"))
