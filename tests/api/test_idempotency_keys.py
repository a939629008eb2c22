"""An Idempotency-Key belongs to one request: the same again has the same answer, any other is refused."""

import asyncio
from typing import Any

import pytest

from tests.api.serving import Served, refusal_of

A, B, C = ({"title": title} for title in "ABC")
FIRST: list[Any] = [A, [A, B], [A | {"id": "a"}, B | {"depends_on": ["a"]}]]
OTHERS: list[Any] = [B, C | {"id": "c"}, A | {"id": "other"}, [A], [A, B], [B, A], [A, B, C], [A | {"priority": 1}]]


async def test_another_body_is_refused_and_creates_nothing(api: Served) -> None:
    """Whatever differs: content, ids, order, or how many there are."""
    for number, first in enumerate(FIRST):
        headers = {"Idempotency-Key": f"key {number}"}
        made = await api.client.post("/ops/tasks", json=first, headers=headers)
        assert 201 == made.status_code
        before = await api.get("/ops/tasks")
        for other in OTHERS:
            if _listed(first) != _listed(other):
                refused = await api.client.post("/ops/tasks", json=other, headers=headers)
                assert (409, "idempotency_key_reused") == refusal_of(refused)[:2], (first, other)
        again = await api.client.post("/ops/tasks", json=first, headers=headers)
        assert (200, made.json()) == (again.status_code, again.json())
        assert before == await api.get("/ops/tasks")


async def test_what_existed_before_counts_as_the_same(api: Served) -> None:
    """A request of which a part existed is repeated like any other."""
    await api.post("/ops/tasks", A | {"id": "a"})
    headers, body = {"Idempotency-Key": "k"}, [A | {"id": "a"}, B]
    first, again = [await api.post("/ops/tasks", body, headers=headers) for _ in range(2)]

    assert first == again
    assert (409, "idempotency_key_reused") == refusal_of(
        await api.client.post("/ops/tasks", json=[A | {"id": "a"}, C], headers=headers)
    )[:2]


@pytest.mark.parametrize("waits", [False, True], ids=["nobody waits", "a runner waits"])
async def test_keys_of_requests_at_the_same_moment(api: Served, waits: bool) -> None:
    """Of two bodies under one key, one is created."""
    claim = asyncio.create_task(api.claim(wait_seconds=20 if waits else 0))
    headers = {"Idempotency-Key": "k"}
    answers = await asyncio.gather(
        *(api.client.post("/ops/tasks", json={"title": str(n % 2)}, headers=headers) for n in range(10))
    )
    await claim

    assert {"201": 1, "200": 4, "409": 5} == {
        status: sum(str(each.status_code) == status for each in answers) for status in ("201", "200", "409")
    }
    assert 1 == len(await api.get("/ops/tasks"))


PLAN = {"title": "P", "tasks_to_create": [{"title": "A", "body": "do it"}]}
OTHER_PLANS: list[Any] = [
    PLAN | {"title": "Q"},
    PLAN | {"risks": ["some"]},
    PLAN | {"id": "q"},
    {"title": "P"},
    [PLAN, {"title": "Q"}],
]


async def test_another_directive_is_refused(api: Served) -> None:
    """The same holds for what is proposed."""
    headers = {"Idempotency-Key": "k"}
    first = await api.client.post("/ops/directives", json=PLAN, headers=headers)
    for other in OTHER_PLANS:
        refused = await api.client.post("/ops/directives", json=other, headers=headers)
        assert (409, "idempotency_key_reused") == refusal_of(refused)[:2], other
    again = await api.client.post("/ops/directives", json=PLAN, headers=headers)

    assert (201, 200) == (first.status_code, again.status_code)
    assert first.json()["data"]["id"] == again.json()["data"]["id"]
    assert 1 == len(await api.get("/ops/directives"))


async def test_a_shorter_list_of_directives_is_another_request(api: Served) -> None:
    """And two keys are two requests."""
    two = [PLAN, {"title": "Q"}]
    await api.post("/ops/directives", two, headers={"Idempotency-Key": "k"})
    refused = await api.client.post("/ops/directives", json=[PLAN], headers={"Idempotency-Key": "k"})

    assert (409, "idempotency_key_reused") == refusal_of(refused)[:2]
    await api.post("/ops/directives", {"title": "Q2"}, headers={"Idempotency-Key": "l"})


def _listed(body: Any) -> list[Any]:
    return body if isinstance(body, list) else [body]
