"""`sync push` and `sync pull` of REQUESTS.json."""

import json
from pathlib import Path
from typing import Any

import pytest

from events.commands import Commands
from events.request import RequestDefinition, RequestProvided
from events.requests import Wanted
from ops.errors import OperatorError
from ops.memory import OURS
from tests.support.project import Item, Project

KEY: Item = {"id": "REQ-009", "service": "OpenAI", "type": "api_key", "scopes": ["OPENAI_API_KEY"], "purpose": "plan"}


@pytest.fixture
def project(tmp_path: Path, database: str) -> Project:
    """A workspace, nothing pushed yet, without tasks."""
    opened = Project(tmp_path, database)
    opened.write()
    return opened


async def request(project: Project, request_id: str = "REQ-009") -> dict[str, Any]:
    """A request as the view has it."""
    [row] = await project.fetch("SELECT * FROM view.requests WHERE id = $1", request_id)
    return dict(row)


async def provide(project: Project) -> None:
    """The operator hands in the key."""
    async with Commands(project.database) as commands:
        await commands.requests.provide("REQ-009", RequestProvided(["OPENAI_API_KEY"], "vault"), "human:ana")


def said(lines: list[Any]) -> list[str]:
    """Which lines name a request."""
    return [line.key.removeprefix("sync.") for line in lines if "id" in line.facts]


async def test_definitions_are_asked_for_once(project: Project) -> None:
    """Each request of the file is opened once, with its definition; the same file again appends nothing."""
    project.write_requests(KEY, {"id": "REQ-001", "service": "Supabase"})
    assert ["new_request"] * 2 == said(await project.push())
    assert [("REQ-001", "request.opened"), ("REQ-009", "request.opened")] == await project.events("request")
    assert [] == said(await project.push())
    assert 2 == len(await project.events("request"))
    found = await request(project)
    assert "WAITING" == found["status"]
    assert {name: KEY[name] for name in KEY if name != "id"} == json.loads(found["definition"])


async def test_the_files_we_ship_can_be_pushed(project: Project) -> None:
    """REQUESTS.json and TASKS.json as they come along are what a push takes, twice."""
    for name in ("REQUESTS.json", "TASKS.json"):
        (project.tasks.parent / name).write_bytes((OURS / name).read_bytes())
    await project.push()
    assert {"REQ-001", "REQ-005", "REQ-009"} <= {request_id for request_id, _ in await project.events("request")}
    assert await project.events("task")
    assert [] == said(await project.push())


async def test_values_do_not_travel_with_the_file(project: Project) -> None:
    """A request that was provided elsewhere waits here, and the push says how to provide it."""
    project.write_requests(KEY | {"status": "PROVIDED"})
    assert ["new_request", "values_stay_behind"] == said(await project.push())
    assert "WAITING" == (await request(project))["status"]
    assert ["values_stay_behind"] == said(await project.push())  # as long as it is so
    await provide(project)
    assert [] == said(await project.push())


async def test_tools_have_no_values(project: Project) -> None:
    """A request for a tool may name anything in its scopes, and is provided if the file says so."""
    tool = {"id": "REQ-006", "service": "Docker", "type": "tool", "scopes": ["docker build", "20.10+"]}
    project.write_requests(tool | {"status": "PROVIDED"}, tool | {"id": "REQ-007", "status": "REJECTED"})
    lines = await project.push()
    assert ["new_request", "tool_request"] * 2 == said(lines)
    statuses = {name: (await request(project, name))["status"] for name in ("REQ-006", "REQ-007")}
    assert {"REQ-006": "PROVIDED", "REQ-007": "WITHDRAWN"} == statuses
    assert [] == said(await project.push())
    await project.pull()
    assert tool["scopes"] == json.loads(project.requests.read_text())[0]["scopes"]
    assert [] == said(await project.push())


@pytest.mark.parametrize(
    ("change", "status"),
    [({"purpose": "something else"}, "PROVIDED"), ({"scopes": ["OPENAI_API_KEY", "OPENAI_BASE_URL"]}, "WAITING")],
)
async def test_a_changed_definition_asks_anew_only_if_values_are_missing(
    project: Project, change: Item, status: str
) -> None:
    """Words may change and the values stay; other variables must be provided."""
    project.write_requests(KEY)
    await project.push()
    await provide(project)
    before = await request(project)
    project.write_requests(KEY | change)
    [line] = [line for line in await project.push() if line.key == "sync.changed_request"]
    assert (status, ", ".join(change)) == (line.facts["status"], line.facts["fields"])
    after = await request(project)
    assert status == after["status"]
    assert (before["place"] if status == "PROVIDED" else None) == after["place"]
    assert [] == said(await project.push())


async def test_withdrawn_stays_withdrawn(project: Project) -> None:
    """The file may withdraw a request; it does not bring back what was withdrawn since it was written."""
    project.write_requests(KEY)
    await project.push()
    project.write_requests(KEY | {"status": "WITHDRAWN"})
    assert ["changed_request"] == said(await project.push())
    assert "WITHDRAWN" == (await request(project))["status"]
    project.write_requests(KEY | {"purpose": "changed"})
    assert [] == said(await project.push())
    async with Commands(project.database) as commands:
        await commands.requests.open([Wanted("REQ-009")], "human:ana")
    project.write_requests(KEY | {"status": "WITHDRAWN"})
    assert [] == said(await project.push())
    assert "WAITING" == (await request(project))["status"]


async def test_pull_tells_the_status_and_adds_what_the_planner_asked_for(project: Project) -> None:
    """The file learns statuses and new requests, keeps its order and its words, and a push of it appends nothing."""
    other = {"id": "REQ-001", "service": "Supabase", "type": "credential"}
    project.write_requests(KEY | {"validation_cmd": None}, other)
    await project.push()
    await provide(project)
    async with Commands(project.database) as commands:
        await commands.requests.open([Wanted("REQ-100", RequestDefinition("Render", scopes=["TOKEN"]))], "gpt")
    assert ["rewritten", "rewritten", "added_request"] == said(await project.pull())
    assert [
        KEY | {"validation_cmd": None, "status": "PROVIDED"},
        other | {"status": "WAITING"},
        {"id": "REQ-100", "service": "Render", "scopes": ["TOKEN"], "status": "WAITING"},
    ] == json.loads(project.requests.read_text())
    before = project.requests.read_bytes()
    assert [] == said(await project.push())
    assert [] == said(await project.pull())
    assert before == project.requests.read_bytes()


async def test_a_bad_file_takes_the_tasks_back_too(project: Project) -> None:
    """Both files are pushed, or neither."""
    project.write({"id": "a", "title": "a"})
    project.write_requests({"id": "REQ-009"})
    with pytest.raises(OperatorError, match="REQ-009"):
        await project.push()
    assert [] == await project.events()


async def test_what_the_vault_holds_is_provided_at_once(project: Project) -> None:
    """A request that is new to the log and whose values the vault holds is provided by the same push."""
    project.keyring.vault.set({"OPENAI_API_KEY": "sk-of-the-vault"}, False)
    project.write_requests(KEY, {"id": "REQ-001", "service": "Supabase", "scopes": ["OPENAI_API_KEY", "OTHER"]})
    await project.push()
    assert ["PROVIDED", "WAITING"] == [(await request(project, each))["status"] for each in ("REQ-009", "REQ-001")]
    assert [] == said(await project.push())


async def test_secrets_are_not_pushed(project: Project) -> None:
    """A file with a value of the vault in it is refused by the variable's name, whole."""
    project.keyring.vault.set({"OPENAI_API_KEY": 'sk-"of"-the-vault'}, False)
    step = {"name": "x", "cmd": 'export KEY=sk-"of"-the-vault'}
    project.write({"id": "ok", "title": "ok"}, {"id": "a", "title": "a", "steps": [step]})
    with pytest.raises(OperatorError, match=r"a: it holds .* the value of OPENAI_API_KEY"):
        await project.push()
    assert [] == await project.events()
