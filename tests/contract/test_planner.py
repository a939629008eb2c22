"""A planner that answers in the first El Ruso's later contract, or partly wrong."""

import json
from typing import Any

import msgspec
import pytest

from events.guardrails import check
from events.proposal import read_answer
from tests.api.serving import Served
from tests.ops.planner.planning import planning
from tests.support.openai_server import openai_server, proposes

LATER: dict[str, Any] = {
    "directive_id": "DIR-7",
    "objective": "Ordenar la documentación",
    "context_summary": "Nadie encuentra nada.",
    "success_criteria": ["Hay un índice."],
    "risks": [{"id": "R1", "text": "se pierden enlaces", "severity": "high"}, "otro"],
    "scope_type": "docs",
    "allowed_scope": ["docs/**"],
    "estimated_impact": {"hours": 2},
    "apply_notes": "de día",
    "tasks_to_create": [
        {
            "task_id": "T-1",
            "title": "Escribir el índice",
            "description": "Uno corto.",
            "priority": 1,
            "steps": [{"name": "w", "cmd": "true"}],
            "acceptance": {"expected_files": ["docs/INDEX.md"], "checks": ["test -s docs/INDEX.md"]},
            "owner": "ana",
        },
        {
            "task_id": "T-2",
            "title": "Revisar",
            "depends_on": ["T-1"],
            "allowed_scope": ["README.md"],
        },
    ],
}
BAD = {"title": 7}
CIRCLE = {"title": "Circle", "tasks_to_create": [{"title": "a", "body": "b", "depends_on": ["a"]}]}
OURS = {"title": "Ours", "tasks_to_create": [{"title": "urgent", "body": "b", "priority": 1}]}


def check_later(directive: Any, first: Any, second: Any) -> None:
    """What became of LATER: the directive and its two tasks, as they are answered."""
    assert ("Ordenar la documentación", "Nadie encuentra nada.") == (directive["title"], directive["body"])
    assert ["Hay un índice."] == directive["acceptance_criteria"]
    assert ["R1 (high): se pierden enlaces", "otro"] == directive["risks"]
    kept = ("scope_type", "allowed_scope", "estimated_impact", "apply_notes")
    assert {name: LATER[name] for name in kept} | {"tasks_to_create[0].owner": "ana"} == directive["extra"]
    assert ("T-1", "Uno corto.", 20, ["docs/**"]) == tuple(
        first[name] for name in ("id", "body", "priority", "allowed_scope")
    )
    assert [{"name": "test -s docs/INDEX.md", "cmd": "test -s docs/INDEX.md"}] == first["acceptance"]["checks"]
    assert (["T-1"], ["README.md"], 100) == tuple(second[name] for name in ("depends_on", "allowed_scope", "priority"))


async def test_a_planner_speaks_the_later_contract(database: str) -> None:
    """It is understood whole, unknown fields stand in the event, and ours beside it keeps its own priorities."""
    async with openai_server() as model, planning(database, model) as desk:
        model.will(proposes(LATER, OURS))
        done = await desk.run()
        assert (2, 3, []) == (done["directives_created"], done["tasks_created"], done["refused"])
        later, ours = done["directives"]
        tasks = {task["id"]: task for task in await desk.api.get("/ops/tasks")}
        check_later(later, tasks["T-1"], tasks["T-2"])
        assert [1] == [tasks[task["id"]]["priority"] for task in ours["tasks_to_create"]]
        event = (await desk.events("directive"))[0]
        assert later["extra"] == event["data"]["extra"]


@pytest.mark.parametrize("whole", [LATER, [LATER], {"directives": [LATER]}])
async def test_it_can_be_pasted(api: Served, whole: Any) -> None:
    """Also over POST /ops/directives, alone, in an array, or in an object."""
    posted = await api.post("/ops/directives", whole)
    directive = posted if isinstance(posted, dict) else posted[0]
    tasks = {task["id"]: task for task in await api.get("/ops/tasks")}
    check_later(directive, tasks["T-1"], tasks["T-2"])


async def test_one_bad_directive_refuses_none_of_the_others(api: Served) -> None:
    """The good ones are created, the others named with their reasons; posted again, the same is answered."""
    await api.post("/ops/directives", {"id": "taken", "title": "Taken"})
    twin = {"title": "Taken"}
    body = [BAD, OURS | {"id": "ours"}, CIRCLE, {"id": "taken", "title": "Other"}, twin]
    response = await api.client.post("/ops/directives", json=body)
    assert 201 == response.status_code
    assert ["ours"] == [each["id"] for each in response.json()["data"]]
    refused = {each["title"]: each["reason"] for each in response.json()["meta"]["refused"]}
    assert {"directives[0].title", "Circle", "Other", "Taken"} == refused.keys()
    again = await api.client.post("/ops/directives", json=body)
    assert (200, ["ours"]) == (again.status_code, [each["id"] for each in again.json()["data"]])
    none = await api.client.post("/ops/directives", json=[CIRCLE, twin])
    assert (422, "directive_refused", 2) == (
        none.status_code,
        none.json()["error"],
        len(none.json()["meta"]["refused"]),
    )


def test_what_is_kept_is_screened_and_bounded() -> None:
    """A secret in an unknown field refuses the directive; what is too much is left out, and noted."""
    [proposed] = read_answer(json.dumps({"title": "A", "mood": "hush"})).directives
    assert check(proposed, lambda text: text.replace("hush", "…")).draft is None
    many = {"title": "A", **{f"field{number}": "x" * 1000 for number in range(200)}}
    [proposed] = read_answer(json.dumps(many)).directives
    assert 50 == len(proposed.extra)
    assert len(msgspec.json.encode(proposed.extra)) < 100_000
    draft = check(proposed, str).draft
    assert draft is not None
    assert draft.extra == proposed.extra
