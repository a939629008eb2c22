"""Runs of the planner against a server that answers as a model might: well, badly, late, or not at all."""

import asyncio
import json
from typing import Any

import pytest

from events.request import RequestProvided
from events.requests import Wanted
from events.task import TaskCreated
from tests.ops.planner.planning import KEY, Desk, planning
from tests.support.openai_server import OpenAiServer, Reply, fails, proposes, says
from tests.support.waiting import eventually

CUT = """
    SELECT pg_terminate_backend(pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
    WHERE l.locktype = 'advisory' AND l.objid::bigint = hashtext('planner')::bigint & 4294967295
      AND d.datname = current_database()
"""
TASKS = [
    {"title": "build", "steps": [{"name": "make", "cmd": "make"}]},
    {"title": "test", "steps": [{"name": "test", "cmd": "make test"}], "depends_on": ["build"]},
]
GOOD = {"title": "Green builds", "body": "b", "tasks_to_create": TASKS}
OTHER = {"title": "Faster builds", "tasks_to_create": [{"title": "cache", "body": "Put a cache in place."}]}
ITSELF = {"title": "Circle", "tasks_to_create": [{"title": "a", "body": "b", "depends_on": ["a"]}]}
WRONG_TYPES = {"title": 7, "tasks_to_create": [{"title": "t", "steps": "make"}]}
HALF = json.dumps({"directives": [GOOD]})[:90]


async def test_a_run_creates_directives_and_tasks(desk: Desk) -> None:
    """The runbook's answer: what was created, the directives whole, model and usage; an event with all of it."""
    desk.model.will(proposes(GOOD, OTHER))
    done = await desk.run(environment="staging")

    assert (2, 3, "gpt-4.1") == (done["directives_created"], done["tasks_created"], done["model"])
    assert {"prompt_tokens": 1000, "completion_tokens": 200, "total_tokens": 1200} == {
        name: done["usage"][name] for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    }
    assert ["PENDING", "PENDING"] == [directive["status"] for directive in done["directives"]]
    assert ["build", "test"] == [task["title"] for task in done["directives"][0]["tasks_to_create"]]
    assert {"ready"} == {task["status"] for task in await desk.api.get("/ops/tasks")}
    [event] = await desk.events("planner")
    assert ("planner.completed", "human:local", "staging") == (
        event["type"],
        event["actor"],
        event["data"]["environment"],
    )
    assert 0.0036 == pytest.approx(event["data"]["cost"])
    assert [each["id"] for each in done["directives"]] == event["data"]["directives"]
    proposed = await desk.events("directive")
    assert [("gpt", event["seq"])] * 2 == [(each["actor"], each["cause"]) for each in proposed]
    assert [KEY] == desk.model.keys


async def test_what_the_model_is_asked(desk: Desk) -> None:
    """The model, the strict schema, a cap on its answer, and the project's state with the environment."""
    desk.model.will(proposes())
    await desk.run(environment="staging")

    [asked] = desk.model.asked
    assert ("gpt-4.1", 16_384) == (asked["model"], asked["max_completion_tokens"])
    assert (True, "json_schema") == (
        asked["response_format"]["json_schema"]["strict"],
        asked["response_format"]["type"],
    )
    assert ["system", "user"] == [message["role"] for message in asked["messages"]]
    assert "environment: staging" in desk.model.prompt()


USED: dict[str, tuple[list[Reply], int, int]] = {  # what the model answers, how many directives, in how many rounds
    "in a fence": ([says(f"```json\n{json.dumps([GOOD])}\n```")], 1, 1),
    "words around it": ([says(f"Sure!\n{json.dumps({'directives': [GOOD]})}\nAnything else?")], 1, 1),
    "nothing to do": ([proposes()], 0, 1),
    "garbage": ([says("Here you are: soup."), proposes(GOOD)], 1, 2),
    "half": ([says(HALF), proposes(GOOD)], 1, 2),
    "cut off": ([says("", finish_reason="length"), proposes(GOOD)], 1, 2),
    "wrong types": ([proposes(WRONG_TYPES), proposes(GOOD)], 1, 2),
    "a circle, mended": ([proposes(GOOD, ITSELF), proposes(GOOD, OTHER)], 2, 2),
    "a circle, then garbage": ([proposes(GOOD, ITSELF), says("soup")], 1, 2),
    "a circle, then 400": ([proposes(GOOD, ITSELF), fails(400)], 1, 2),
    "fifty": ([proposes(*({"title": f"D{n}"} for n in range(50)))], 10, 1),
    "500 twice": ([fails(500), fails(500), proposes(GOOD)], 1, 1),
    "429": ([fails(429, retry_after_ms="5"), proposes(GOOD)], 1, 1),
    "neither": ([fails(400, "max_completion_tokens?"), fails(400, "json_schema?"), proposes(GOOD)], 1, 1),
    "no response_format": ([fails(400, "response_format is not supported"), proposes(GOOD)], 1, 1),
}
UNUSED: dict[str, tuple[list[Reply], str, str]] = {  # what it answers, the outcome, words of the error
    "garbage": ([says("soup"), says("more soup")], "invalid_answer", "not JSON"),
    "half": ([says(HALF)], "invalid_answer", "not JSON"),
    "wrong types": ([proposes(WRONG_TYPES)], "invalid_answer", "directives[0].title"),
    "itself": ([proposes(ITSELF)], "invalid_answer", "depends on itself"),
    "other JSON": ([says('{"mood": "good"}')], "invalid_answer", "expected an array"),
    "too long": ([says("x", finish_reason="length")], "invalid_answer", "cut off"),
    "a refusal": ([says("", refusal="I would rather not")], "refused", "I would rather not"),
    "filtered": ([says("", finish_reason="content_filter")], "refused", "content filter"),
    "always 500": ([fails(500)], "model_error", "500"),
    "key refused": ([fails(401, "bad key")], "unauthorized", "REQ-009"),
    "no credit": ([fails(429, "no credit", x_should_retry="false")], "rate_limited", "no credit"),
    "no such model": ([fails(404, "no such model")], "model_error", "no such model"),
    "no JSON at all": ([Reply(b"<html>")], "model_error", "cannot be read"),
    "not OpenAI's": ([Reply(b'{"hello": "world"}')], "model_error", "OPENAI_BASE_URL"),
}


async def test_answers_that_can_be_used(desk: Desk) -> None:
    """Fences and words around the JSON do no harm; a bad answer is mended once; what is good of it is created."""
    for case, (replies, directives, rounds) in USED.items():
        desk.model.will(*replies)
        done = await desk.run()

        event = (await desk.events("planner"))[-1]
        assert ("planner.completed", rounds) == (event["type"], event["data"].get("rounds", 1)), case
        pending = await desk.api.get("/ops/directives", params={"status": "PENDING"})
        assert directives == done["directives_created"] == len(pending), case
        assert len(replies) == len(desk.model.asked), case
        for directive in pending:
            await desk.api.patch(f"/ops/directives/{directive['id']}", {"status": "REJECTED"})


async def test_answers_that_cannot_be_used(database: str, model: OpenAiServer) -> None:
    """502 with the run's id, an event with the outcome, and nothing created; the next run is free to begin."""
    async with planning(database, model, retries=1) as desk:
        for case, (replies, outcome, words) in UNUSED.items():
            model.will(*replies)
            status, refusal = await desk.fail()

            event = (await desk.events("planner"))[-1]
            assert (502, "planner_failed") == (status, refusal["error"]), case
            assert {"run_id": event["id"], "outcome": outcome} == refusal["meta"], case
            assert ("planner.failed", outcome) == (event["type"], event["data"]["outcome"]), case
            assert words in event["data"]["error"], case
            assert words in refusal["detail"], case
            assert (0, 0) == await desk.created(), case
        model.will(proposes(GOOD))
        assert 1 == (await desk.run())["directives_created"]
        assert len(UNUSED) == len(await desk.api.get("/ops/gpt/runs", params={"status": "failed"}))


async def test_a_key_that_cannot_be_one_is_not_sent(desk: Desk) -> None:
    """A placeholder with an ellipsis in it: the key is wrong, not the server's answer."""
    desk.secrets.values["OPENAI_API_KEY"] = "sk-…"
    _, refusal = await desk.fail()
    assert "unauthorized" == refusal["meta"]["outcome"]
    assert "store a valid one" in refusal["detail"]
    assert [] == desk.model.asked


async def test_a_stall_ends_at_the_limit(database: str, model: OpenAiServer) -> None:
    """No answer in time: the run fails, and what it may have cost counts against the budget."""
    async with planning(database, model, seconds=0.4, budget=0.5) as desk:
        model.will(proposes(GOOD, stalls=True))
        status, refusal = await desk.fail()

        assert (502, "timeout") == (status, refusal["meta"]["outcome"])
        assert "ELRUSO_PLANNER_SECONDS" in refusal["detail"]
        [event] = await desk.events("planner")
        assert event["data"]["usage"]["estimated"]
        assert (await desk.api.get("/ops/gpt/status"))["spent_today"] == event["data"]["cost"] > 0.1
        assert (0, 0) == await desk.created()


async def test_an_unreachable_server(database: str, model: OpenAiServer) -> None:
    """Nobody listens there: the run says so."""
    model.url = "http://127.0.0.1:1/v1"
    async with planning(database, model, retries=0) as desk:
        status, refusal = await desk.fail()

        assert (502, "unreachable") == (status, refusal["meta"]["outcome"])
        assert "http://127.0.0.1:1/v1" in refusal["detail"]


async def test_the_model_is_shown_its_own_errors(desk: Desk) -> None:
    """The second round has the first answer and each problem with its place."""
    desk.model.will(proposes(WRONG_TYPES), proposes(GOOD))
    await desk.run()

    assistant, user = desk.model.asked[1]["messages"][2:]
    assert "assistant" == assistant["role"]
    assert json.loads(assistant["content"])["directives"] == [WRONG_TYPES]
    assert "directives[0].title: Expected `str`, got `int`" in user["content"]
    assert "directives[0].tasks_to_create[0].steps" in user["content"]


async def test_what_is_refused_says_why(desk: Desk) -> None:
    """In the answer, in the event, in the list of runs; duplicates of pending directives are refused, not mended."""
    desk.model.will(proposes(GOOD))
    first = await desk.run()
    desk.model.will(proposes(GOOD, OTHER | {"colour": "red"}, ITSELF))
    second = await desk.run()

    reasons = {each["title"]: each["reason"] for each in second["refused"]}
    assert first["directives"][0]["id"] in reasons["Green builds"]
    assert "depends on itself" in reasons["Circle"]
    assert ["kept an unknown field: colour"] == second["directives"][0]["notes"]
    newest, oldest = await desk.api.get("/ops/gpt/runs")
    assert (second["run_id"], first["run_id"]) == (newest["id"], oldest["id"])
    assert newest["refused"] == second["refused"]
    assert (1, 1, "created") == (newest["directives_created"], newest["tasks_created"], newest["outcome"])


async def test_ids_that_collide_get_a_new_one(desk: Desk) -> None:
    """For a directive and for a task; what depends on the task follows; the notes say so."""
    await desk.api.post("/ops/tasks", {"id": "T-1", "title": "mine"})
    await desk.api.post("/ops/directives", {"id": "D-1", "title": "mine too"})
    tasks = [{"id": "T-1", "title": "theirs", "body": "b"}, {"title": "next", "body": "b", "depends_on": ["T-1"]}]
    desk.model.will(proposes({"id": "D-1", "title": "Theirs", "tasks_to_create": tasks}))
    [directive] = (await desk.run())["directives"]

    assert "D-1" != directive["id"]
    theirs, following = directive["tasks_to_create"]
    assert "T-1" != theirs["id"]
    assert [theirs["id"]] == following["depends_on"]
    assert ["D-1", "T-1"] == [note.split()[2] for note in directive["notes"]]
    assert "mine" == (await desk.api.get("/ops/tasks/T-1"))["title"]


async def test_only_one_runs_at_a_time(desk: Desk) -> None:
    """The second gets 409 with the first one's id; how far the first is can be seen meanwhile."""
    desk.model.will(proposes(GOOD, stalls=True))
    first = asyncio.create_task(desk.run())
    await desk.model.saw(1)

    async def stage() -> dict[str, Any]:
        seen: dict[str, Any] = (await desk.api.get("/ops/gpt/status"))["running"]
        return seen if seen and seen["stage"] == "asking" else {}

    running = await eventually(stage)
    assert ("gpt-4.1", "production", "human:local") == tuple(
        running[key] for key in ("model", "environment", "started_by")
    )
    status, refusal = await desk.fail()
    assert (409, "planner_busy", {"run_id": running["run_id"]}) == (status, refusal["error"], refusal["meta"])
    assert running["run_id"] in refusal["detail"]

    desk.model.released.set()
    assert running["run_id"] == (await first)["run_id"]
    after = await desk.api.get("/ops/gpt/status")
    assert (None, running["run_id"], "completed") == (
        after["running"],
        after["last"]["run_id"],
        after["last"]["status"],
    )


async def test_a_retry_can_be_seen(desk: Desk) -> None:
    """While the client waits to ask again, the status says what the server said."""
    desk.model.will(fails(429, retry_after="0.4"), proposes(GOOD))
    run = asyncio.create_task(desk.run())

    async def detail() -> bool:
        running = (await desk.api.get("/ops/gpt/status"))["running"]
        return bool(running and "429" in (running["detail"] or ""))

    await eventually(detail)
    assert 1 == (await run)["directives_created"]


async def test_a_lost_lock_ends_the_run(desk: Desk) -> None:
    """A database that restarted may have given the planner's lock to another run: nothing is created."""
    desk.model.will(proposes(GOOD, stalls=True))
    run = asyncio.create_task(desk.fail())
    await desk.model.saw(1)
    assert await desk.api.pool.fetchval(CUT)
    desk.model.released.set()

    _, refusal = await run
    assert "interrupted" == refusal["meta"]["outcome"]
    assert (0, 0) == await desk.created()


async def test_a_stop_interrupts_the_run(database: str, model: OpenAiServer) -> None:
    """Leaving the planner ends what is under way, notes it, and creates nothing."""
    async with planning(database, model) as desk:
        model.will(proposes(GOOD, stalls=True))
        waiting = asyncio.create_task(desk.fail())
        await model.saw(1)
        await desk.planner.__aexit__()

        status, refusal = await waiting
        assert (502, "planner_failed") == (status, refusal["error"])
        [event] = await desk.events("planner")
        assert "interrupted" == event["data"]["outcome"]
        assert (0, 0) == await desk.created()


async def test_without_a_key(desk: Desk) -> None:
    """409 with the next step, REQ-009 WAITING; once the value is there it works, without a restart."""
    desk.secrets.values.clear()
    for _ in range(2):
        status, refusal = await desk.fail()
        assert (409, "openai_key_missing") == (status, refusal["error"])
        assert "/ops/requests/REQ-009/value" in refusal["detail"]
    [opened] = await desk.events("request")
    assert ("REQ-009", "request.opened") == (opened["id"], opened["type"])
    assert not (await desk.api.get("/ops/gpt/status"))["has_key"]
    assert [] == await desk.events("planner")

    desk.secrets.values["OPENAI_API_KEY"] = "sk-other-0123456789abcdefghij"
    desk.model.will(proposes(GOOD))
    assert 1 == (await desk.run())["directives_created"]
    assert ["sk-other-0123456789abcdefghij"] == desk.model.keys


async def test_a_key_that_vanished_is_asked_for_again(desk: Desk) -> None:
    """Provided once and gone: REQ-009 is WAITING again."""
    await desk.api.commands.requests.open([Wanted("REQ-009")], "gpt")
    await desk.api.commands.requests.provide("REQ-009", RequestProvided(["OPENAI_API_KEY"]), "human:ana")
    desk.secrets.values.clear()
    await desk.fail()

    assert "request.opened" == (await desk.events("request"))[-1]["type"]


async def test_the_budget_is_kept(database: str, model: OpenAiServer) -> None:
    """What could cost more than is left of the day is not asked; the refusal says what was spent and what to do."""
    async with planning(database, model, budget=0.2, output_tokens=20_000) as desk:
        model.will(proposes(GOOD, usage={"prompt_tokens": 50_000, "completion_tokens": 0, "total_tokens": 50_000}))
        await desk.run()
        status, refusal = await desk.fail()

        assert (409, "planner_budget_spent") == (status, refusal["error"])
        assert "$0.10 of today's $0.20" in refusal["detail"]
        assert "ELRUSO_PLANNER_BUDGET" in refusal["detail"]
        assert 0.1 == pytest.approx(refusal["meta"]["spent"])
        assert 1 == len(model.asked) == len(await desk.events("planner"))
        assert (await desk.api.get("/ops/gpt/status"))["running"] is None


async def test_a_model_without_a_price_is_not_asked(database: str, model: OpenAiServer) -> None:
    """The budget could not be kept; the refusal shows the entry to add."""
    async with planning(database, model, name="tulu-9") as desk:
        status, refusal = await desk.fail()

        assert (409, "planner_budget_spent") == (status, refusal["error"])
        assert "tulu-9=2/8" in refusal["detail"]
        assert [] == model.asked


async def test_a_secret_never_reaches_the_model_or_the_log(desk: Desk) -> None:
    """Neither in a prompt nor in what is created from an answer, nor in the event of the run."""
    secret = "hunter2-hunter2"
    desk.secrets.values["DATABASE_PASSWORD"] = secret
    await desk.api.commands.create_tasks([("t", TaskCreated(f"use {secret} now"))], "human:ana")
    leak = {"title": f"Log in with {secret}", "tasks_to_create": [{"title": "t", "body": secret}]}
    desk.model.will(proposes(leak, GOOD), proposes(leak, GOOD))
    done = await desk.run()

    assert ["Green builds"] == [directive["title"] for directive in done["directives"]]
    assert ["Log in with [redacted]"] == [each["title"] for each in done["refused"]]
    assert all(secret not in desk.model.prompt(0) for _ in desk.model.asked)
    assert "use [redacted] now" in desk.model.prompt(0)
    for kind in ("planner", "directive"):
        assert secret not in json.dumps(await desk.events(kind))


async def test_compose_shows_the_prompt(desk: Desk) -> None:
    """The whole of it with its length; nothing is asked and nothing is written."""
    await desk.api.post("/ops/tasks", {"id": "T-7", "title": "the seventh"})
    composed = await desk.api.post("/ops/gpt/compose", {"environment": "production"})

    assert composed["char_count"] == len(composed["prompt"])
    assert "T-7" in composed["prompt"]
    assert [] == desk.model.asked == await desk.events("planner")
    desk.model.will(proposes())
    await desk.run()
    assert composed["prompt"].splitlines()[0] == desk.model.prompt().splitlines()[0]
