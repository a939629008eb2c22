"""Claims over HTTP: at once, by name, waiting, and never for a client that is gone."""

import asyncio
import json
from typing import Any

import asyncpg

from tests.api.serving import WHOLE, Served, bare, data_of, refusal_of
from tests.support.waiting import eventually

REFUSE_BAD = """
    CREATE FUNCTION refuse_bad() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'ER002'; END $$;
    CREATE TRIGGER refuse_bad BEFORE INSERT ON log.events FOR EACH ROW
        WHEN (NEW.type = 'task.claimed' AND NEW.data->>'runner' = 'bad') EXECUTE FUNCTION refuse_bad();
"""
CREATE = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    VALUES ('task', 'a', 1, 'task.created', 'human:ana', '{"title": "A"}')
"""


async def test_a_claim_hands_out_the_task_with_its_run(api: Served) -> None:
    """One task with all its fields and the id of the run; then null, or an empty list."""
    await api.post("/ops/tasks", {"id": "a", "title": "A", "steps": [{"name": "s", "cmd": "true"}]})
    task = await api.claim("r1")

    assert ("a", "running", "r1", 1) == tuple(task[key] for key in ("id", "status", "claimed_by", "attempts"))
    assert task["run_id"].isdigit()
    assert "true" == task["steps"][0]["cmd"]
    assert await api.claim("r1") is None
    assert [] == await api.claim("r1", limit=5)


async def test_a_claim_answers_what_the_view_shows(api: Served) -> None:
    """Field by field, in the same order and to the last character; for a task that has a past, too."""
    await api.post(
        "/ops/tasks", [{"id": "plain", "title": "P"}, WHOLE, {"id": "child", "title": "C", "depends_on": ["whole"]}]
    )
    assert ["whole", "plain"] == [task["id"] for task in await shown_as_it_is(api, limit=5)]
    await api.patch("/ops/tasks/whole", {"status": "failed", "last_error": "boom"})
    await api.post("/ops/tasks/whole/requeue", {"last_error": "again"})
    await api.post("/ops/tasks/whole/priority", {"priority": 3})
    [again] = await shown_as_it_is(api)
    assert ("again", 3, None) == (again["last_error"], again["priority"], again["finished_at"])
    await api.patch("/ops/tasks/whole", {"status": "done"})
    assert ["child"] == [task["id"] for task in await shown_as_it_is(api)]


async def shown_as_it_is(api: Served, **more: Any) -> list[Any]:
    """What a claim hands out, each exactly as it can be read afterwards."""
    answered = await api.client.post("/ops/tasks/claim", json={"runner_id": "r1", **more})
    given = data_of(answered)
    tasks = given if isinstance(given, list) else [given]
    read = ",".join([bare(await api.client.get(f"/ops/tasks/{task['id']}")) for task in tasks])
    assert (f"[{read}]" if isinstance(given, list) else read) == bare(answered)
    return tasks


async def test_a_claim_with_a_limit_hands_out_a_list(api: Served) -> None:
    """The most urgent first, at most `limit`."""
    await api.post("/ops/tasks", [{"id": str(place), "title": "T", "priority": 100 - place} for place in range(4)])

    assert ["3", "2", "1"] == [task["id"] for task in await api.claim(limit=3)]


async def test_a_named_task(api: Served) -> None:
    """It is handed out, or the reason why not is given."""
    await api.post("/ops/tasks", [{"id": "p", "title": "P"}, {"id": "c", "title": "C", "depends_on": ["p"]}])

    for task_id, status, code, word in [("c", 409, "not_eligible", "p"), ("ghost", 404, "not_found", "ghost")]:
        body = {"runner_id": "r1", "task_id": task_id}
        refusal = refusal_of(await api.client.post("/ops/tasks/claim", json=body))
        assert (status, code) == refusal[:2]
        assert word in refusal[2]
    assert "p" == (await api.claim("r1", task_id="p"))["id"]
    again = await api.client.post("/ops/tasks/claim", json={"runner_id": "r2", "task_id": "p"})
    assert (409, "not_eligible") == refusal_of(again)[:2]
    assert "r1" in again.json()["detail"]


async def test_a_claim_that_fails_passes_its_turn_on(api: Served, database: str) -> None:
    """Of two that wait the first is woken and refused by the database; the second has the task without being told."""
    foreign = await asyncpg.connect(database)
    await foreign.execute(REFUSE_BAD)
    waiting = []
    for place, name in enumerate(("bad", "good"), 1):
        body = {"runner_id": name, "wait_seconds": 60}
        waiting.append(asyncio.create_task(api.client.post("/ops/tasks/claim", json=body)))
        await eventually(lambda place=place: len(api.app.state.live.waiting) == place, describe="it waits")
    await foreign.execute(CREATE)
    await foreign.close()

    refused, given = [await asyncio.wait_for(each, 30) for each in waiting]
    assert (409, "a") == (refused.status_code, data_of(given)["id"])


async def test_a_paused_system_hands_out_nothing_and_says_why(api: Served) -> None:
    """423 with the reason, for named tasks too; after the resume work goes on."""
    await api.post("/ops/tasks", {"id": "a", "title": "A"})
    await api.post("/ops/system/pause", {"reason": "inventory"})

    for body in ({"runner_id": "r1"}, {"runner_id": "r1", "task_id": "a"}):
        status, code, detail = refusal_of(await api.client.post("/ops/tasks/claim", json=body))
        assert (423, "paused") == (status, code)
        assert "inventory" in detail
    await api.post("/ops/system/resume")
    assert "a" == (await api.claim())["id"]


async def test_a_long_poll_wakes_when_a_task_is_created(api: Served) -> None:
    """It ends as soon as there is work, not when its time is up."""
    waiting = asyncio.create_task(api.claim(wait_seconds=30))
    await is_waiting(api, 1)
    await api.post("/ops/tasks", {"id": "a", "title": "A"})

    assert "a" == (await asyncio.wait_for(waiting, 20))["id"]


async def test_a_long_poll_wakes_when_a_task_falls_due(api: Served) -> None:
    """A task that becomes ready with time needs nobody to say so."""
    await api.post("/ops/tasks", {"id": "a", "title": "A"})
    await api.post("/ops/tasks/a/cancel")
    await api.post("/ops/tasks/a/requeue", {"backoff_seconds": 0.3})

    assert "a" == (await api.claim(wait_seconds=30))["id"]


async def test_a_long_poll_ends_with_nothing(api: Served) -> None:
    """When its time is up: null."""
    assert await api.claim(wait_seconds=0.1) is None


async def test_each_task_goes_to_one_of_many_that_wait(api: Served) -> None:
    """The baton goes round: as many are served as there are tasks, the oldest first; the others go on waiting."""
    waiting = []
    for place in range(5):
        waiting.append(asyncio.create_task(api.claim(f"r{place}", wait_seconds=30)))
        await is_waiting(api, place + 1)
    await api.post("/ops/tasks", [{"id": str(place), "title": "T"} for place in range(3)])

    assert ["0", "1", "2"] == [task["id"] for task in await asyncio.gather(*waiting[:3])]
    assert not any(task.done() for task in waiting[3:])
    await api.post("/ops/tasks", [{"id": str(place), "title": "T"} for place in range(3, 5)])
    assert ["3", "4"] == [task["id"] for task in await asyncio.gather(*waiting[3:])]


async def test_all_that_wait_hear_of_a_pause(api: Served) -> None:
    """Each is told why it will get nothing."""
    body = {"runner_id": "r", "wait_seconds": 30}
    waiting = [asyncio.create_task(api.client.post("/ops/tasks/claim", json=body)) for _ in range(3)]
    await is_waiting(api, 3)
    await api.post("/ops/system/pause", {"reason": "stop"})

    assert [(423, "paused")] * 3 == [refusal_of(await response)[:2] for response in waiting]


async def test_a_client_that_left_is_not_waited_for(api: Served) -> None:
    """Its place is given up at once, and the next task stays ready."""
    writer = await claim_by_hand(api, wait_seconds=30)
    await is_waiting(api, 1)
    writer.transport.abort()
    await is_waiting(api, 0)
    await api.post("/ops/tasks", {"id": "a", "title": "A"})

    assert "ready" == (await api.get("/ops/tasks/a"))["status"]


async def test_what_was_claimed_for_a_client_that_left_is_handed_back(api: Served, database: str) -> None:
    """A client that goes while its claim is under way: the run is given back, and the attempt does not count."""
    await api.post("/ops/tasks", {"id": "a", "title": "A"})
    blocker = await asyncpg.connect(database)
    async with blocker.transaction():
        await blocker.execute("LOCK TABLE log.events IN SHARE MODE")
        writer = await claim_by_hand(api, wait_seconds=0)
        await eventually(lambda: somebody_waits_for_a_lock(blocker), describe="the claim waits for the lock")
        writer.transport.abort()
        await api.get("/health")  # by its answer, the server has seen that the other connection is gone
    await blocker.close()

    async def handed_back() -> bool:
        return "task.requeued" in [event["type"] for event in await api.get("/ops/events?id=a")]

    await eventually(handed_back)
    task = await api.get("/ops/tasks/a")
    assert ("ready", 0) == (task["status"], task["attempts"])


BAD_CLAIMS: list[tuple[dict[str, Any], str]] = [
    ({}, "runner_id"),
    ({"runner_id": ""}, "$.runner_id"),
    ({"runner_id": "r", "limit": 0}, "$.limit"),
    ({"runner_id": "r", "limit": -3}, "$.limit"),
    ({"runner_id": "r", "wait_seconds": -1}, "$.wait_seconds"),
    ({"runner_id": "r", "wait_seconds": 61}, "$.wait_seconds"),
    ({"runner_id": "r\n"}, "$.runner_id"),
]


async def test_a_bad_claim(api: Served) -> None:
    """A 400 names the field."""
    for body, word in BAD_CLAIMS:
        status, code, detail = refusal_of(await api.client.post("/ops/tasks/claim", json=body))
        assert (400, "invalid_input") == (status, code), body
        assert word in detail


async def is_waiting(api: Served, count: int) -> None:
    """Waits until so many claims stand in line."""
    await eventually(lambda: len(api.app.state.live.waiting) == count, describe=f"{count} claims wait")


async def claim_by_hand(api: Served, **more: Any) -> asyncio.StreamWriter:
    """Sends a claim over a socket of its own, and leaves it open."""
    _reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
    body = json.dumps({"runner_id": "r1", **more}).encode()
    head = f"POST /ops/tasks/claim HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
    return writer


async def somebody_waits_for_a_lock(connection: asyncpg.Connection) -> bool:
    """True when a session of this database waits for a lock."""
    return bool(
        await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
    )
