"""Whose run is it: every address that changes something, asked by every role, of one's own run, of another's, and of
one that has ended."""

import asyncio
from typing import Any, Literal

import pytest
from msgspec import Struct

from api.app import ENDPOINTS
from api.permissions import ROLES_OF
from api.runner_ids import RunnerIds
from events.connect import Database
from events.errors import Forbidden
from runner.postgres_link import PostgresLink
from runner.settings import Settings
from tests.api.serving import Served, data_of, refusal_of, serving
from tests.api.test_auth import bearer

Who = Literal["own", "foreign", "ended", "operator", "viewer", "admin"]
WHO: tuple[Who, ...] = ("own", "foreign", "ended", "operator", "viewer", "admin")
CHUNKS = {"chunks": [{"number": 1, "step": 1, "stream": "stdout", "data": "forged"}]}
NO = 403
LATE = 409


class Case(Struct, frozen=True):
    """A request about the run of the runner `a-1`, and the status that each is answered with, in the order of WHO.

    own: the token of that runner. foreign: another runner's. ended: the own token, after the run's end.
    """

    path: str
    body: dict[str, Any]
    answers: tuple[int, int, int, int, int, int]


CASES: dict[tuple[str, str], list[Case]] = {
    ("POST", "/ops/runner/heartbeat"): [
        Case("/ops/runner/heartbeat", {"runner_id": "a-1", "status": status}, (200, NO, 200, NO, NO, 200))
        for status in (None, "started", "stopped")
    ],
    ("POST", "/ops/runner/release"): [
        Case("/ops/runner/release", {"runner_id": "a-1"}, (200, NO, 200, NO, NO, 200)),
    ],
    ("POST", "/ops/tasks/claim"): [
        Case("/ops/tasks/claim", {"runner_id": "a-1"}, (200, NO, 200, NO, NO, 200)),
    ],
    ("POST", "/ops/tasks/{task_id:path}/requeue"): [
        Case("/ops/tasks/{task}/requeue", {}, (200, NO, NO, 200, NO, 200)),
        Case("/ops/tasks/{task}/requeue", {"run_id": "{run}"}, (200, NO, NO, 200, NO, 200)),
    ],
    ("POST", "/ops/tasks/{task_id:path}/cancel"): [
        Case("/ops/tasks/{task}/cancel", {}, (NO, NO, NO, 200, NO, 200)),
    ],
    ("POST", "/ops/tasks/{task_id:path}/priority"): [
        Case("/ops/tasks/{task}/priority", {"priority": 1}, (NO, NO, NO, LATE, NO, LATE)),
    ],
    ("PATCH", "/ops/tasks/{task_id:path}"): [
        Case("/ops/tasks/{task}", {"status": "cancelled"}, (NO, NO, NO, 200, NO, 200)),
        Case("/ops/tasks/{task}", {"status": "ready"}, (200, NO, NO, 200, NO, 200)),
        Case("/ops/tasks/{task}", {"status": "blocked"}, (200, NO, NO, 200, NO, 200)),
        Case("/ops/tasks/{task}", {"status": "failed", "last_error": "x"}, (200, NO, NO, 200, NO, 200)),
        Case("/ops/tasks/{task}", {"status": "failed", "claimed_by": "a-1"}, (200, NO, NO, 200, NO, 200)),
        Case("/ops/tasks/{task}", {"status": "done"}, (200, NO, 200, NO, NO, 200)),  # done already: nothing is written
        Case("/ops/tasks/waiting", {"status": "running", "claimed_by": "a-1"}, (200, NO, 200, NO, NO, 200)),
    ],
    ("POST", "/runs"): [Case("/runs", {"task_id": "{task}"}, (201, NO, LATE, NO, NO, 201))],
    ("PATCH", "/runs/{run_id}"): [
        Case("/runs/{run}", {"status": "failed", "error": "x"}, (200, NO, LATE, NO, NO, 200)),
        Case("/runs/{run}", {"status": "done"}, (200, NO, 200, NO, NO, 200)),  # said twice
    ],
    ("POST", "/runs/{run_id}/steps"): [
        Case("/runs/{run}/steps", {"step_name": "s", "exit_code": 0}, (201, NO, LATE, NO, NO, 201)),
    ],
    ("POST", "/runs/{run_id}/output"): [Case("/runs/{run}/output", CHUNKS, (201, NO, LATE, NO, NO, 201))],
    ("POST", "/runs/{run_id}/artifacts"): [
        Case("/runs/{run}/artifacts", {"patch": "p"}, (201, NO, 201, NO, NO, 201)),
        Case("/runs/{run}/artifacts", {"kind": "diffstat", "content": "d"}, (201, NO, 201, NO, NO, 201)),
    ],
}
"""What is about a runner or its run."""
NOT_ABOUT_RUNS = {
    *("/ops/tasks", "/runners/{runner_id:path}/drain", "/runners/{runner_id:path}/resume"),
    *("/ops/directives", "/ops/directives/{directive_id:path}/apply", "/ops/directives/{directive_id:path}"),
    *("/ops/gpt/run", "/ops/gpt/compose", "/ops/requests", "/ops/requests/{request_id}"),
    *("/ops/requests/{request_id}/value", "/ops/requests/{request_id}/validate"),
    *("/ops/system/pause", "/ops/system/resume"),
    *("/ops/actions/migrate", "/ops/actions/sync-push", "/ops/actions/sync-pull"),
}
"""What a role alone decides: tests/api/test_auth.py."""


def test_every_address_is_named_here() -> None:
    """A new address that changes something must say what it does to runs of others, and asks for a known permission."""
    changing = {(each.method, each.path) for each in ENDPOINTS if each.method != "GET"}
    assert changing == CASES.keys() | {key for key in changing if key[1] in NOT_ABOUT_RUNS and key not in CASES}
    assert {each.permission for each in ENDPOINTS} <= ROLES_OF.keys()
    assert not any(each.method != "GET" and each.permission in ("none", "read") for each in ENDPOINTS)


@pytest.fixture
async def tokens(api: Served) -> dict[str, dict[str, str]]:
    """The headers of each who asks."""
    a = bearer(await api.tokens.create_token("a", "runner"))
    others = {role: bearer(await api.tokens.create_token(role, role)) for role in ("operator", "viewer", "admin")}
    return {"own": a, "ended": a, "foreign": bearer(await api.tokens.create_token("b", "runner")), **others}


@pytest.mark.parametrize(
    ("method", "case"),
    [(method, case) for (method, _path), cases in CASES.items() for case in cases],
    ids=lambda value: value if isinstance(value, str) else f"{value.path} {value.body}",
)
async def test_a_runner_speaks_for_its_own_runs(
    api: Served, tokens: dict[str, dict[str, str]], method: str, case: Case
) -> None:
    """Each is answered as the table says; what is refused changes nothing, and is written nowhere."""
    for who, expected in zip(WHO, case.answers, strict=True):
        run = await begin_run(api, tokens, who)
        path = case.path.replace("{task}", run["id"]).replace("{run}", run["run_id"])
        body = {
            key: run["run_id"] if value == "{run}" else run["id"] if value == "{task}" else value
            for key, value in case.body.items()
        }
        before = await written(api)
        response = await api.client.request(method, path, json=body, headers=tokens[who])
        assert response.status_code == expected, (who, response.text)
        if not response.is_success:
            assert before == await written(api), who


async def begin_run(api: Served, tokens: dict[str, dict[str, str]], who: Who) -> Any:
    """A task `waiting` that is ready, and one that the runner a-1 executes; or has done, for `ended`."""
    operator, runner = tokens["operator"], tokens["own"]
    await api.post("/ops/runner/heartbeat", {"runner_id": "a-1"}, headers=runner)
    await api.post("/ops/runner/release", {"runner_id": "a-1"}, headers=runner)
    for old in await api.get("/ops/tasks?status=ready", headers=operator):
        await api.post(f"/ops/tasks/{old['id']}/cancel", headers=operator)
    if (await api.client.get("/ops/tasks/waiting", headers=operator)).is_success:
        await api.post("/ops/tasks/waiting/requeue", headers=operator)
    else:
        await api.post("/ops/tasks", {"id": "waiting", "title": "W"}, headers=operator)
    await api.post("/ops/tasks", {"id": f"t-{who}", "title": "T"}, headers=operator)
    claim = {"runner_id": "a-1", "task_id": f"t-{who}"}
    run = await api.post("/ops/tasks/claim", claim, headers=runner)
    if who == "ended":
        await api.patch(f"/runs/{run['run_id']}", {"status": "done"}, headers=runner)
    return run


async def written(api: Served) -> list[int]:
    """How much there is of everything that a runner writes."""
    return [await api.pool.fetchval(f"SELECT count(*) FROM log.{name}") for name in ("events", "output", "artifacts")]


# ---------------------------------------------------------------------- ids


async def test_an_id_belongs_to_its_first_token_for_good(api: Served, database: str) -> None:
    """Also for another process, and when the token is replaced by another of its name."""
    a, b = [bearer(await api.tokens.create_token(name, "runner")) for name in "ab"]
    for path in ("/ops/runner/heartbeat", "/ops/runner/release", "/ops/tasks/claim"):
        await api.post(path, {"runner_id": f"vm-1{path}"}, headers=a)
        status, code, detail = refusal_of(await api.client.post(path, json={"runner_id": f"vm-1{path}"}, headers=b))
        assert (status, code, "ELRUSO_RUNNER_ID" in detail) == (403, "forbidden", True)
        await api.post(path, {"runner_id": f"vm-2{path}"}, headers=a)  # several processes of one machine

    await api.tokens.revoke_token("a")
    renewed = bearer(await api.tokens.create_token("a", "runner"))
    async with serving(database) as restarted:
        body = {"runner_id": "vm-1/ops/tasks/claim"}
        assert (await restarted.client.post("/ops/runner/heartbeat", json=body, headers=renewed)).is_success
        assert 403 == (await restarted.client.post("/ops/runner/heartbeat", json=body, headers=b)).status_code


async def test_of_two_tokens_at_once_one_has_the_id(api: Served) -> None:
    """Two processes bind the same new id: both are told the same owner."""
    for name in "ab":
        await api.tokens.create_token(name, "runner")
    for number in range(20):
        one, two = RunnerIds(api.pool), RunnerIds(api.pool)
        owners = await asyncio.gather(one.bind(f"r{number}", "a"), two.bind(f"r{number}", "b"))
        assert owners[0] == owners[1] in ("a", "b")


async def test_an_id_used_without_a_token_is_nobodys(api: Served, database: str) -> None:
    """By a runner over PostgreSQL, or before there were tokens; and the other way round, an id of a token is not for a
    runner over PostgreSQL."""
    await api.post("/ops/runner/heartbeat", {"runner_id": "early"})
    await api.post("/ops/tasks", {"id": "a", "title": "A"})
    await api.claim("earlier")
    headers = bearer(await api.tokens.create_token("a", "runner"))
    settings = Settings(runner_id="direct")
    async with PostgresLink(Database(database), settings) as link:
        await link.started({})
    for runner in ("early", "earlier", "direct"):
        response = await api.client.post("/ops/runner/heartbeat", json={"runner_id": runner}, headers=headers)
        assert (403, "without a token" in response.text) == (response.status_code, True)

    await api.post("/ops/runner/heartbeat", {"runner_id": "mine"}, headers=headers)
    async with PostgresLink(Database(database), Settings(runner_id="mine")) as link:
        with pytest.raises(Forbidden, match="belongs to the token a"):
            await link.started({})


async def test_the_run_of_a_runner_over_postgresql_is_out_of_reach(api: Served) -> None:
    """A token that has bound no such id cannot report it, nor does the attempt give it the id."""
    await api.post("/ops/tasks", {"id": "a", "title": "A"})
    run = (await api.commands.claim("direct", 1, "runner:direct")).tasks[0].run_id
    headers = bearer(await api.tokens.create_token("a", "runner"))
    for method, path in (("PATCH", f"/runs/{run}"), ("PATCH", "/ops/tasks/a")):
        response = await api.client.request(method, path, json={"status": "done"}, headers=headers)
        assert 403 == response.status_code
    assert 0 == await api.pool.fetchval("SELECT count(*) FROM log.runner_ids")


# ---------------------------------------------------------------------- drains


async def test_no_runner_ends_its_drain_over_http(api: Served) -> None:
    """Neither by coming up again, nor by leaving and coming back: only an operator ends it."""
    runner = bearer(await api.tokens.create_token("a", "runner"))
    operator = bearer(await api.tokens.create_token("o", "operator"))
    beat = {"runner_id": "a-1"}
    await api.post("/ops/runner/heartbeat", beat, headers=runner)
    await api.post("/runners/a-1/drain", headers=operator)
    await api.post("/ops/tasks", {"id": "a", "title": "A"}, headers=operator)
    for status in ("started", None, "stopped", None, "stopped", "started"):
        answer = await api.post("/ops/runner/heartbeat", {**beat, "status": status}, headers=runner)
        assert status == "stopped" or answer["draining"] is True
        refused = await api.client.post("/ops/tasks/claim", json=beat, headers=runner)
        assert (423, "draining") == refusal_of(refused)[:2], status

    await api.post("/runners/a-1/resume", headers=operator)
    assert "a" == data_of(await api.client.post("/ops/tasks/claim", json=beat, headers=runner))["id"]
