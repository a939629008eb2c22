"""A task that is created while a runner waits: it is that runner's at once, unless something stands against it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import asyncpg
import pytest

from events import claims
from tests.api.serving import WHOLE, Served, bare, refusal_of
from tests.api.test_claims import claim_by_hand, is_waiting, somebody_waits_for_a_lock
from tests.support.waiting import eventually

SECONDS = 20  # for what should come at once
HANDED = "SELECT seq, type, actor, cause, xmin::text AS transaction FROM log.events WHERE id = $1 ORDER BY seq"


async def waiting_claim(api: Served, place: int = 1, **more: Any) -> "asyncio.Task[Any]":
    """A claim of the runner `r<place>` that waits, with as many as that in line."""
    waiting = asyncio.create_task(api.claim(f"r{place}", wait_seconds=30, **more))
    await is_waiting(api, place)
    await eventually(lambda: rests(api, place), describe="it has looked and found nothing")
    return waiting


def rests(api: Served, place: int) -> bool:
    """Whether the last of so many in line has looked in vain and waits."""
    return [baton.rests for baton in api.app.state.live.waiting._waiting.values()][place - 1 :] == [True]


async def soon(waiting: "asyncio.Task[Any]") -> Any:
    """What a claim that waited is answered."""
    return await asyncio.wait_for(waiting, SECONDS)


async def types_of(api: Served, task_id: str) -> list[str]:
    """The types of a task's events, the oldest first."""
    return [event["type"] for event in await api.get(f"/ops/events?id={task_id}")]


async def test_a_new_task_is_handed_over_in_the_transaction_that_creates_it(api: Served, database: str) -> None:
    """One transaction holds both events; the claim is the runner's, and its cause is the creation."""
    waiting = await waiting_claim(api)
    created = await api.post("/ops/tasks", {"id": "a", "title": "A"})
    task = await soon(waiting)

    assert ("a", "ready", 1) == (created["id"], created["status"], created["version"])
    assert ("a", "running", "r1", 1) == tuple(task[key] for key in ("id", "status", "claimed_by", "attempts"))
    connection = await asyncpg.connect(database)
    creation, claim = await connection.fetch(HANDED, "a")
    await connection.close()
    assert ("task.created", "task.claimed") == (creation["type"], claim["type"])
    assert creation["transaction"] == claim["transaction"]
    assert (creation["seq"], task["run_id"]) == (claim["cause"], str(claim["seq"]))


async def test_it_is_answered_as_the_view_shows_it(api: Served) -> None:
    """Field by field, in the same order and to the last character; a list to those who gave a limit."""
    for body in ({"id": "plain", "title": "P"}, WHOLE):
        claim = {"runner_id": 'r "ñ"', "limit": 5, "wait_seconds": 30}
        waiting = asyncio.create_task(api.client.post("/ops/tasks/claim", json=claim))
        await eventually(lambda: rests(api, 1), describe="it waits")
        await api.post("/ops/tasks", body)
        answered = await soon(waiting)
        assert ["task.created", "task.claimed"] == await types_of(api, body["id"])
        shown = await api.client.get(f"/ops/tasks/{body['id']}")
        assert f"[{bare(shown)}]" == bare(answered)


async def test_its_run_goes_on_as_any_other(api: Served) -> None:
    """It starts, ends, and is done; the counts agree."""
    waiting = await waiting_claim(api)
    await api.post("/ops/tasks", {"id": "a", "title": "A"})
    run_id = (await soon(waiting))["run_id"]
    await api.post("/runs", {"task_id": "a", "runner_id": "r1"})
    await api.patch(f"/runs/{run_id}", {"status": "done"})

    assert "done" == (await api.get("/ops/tasks/a"))["status"]
    numbers = await api.get("/ops/metrics")
    assert (0, 0, 1) == tuple(numbers["tasks"][status] for status in ("ready", "running", "done"))


async def test_of_many_that_wait_the_oldest_is_served(api: Served) -> None:
    """One task after another goes to the one that has waited longest; nobody else is answered."""
    waiting = [await waiting_claim(api, place) for place in (1, 2, 3)]
    for place in range(3):
        await api.post("/ops/tasks", {"id": str(place), "title": "T"})
        assert str(place) == (await soon(waiting[place]))["id"]
        assert not any(claim.done() for claim in waiting[place + 1 :])


async def test_many_callers_at_once(api: Served) -> None:
    """Tasks that are created at the same moment are claimed once each, whichever way they take."""
    waiting = [await waiting_claim(api, place) for place in range(1, 6)]
    tasks = [{"id": str(number), "title": "T"} for number in range(5)]
    await asyncio.gather(*(api.post("/ops/tasks", task) for task in tasks))

    assert {"0", "1", "2", "3", "4"} == {(await soon(claim))["id"] for claim in waiting}
    for task in tasks:
        assert ["task.created", "task.claimed"] == await types_of(api, task["id"])


async def test_a_task_that_is_not_ready_is_not_handed_over(api: Served) -> None:
    """One that waits for a time or for a parent stays; the parent goes."""
    waiting = await waiting_claim(api)
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    await api.post("/ops/tasks", {"id": "later", "title": "L", "next_run_at": later})
    await api.post("/ops/tasks", [{"id": "c", "title": "C", "depends_on": ["p"]}, {"id": "p", "title": "P"}])

    assert "p" == (await soon(waiting))["id"]
    await api.post("/ops/tasks", {"id": "d", "title": "D", "depends_on": ["p"]})
    assert [["task.created"]] * 3 == [await types_of(api, task_id) for task_id in ("later", "c", "d")]


async def quietly(database: str, kind: str, stream: str, event_type: str, version: int, data: str) -> None:
    """Appends an event of which nobody hears."""
    connection = await asyncpg.connect(database, server_settings={"elruso.managed": "on"})
    await connection.execute(
        "INSERT INTO log.events (kind, id, version, type, actor, data) VALUES ($1, $2, $3, $4, 'h', $5)",
        *(kind, stream, version, event_type, data),
    )
    await connection.close()


@pytest.mark.parametrize(("hidden", "first"), [(5, "hidden"), (100, "hidden"), (200, "fresh")])
async def test_claims_come_in_claim_order(api: Served, database: str, hidden: int, first: str) -> None:
    """A task that is ready and comes before the new one goes first; the new one stays for the next claim."""
    waiting = await waiting_claim(api, limit=1)
    await quietly(database, "task", "hidden", "task.created", 1, f'{{"title":"T","priority":{hidden}}}')
    await api.post("/ops/tasks", {"id": "fresh", "title": "N"})

    assert [first] == [task["id"] for task in await soon(waiting)]
    assert {"hidden", "fresh"} - {first} == {(await api.claim())["id"]}


async def test_a_scheduled_task_that_fell_due_goes_first(api: Served, database: str) -> None:
    """Now and then a claim insists on those; so does whoever creates a task for one that waits."""
    with patch.object(claims, "FLOOR_SECONDS", 0.0):
        waiting = await waiting_claim(api)
        data = '{"title":"D","priority":1,"next_run_at":"2020-01-01T00:00:00Z"}'
        await quietly(database, "task", "due", "task.created", 1, data)
        await api.post("/ops/tasks", {"id": "fresh", "title": "N"})

        assert "due" == (await soon(waiting))["id"]
        assert "fresh" == (await api.claim())["id"]


async def test_a_paused_system_hands_nothing_over(api: Served, database: str) -> None:
    """Paused without a word, a moment ago: the task is created, and whoever waited is told of the pause."""
    body = {"runner_id": "r1", "wait_seconds": 30}
    waiting = asyncio.create_task(api.client.post("/ops/tasks/claim", json=body))
    await eventually(lambda: rests(api, 1), describe="it waits")
    await quietly(database, "system", "main", "system.paused", 1, "{}")
    await api.post("/ops/tasks", {"id": "a", "title": "A"})

    assert (423, "paused") == refusal_of(await asyncio.wait_for(waiting, SECONDS))[:2]
    assert ["task.created"] == await types_of(api, "a")
    await api.post("/ops/system/resume")
    assert "a" == (await api.claim())["id"]


async def test_a_runner_that_drains_is_handed_nothing(api: Served, database: str) -> None:
    """It is told so, and the task goes to the next one that waits."""
    await api.post("/ops/runner/heartbeat", {"runner_id": "r1", "status": "started"})
    draining = asyncio.create_task(api.client.post("/ops/tasks/claim", json={"runner_id": "r1", "wait_seconds": 30}))
    await eventually(lambda: rests(api, 1), describe="it waits")
    other = await waiting_claim(api, 2)
    await quietly(database, "runner", "r1", "runner.draining", 2, "{}")
    await api.post("/ops/tasks", {"id": "a", "title": "A"})

    assert "draining" == refusal_of(await asyncio.wait_for(draining, SECONDS))[1]
    task = await soon(other)
    assert ("a", "r2") == (task["id"], task["claimed_by"])


async def test_a_taken_id_is_refused_and_the_runner_waits_on(api: Served) -> None:
    """The creator hears what it always did; the same again is answered as it is; the next task is handed over."""
    await api.post("/ops/tasks", {"id": "a", "title": "A"})
    await api.claim("other")
    waiting = await waiting_claim(api)
    other = await api.client.post("/ops/tasks", json={"id": "a", "title": "another"})
    same = await api.client.post("/ops/tasks", json={"id": "a", "title": "A"})

    assert (409, "duplicate_id") == refusal_of(other)[:2]
    assert 200 == same.status_code
    await api.post("/ops/tasks", {"id": "b", "title": "B"})
    assert "b" == (await soon(waiting))["id"]


async def test_an_idempotency_key_is_kept(api: Served) -> None:
    """The same key again is the same task, handed over or not."""
    waiting = await waiting_claim(api)
    key = {"Idempotency-Key": "k"}
    first = await api.client.post("/ops/tasks", json={"title": "A"}, headers=key)
    again = await api.client.post("/ops/tasks", json={"title": "A"}, headers=key)

    assert (201, 200) == (first.status_code, again.status_code)
    assert {(await soon(waiting))["id"]} == {answer.json()["data"]["id"] for answer in (first, again)}


async def test_a_runner_that_goes_while_it_is_handed_a_task(api: Served, database: str) -> None:
    """It is given back, the attempt does not count, and the creator never hears of it."""
    writer = await claim_by_hand(api, wait_seconds=30)
    await eventually(lambda: rests(api, 1), describe="it waits")
    blocker = await asyncpg.connect(database)
    async with blocker.transaction():
        await blocker.execute("LOCK TABLE log.events IN SHARE MODE")
        creating = asyncio.create_task(api.post("/ops/tasks", {"id": "a", "title": "A"}))
        await eventually(lambda: somebody_waits_for_a_lock(blocker), describe="the creation waits for the lock")
        writer.transport.abort()
        await api.get("/health")  # by its answer, the server has seen that the other connection is gone
    await blocker.close()
    assert "a" == (await creating)["id"]

    async def handed_back() -> bool:
        return "task.requeued" in await types_of(api, "a")

    await eventually(handed_back)
    task = await api.get("/ops/tasks/a")
    assert ("ready", 0) == (task["status"], task["attempts"])
