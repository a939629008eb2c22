"""Whatever is wrong with a request: a clear refusal, and nothing half done."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from api.deps import Limits
from tests.api.serving import Served, refusal_of, serving

TASK = {"title": "T"}


BODIES: list[tuple[bytes, str]] = [
    (b"{", "JSON"),
    (b"", "title"),
    (b"nonsense", "JSON"),
    (b"[]", "length"),
    (b"[{}]", "title"),
    (b'"text"', "object"),
    (b"null", "object"),
    (b"\xff\xfe", ""),
    (b'{"title": "\xff"}', "UTF-8"),
    (b'{"title": "T", "id": "\\ud800"}', "\\ud800 is half of a surrogate pair"),
    (b'{"title": "T", "params": {"x": "\\\\\\uD83D\\uDE00\\ud800\\u0041"}}', "\\ud800 is half of a surrogate pair"),
    (b'{"title": "\\udc00 and more"}', "\\udc00 is half of a surrogate pair"),
    (b'{"title": "a\\u0000b"}', "NUL"),
    (b'{"title": "T", "params": {"\\u0000": 1}}', "NUL"),
    (b'{"title": "a\x00b"}', "JSON"),
    (b'{"title": "T", "params": {"n": NaN}}', "JSON"),
    (b'{"title": "T", "params": ' + b'{"x":' * 5000 + b"1" + b"}" * 5001, "nested"),
]


async def test_a_body_that_is_not_the_json_it_should_be(api: Served) -> None:
    """A 400 that says what is wrong, and no task."""
    for body, word in BODIES:
        status, code, detail = refusal_of(await api.client.post("/ops/tasks", content=body))
        assert (400, "invalid_input") == (status, code), body[:50]
        assert word in detail, body[:50]
    assert [] == await api.get("/ops/tasks")


FIELDS: list[tuple[dict[str, Any], str]] = [
    ({"title": 7}, "$.title"),
    ({"title": ""}, "$.title"),
    ({"titel": "T"}, "titel"),
    ({"status": "done"}, "status"),
    ({"priority": -1}, "$.priority"),
    ({"priority": 1001}, "$.priority"),
    ({"priority": 1.5}, "$.priority"),
    ({"max_attempts": 0}, "$.max_attempts"),
    ({"timeout_seconds": -1}, "$.timeout_seconds"),
    ({"timeout_seconds": 0}, "$.timeout_seconds"),
    ({"next_run_at": "yesterday"}, "$.next_run_at"),
    ({"next_run_at": "2026-01-01T00:00:00"}, "$.next_run_at"),
    ({"id": ""}, "$.id"),
    ({"id": "x" * 201}, "$.id"),
    ({"id": "a\tb"}, "$.id"),
    ({"id": "a\n"}, "$.id"),
    ({"depends_on": "a"}, "$.depends_on"),
    ({"depends_on": [1]}, "$.depends_on[0]"),
    ({"steps": [{"name": "s"}]}, "$.steps[0]"),
    ({"steps": [{"name": "s", "cmd": 1}]}, "$.steps[0].cmd"),
    ({"steps": [{"name": "s", "cmd": "x", "shell": "zsh"}]}, "$.steps[0]"),
    ({"steps": [{"name": "s", "cmd": "x", "timeout_seconds": -1}]}, "$.steps[0].timeout_seconds"),
    ({"acceptance": {"checks": [{"name": "s"}]}}, "$.acceptance.checks[0]"),
]


async def test_a_field_that_is_wrong_is_named(api: Served) -> None:
    """A 400 with the path of the field, in a single task as in a batch; no task."""
    for fields, word in FIELDS:
        single = refusal_of(await api.client.post("/ops/tasks", json=TASK | fields))
        batch = refusal_of(await api.client.post("/ops/tasks", json=[TASK, TASK | fields]))
        assert [(400, "invalid_input")] * 2 == [single[:2], batch[:2]], fields
        assert word in single[2]
        assert word.replace("$", "$[1]") in batch[2]
    assert [] == await api.get("/ops/tasks")


async def test_an_escaped_backslash_before_u0000_is_no_nul(api: Served) -> None:
    """The six characters \\u0000 as text are text."""
    task = await api.post("/ops/tasks", {"title": "T", "body": "\\u0000 and \\\\u0000"})

    assert "\\u0000 and \\\\u0000" == task["body"]


async def test_one_id_twice_in_a_batch(api: Served) -> None:
    """Nobody can say which one is meant: a 400, and no task."""
    response = await api.client.post("/ops/tasks", json=[TASK | {"id": "a"}, TASK | {"id": "a"}])

    assert (400, "invalid_input") == refusal_of(response)[:2]
    assert [] == await api.get("/ops/tasks")


OTHER_BODIES: list[tuple[str, Any, str]] = [
    ("/ops/tasks/a/requeue", {"backoff_seconds": -1}, "$.backoff_seconds"),
    ("/ops/tasks/a/requeue", {"backoff_seconds": 1e300}, "$.backoff_seconds"),
    ("/ops/tasks/a/requeue", {"run_id": "x"}, "$.run_id"),
    ("/ops/tasks/a/cancel", {"because": "x"}, "because"),
    ("/ops/runner/heartbeat", {}, "runner_id"),
    ("/ops/runner/heartbeat", {"runner_id": "r", "meta": 7}, "$.meta"),
    ("/ops/system/pause", {"reason": 7}, "$.reason"),
    ("/runs", {"task_id": 5}, "$.task_id"),
    ("/runs/1/steps", {"exit_code": "zero", "step_name": "s"}, "$.exit_code"),
    ("/runs/1/steps", {"step_name": "s", "number": 0}, "$.number"),
]


async def test_other_bodies_are_checked_too(api: Served) -> None:
    """Each names its field, before anything is looked up."""
    for path, body, word in OTHER_BODIES:
        status, code, detail = refusal_of(await api.client.post(path, json=body))
        assert (400, "invalid_input") == (status, code), (path, body)
        assert word in detail


ADDRESSES = [
    "/ops/tasks?limit=0",
    "/ops/tasks?limit=1001",
    "/ops/tasks?limit=x",
    "/ops/tasks?status=sleeping",
    "/ops/tasks?stauts=ready",
    "/ops/tasks?cursor=x",
    "/ops/tasks?phase=%00",
    "/ops/tasks/%00",
    "/runs?limit=-1",
    "/runs?status=ready",
    "/runs?cursor=%27",
    "/ops/events?after=-1",
    "/ops/events?after=99999999999999999999",
    "/ops/events?kind=planet",
    "/ops/events/stream?after=x",
]


async def test_a_bad_address_or_query(api: Served) -> None:
    """A parameter that is wrong or unknown is a 400."""
    for address in ADDRESSES:
        assert (400, "invalid_input") == refusal_of(await api.client.get(address))[:2], address


async def test_a_body_is_json_whatever_its_content_type(api: Served) -> None:
    """curl -d says application/x-www-form-urlencoded, and is understood."""
    for content_type in ("application/x-www-form-urlencoded", "text/plain", "application/json; charset=utf-8"):
        headers = {"Content-Type": content_type}
        response = await api.client.post("/ops/tasks", content=json.dumps(TASK), headers=headers)
        assert 201 == response.status_code


async def test_half_a_character_in_a_directive(api: Served) -> None:
    """The same words where JSON may stand inside a text."""
    refused = refusal_of(await api.client.post("/ops/directives", content=b'{"title": "\\ud800"}'))

    assert (400, "invalid_input") == refused[:2]
    assert "\\ud800 is half of a surrogate pair" in refused[2]


async def test_an_address_that_is_none_is_a_page_for_browsers(api: Served) -> None:
    """In the panel's look and the visitor's language; JSON for all others."""
    browser = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "Accept-Language": "es"}
    page = await api.client.get("/nope", headers=browser)
    assert (404, "text/html; charset=utf-8") == (page.status_code, page.headers["content-type"])
    assert "no hay ninguna página /nope" in page.text
    for accept in ("*/*", "application/json", "application/json, text/html;q=0.5"):
        response = await api.client.get("/nope", headers={"Accept": accept})
        assert (404, "no_such_route") == refusal_of(response)[:2]


async def test_an_unknown_route_and_a_wrong_method(api: Served) -> None:
    """404 and 405 in the envelope; the latter says what is possible."""
    for path in ("/ops", "/nothing", "/ops/tasks/", "/runs/1/2/3", "/ops/tasks/a/requeue/b"):
        assert 404 == (await api.client.get(path)).status_code, path
    assert (404, "no_such_route") == refusal_of(await api.client.get("/nothing"))[:2]
    for method, path, allow in [
        ("DELETE", "/ops/tasks", "GET, POST"),
        ("PUT", "/ops/tasks/a", "GET, PATCH"),
        ("POST", "/health", "GET"),
        ("GET", "/ops/system/pause", "POST"),
    ]:
        response = await api.client.request(method, path)
        assert (405, "method_not_allowed") == refusal_of(response)[:2], path
        assert allow == response.headers["allow"]


class TestOversized:
    """Bodies over the limit are a 413, however they come."""

    @pytest.fixture
    async def small(self, database: str) -> AsyncIterator[Served]:
        """An API that takes bodies of at most 1000 bytes."""
        async with serving(database, Limits(body_bytes=1000)) as served:
            yield served

    async def test_announced(self, small: Served) -> None:
        """By the Content-Length, before the body is sent."""
        reader, writer = await asyncio.open_connection("127.0.0.1", small.port)
        writer.write(b"POST /ops/tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1001\r\n\r\n")
        assert b"HTTP/1.1 413 " == (await asyncio.wait_for(reader.readline(), 10))[:13]
        writer.close()

    async def test_streamed(self, small: Served) -> None:
        """By counting, when nothing was announced."""

        async def pieces() -> AsyncIterator[bytes]:
            yield b'{"title": "'
            for _ in range(20):
                yield b"x" * 100

        status, code, detail = refusal_of(await small.client.post("/ops/tasks", content=pieces()))
        assert (413, "too_large") == (status, code)
        assert "1000" in detail

    async def test_just_right(self, small: Served) -> None:
        """Exactly as much as allowed is allowed, and the connection serves on after a refusal."""
        body = json.dumps(TASK).encode()
        for padding, status in ((1001, 413), (1000, 201)):
            response = await small.client.post("/ops/tasks", content=body.ljust(padding))
            assert status == response.status_code

    async def test_small_commands_have_small_bodies(self, api: Served) -> None:
        """What an address cannot need it does not take, whatever the setting says."""
        for path, most in (("/ops/runner/heartbeat", 64 << 10), ("/ops/system/pause", 2 << 20)):
            response = await api.client.post(path, content=b" " * (most + 1))
            assert (413, "too_large") == refusal_of(response)[:2], path

    async def test_a_default_of_one_mebibyte(self, api: Served) -> None:
        """Unless set otherwise."""
        response: httpx.Response = await api.client.post("/ops/tasks", content=b" " * ((1 << 20) + 1))
        assert (413, "too_large") == refusal_of(response)[:2]


async def test_a_database_that_is_gone_is_a_503(api: Served) -> None:
    """Not a crash, and told to come back."""
    await api.pool.close()
    response = await api.client.get("/ops/tasks")

    assert (503, "unavailable") == refusal_of(response)[:2]
    assert "1" == response.headers["retry-after"]
    assert 200 == (await api.client.get("/health")).status_code


async def test_a_value_beyond_its_limit(api: Served) -> None:
    """What the log would refuse is refused at the door, with the field and the limit; claims go on."""
    await api.post("/ops/tasks", {"id": "a", **TASK})
    for method, path, body, field in [
        ("PATCH", "/ops/tasks/a", {"status": "ready", "attempts": 2147483647}, "$.attempts"),
        ("POST", "/ops/tasks", {**TASK, "next_run_at": "9999-12-31T23:59:59-14:00"}, "next_run_at"),
        ("POST", "/ops/tasks", {**TASK, "priority": -1}, "$.priority"),
        ("POST", "/ops/tasks", {**TASK, "params": {"a": json.loads("[" * 200 + "]" * 200)}}, "params"),
        ("POST", "/ops/runner/heartbeat", {"runner_id": "r", "meta": {"a": json.loads("[" * 200 + "]" * 200)}}, "meta"),
    ]:
        status, code, detail = refusal_of(await api.client.request(method, path, json=body))
        assert (400, "invalid_input") == (status, code), path
        assert field in detail
    assert "a" == (await api.claim())["id"]
