"""What a fuzzer of contracts would find: whatever is sent, the answer is one that /openapi.json speaks of.

The document is read as a client reads it: by status, content type and schema.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import msgspec
import pytest

from api.app import ENDPOINTS
from api.endpoint import Endpoint
from api.openapi import describe
from tests.api.serving import Served, refusal_of, serving

METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS", "TRACE")
ELSEWHERE = {
    "run_planner",
    "compose_prompt",
    "migrate",
    "sync_push",
    "sync_pull",
    "stream_events",
}  # tests of their own
NASTY = [
    *("null", "true", "-1", "0", "1", "2147483647", "2147483648", "9223372036854775808", "1" + "0" * 400, "0.5"),
    *("1e308", "1e400", "-1e400", "-0.0", '""', '" "', '"\\n"', '"a/../b"', '"\\u0000"', '"\\ud800"'),
    '"\\ud83d\\ude00"',
    *('"\\u202e"', '"%00"', '"9999-12-31T23:59:59-14:00"', '"0001-01-01T00:00:00+14:00"', '"2026-02-30T00:00:00Z"'),
    *('"infinity"', '"ready"', '"done"', '"1"', "[]", "[[]]", "[null]", '["a"]', "{}", '{"": ""}', '{"a": [1e400]}'),
    *('"' + "x" * 300 + '"', "[" * 200 + "]" * 200, '{"a":' * 900 + "1" + "}" * 900, "[" * 5000 + "]" * 5000),
]
PER_FIELD = 4  # of these, one in so many for each field of a body, others for the next field
TOGETHER = 20


@pytest.fixture(scope="module")
def document() -> Any:
    """The contract."""
    return describe(ENDPOINTS, "1.2.3")


@pytest.fixture
async def busy(database: str) -> AsyncIterator[tuple[Served, dict[str, str]]]:
    """An API with something behind every path, and what its paths name."""
    async with serving(database) as api:
        await api.post("/ops/tasks", [{"id": name, "title": name} for name in ("a", "b")])
        run = (await api.claim("r1", task_id="a"))["run_id"]
        await api.post(f"/runs/{run}/artifacts", {"patch": "p"})
        await api.post("/ops/directives", {"id": "d", "title": "D"})
        await api.post("/ops/requests", {"id": "REQ-1", "service": "S", "scopes": ["A_KEY"]})
        names = {"task_id": "b", "run_id": run, "directive_id": "d", "request_id": "REQ-1", "runner_id": "r1"}
        yield api, names | {"kind": "patch"}


async def test_whatever_stands_in_a_field(busy: tuple[Served, dict[str, str]], document: Any) -> None:
    """No answer is a fault of the server, and each is in the contract."""
    api, names = busy
    wrong = await _send_all(api, document, _bodies(names))
    assert not wrong, "\n".join(wrong[:20])


async def test_whatever_stands_in_the_query(busy: tuple[Served, dict[str, str]], document: Any) -> None:
    """The same for parameters, and for addresses that name nothing."""
    api, names = busy
    wrong = await _send_all(api, document, _queries(names))
    assert not wrong, "\n".join(wrong[:20])


async def test_wrong_methods(busy: tuple[Served, dict[str, str]]) -> None:
    """405 with what is possible, at every address; CONNECT and unknown words are no HTTP."""
    api, names = busy
    by_path: dict[str, set[str]] = {}
    for endpoint in ENDPOINTS:
        by_path.setdefault(endpoint.path, set()).add(endpoint.method)
    for path, possible in by_path.items():
        for method in METHODS:
            if method not in possible and not (method == "HEAD" and "GET" in possible):
                response = await api.client.request(method, _fill(path, names))
                assert 405 == response.status_code, (method, path)
                assert possible == set(response.headers["allow"].split(", ")), (method, path)
                if method != "HEAD":
                    assert "method_not_allowed" == refusal_of(response)[1]


async def test_a_parameter_that_is_given_twice(api: Served) -> None:
    """Nobody can say which one is meant."""
    response = await api.client.get("/ops/tasks?limit=1&limit=2")
    assert (400, "invalid_input") == refusal_of(response)[:2]
    assert "limit" in response.json()["detail"]


def test_the_document_names_what_is_not_json(document: Any) -> None:
    """Streams, metrics, patches as text, the redirect to the panel, and 304 for those who have the answer."""

    def types(path: str, status: str = "2XX") -> set[str]:
        return set(document["paths"][path]["get"]["responses"][status].get("content", {}))

    assert {"text/event-stream"} == types("/ops/events/stream")
    assert {"text/plain"} == types("/metrics")
    assert {"application/json", "text/plain"} == types("/runs/{run_id}/artifacts/{kind}")
    assert {"307"} < set(document["paths"]["/"]["get"]["responses"])
    assert "304" in document["paths"]["/ops/tasks"]["get"]["responses"]
    assert "304" not in document["paths"]["/ops/tasks"]["post"]["responses"]


Sent = tuple[Endpoint, str, bytes | None]


def _bodies(names: dict[str, str]) -> Iterator[Sent]:
    for endpoint in ENDPOINTS:
        if "body" not in endpoint.reads or endpoint.handler.__name__ in ELSEWHERE:
            continue
        path = _fill(endpoint.path, names)
        yield endpoint, path, None
        yield from ((endpoint, path, value.encode()) for value in NASTY)
        body = endpoint.reads["body"]
        shape = body.shapes[0] if hasattr(body, "shapes") else body
        least = {"runner_id": "r1", "title": "T", "task_id": "a", "step_name": "s", "id": "REQ-1", "status": "failed"}
        known = {name: value for name, value in least.items() if name in shape.__struct_fields__}
        for number, field in enumerate(msgspec.structs.fields(shape)):
            for value in NASTY[number % PER_FIELD :: PER_FIELD]:
                others = {name: given for name, given in known.items() if name != field.encode_name}
                text = json.dumps(others)[1:-1]
                yield endpoint, path, f'{{{text}{", " if text else ""}"{field.encode_name}": {value}}}'.encode()


def _queries(names: dict[str, str]) -> Iterator[Sent]:
    values = ["", "0", "-1", "x", "1e3", "99999999999999999999", "%00", "%ff", "%F0%9F%98%80", "a%2Fb", "ready-9-9"]
    values += ["newest-999999999999999999", "ready-99999999-1", "scheduled-999999999999999999-1", "x" * 300]
    for endpoint in ENDPOINTS:
        if endpoint.method != "GET" or endpoint.handler.__name__ in ELSEWHERE:
            continue
        for value in values if endpoint.path_names else ():
            yield endpoint, _fill(endpoint.path, dict.fromkeys(names, value or "%20")), None
        if "query" in endpoint.reads:
            for field in msgspec.structs.fields(endpoint.reads["query"]):
                for value in values:
                    yield endpoint, f"{_fill(endpoint.path, names)}?{field.encode_name}={value}", None


async def _send_all(api: Served, document: Any, all_sent: Iterator[Sent]) -> list[str]:
    """What is wrong with the answers to all of these."""
    gate = asyncio.Semaphore(TOGETHER)

    async def send(sent: Sent) -> str | None:
        endpoint, path, body = sent
        async with gate:
            response = await api.client.request(endpoint.method, path, content=body)
        problem = _problem(endpoint, response, document)
        return problem and f"{endpoint.method} {path[:100]} {(body or b'')[:200]!r}: {problem}: {response.text[:200]}"

    return [problem for problem in await asyncio.gather(*map(send, all_sent)) if problem]


def _problem(endpoint: Endpoint, response: httpx.Response, document: Any) -> str | None:
    operation = document["paths"][re.sub(r":\w+", "", endpoint.path)][endpoint.method.lower()]
    status = str(response.status_code)
    documented = operation["responses"].get(status) or operation["responses"].get(
        "2XX" if response.is_success else "default"
    )
    if response.status_code >= 500:
        return f"status {status}"
    if documented is None:
        return f"undocumented status {status}"
    content_type = response.headers.get("content-type", "").partition(";")[0]
    if "content" in documented and content_type not in documented["content"]:
        return f"undocumented content type {content_type}"
    if content_type == "application/json" and endpoint.path != "/openapi.json":
        envelope = response.json()
        if envelope["ok"] != response.is_success or not ({"data"} if envelope["ok"] else {"error", "detail"}) <= set(
            envelope
        ):
            return "not the envelope"
    return None


def _fill(path: str, names: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: names[match[1]], path)
