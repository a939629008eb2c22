"""The prompt: the same material gives the same text; bounded, redacted, the most important first."""

import os
from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.planner.material import (
    KnownDirective,
    KnownPlan,
    KnownRequest,
    KnownRun,
    KnownStep,
    KnownTask,
    Material,
    gather,
)
from ops.planner.prompt import compose
from ops.planner.sections import LINE, Section, render, shortened
from projections.views import Views
from runner.redact import Redactor
from tests.api.serving import Served
from tests.ops.planner.planning import DEFINITIONS, write_memory

SNAPSHOT = Path(__file__).parent / "prompt.snapshot.md"
KEY = "sk-0123456789abcdefghijkl"
MATERIAL = Material(
    environment="production",
    context="# Project\nA shop for boats.\nTests: make test",
    decisions="# Decisions\n\n## 2026-01-02 · Old\nUse make.\n\n## 2026-03-04 · New\nUse just.\n",
    metrics={"tasks": {"ready": 2, "failed": 1}, "runs": {"fail_rate_last_20": 0.25, "last_run_at": None}},
    ready=[
        KnownTask("T-2", "paint the hull", "ready", phase=3, priority=10),
        KnownTask("T-3", "launch", "ready", depends_on=["T-2"]),
    ],
    running=[KnownTask("T-1", "build the hull", "running", attempts=1)],
    blocked=[KnownTask("T-4", "deploy", "blocked", attempts=4, last_error=f"401 for {KEY}\n  at line 7")],
    done=[KnownTask("T-0", "buy wood", "done")],
    requests=[
        KnownRequest("REQ-001", "PROVIDED", "Supabase", "store boats", scopes=["SUPABASE_URL"]),
        KnownRequest("REQ-009", "WAITING", "OpenAI", reason="to plan", scopes=["OPENAI_API_KEY"]),
    ],
    pending=[KnownDirective("d-1", "Sell boats", "PENDING", [KnownPlan("set up a shop"), KnownPlan("print flyers")])],
    decided=[KnownDirective("d-0", "Sell planes", "REJECTED", reason="we only do boats")],
    runs=[
        KnownRun("12", "T-4", "failed", error="exit status 1", steps=[KnownStep("push", 1, "git push", "denied")]),
        KnownRun("11", "T-0", "done", summary="3 steps"),
    ],
)


def plain(text: str) -> str:
    """No redaction."""
    return text


def test_the_prompt_is_the_snapshot() -> None:
    """Every section, in order, from one of everything. ELRUSO_TEST_WRITE_DOCS=1 writes the snapshot anew."""
    text = compose(MATERIAL, 20_000, 5, Redactor([]).redact).text
    if os.environ.get("ELRUSO_TEST_WRITE_DOCS"):
        SNAPSHOT.write_text(text)

    assert SNAPSHOT.read_text() == text
    assert KEY not in text


def test_the_same_material_gives_the_same_prompt() -> None:
    """And the same hash; another environment gives another one."""
    first, again = (compose(MATERIAL, 20_000, 5, plain) for _ in range(2))
    other = compose(msgspec.structs.replace(MATERIAL, environment="staging"), 20_000, 5, plain)

    assert (first.text, first.digest) == (again.text, again.digest)
    assert first.digest != other.digest


LINES = st.lists(st.text(max_size=2 * LINE), max_size=30)


@settings(deadline=None, max_examples=60)
@given(context=st.text(max_size=5000), titles=LINES, errors=LINES, room=st.integers(4_000, 12_000))
def test_a_prompt_keeps_its_length(context: str, titles: list[str], errors: list[str], room: int) -> None:
    """Whatever the project looks like."""
    material = Material(
        context=context,
        decisions=context,
        ready=[KnownTask(f"T-{number}", title, "ready") for number, title in enumerate(titles)],
        runs=[KnownRun(str(number), "T", "failed", error=error) for number, error in enumerate(errors)],
    )
    assert len(compose(material, room, 5, plain).text) <= room


@settings(deadline=None, max_examples=60)
@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=40),
    before=st.text(max_size=700),
    room=st.integers(4_000, 9_000),
)
def test_a_secret_is_never_in_a_prompt(secret: str, before: str, room: int) -> None:
    """Wherever it stands in the material, and wherever the room ends: half of it would not be known as one."""
    redact = Redactor([secret]).redact
    told = f"{before} {secret} {before}"
    material = Material(
        environment=secret,
        context=told,
        decisions=told,
        metrics={"tasks": {secret: 1}},
        blocked=[KnownTask("T", told, "blocked", last_error=told)] * 9,
        requests=[KnownRequest("R", "WAITING", told)],
        pending=[KnownDirective("d", told, "PENDING", [KnownPlan(told)])],
        runs=[KnownRun("1", "T", "failed", error=told, steps=[KnownStep(told, 1, told, told, told)])],
    )
    user = compose(material, room, 5, redact).user
    assert secret not in user


def test_what_matters_least_is_left_out() -> None:
    """The first lines of a section stay, the others are counted; the middle of a long line goes."""
    section = Section("Tasks", 100, [f"- task {number}" for number in range(100)])
    text = render([section], 120)

    assert text.startswith("## Tasks\n- task 0\n- task 1\n")
    assert text.endswith("more left out)\n\n")
    assert len(text) <= 120
    long = shortened("a" * 1000 + "b" * 1000)
    assert long.startswith("aaa")
    assert long.endswith("bbb")
    assert len(long) <= LINE


def test_what_one_section_leaves_another_has() -> None:
    """A small section gives its room away."""
    small, large = Section("Small", 50, ["- one"]), Section("Large", 50, ["- line"] * 100)
    alone = render([large], 200).count("- line")

    assert render([small, large], 400).count("- line") > alone


async def test_it_is_gathered_from_the_views_and_the_memory_files(api: Served, tmp_path: Path) -> None:
    """The workspace's own files go before ours; tasks, failures with their steps, directives, requests are there."""
    write_memory(tmp_path, GPT_CONTEXT="Boats only.")
    await api.post("/ops/tasks", [{"id": "T-1", "title": "fails", "max_attempts": 1}, {"id": "T-2", "title": "waits"}])
    run_id = (await api.claim())["run_id"]
    await api.post(f"/runs/{run_id}/steps", {"step_name": "push", "exit_code": 1, "output_excerpt": "denied"})
    await api.patch(f"/runs/{run_id}", {"status": "failed", "error": "exit status 1"})
    await api.post("/ops/directives", {"title": "Sell", "required_requests": [{"request_id": "REQ-7"}]})

    material = await gather(Views(api.pool), tmp_path, "production", DEFINITIONS)

    assert "Boats only." == material.context
    assert "Decisiones" in material.decisions
    assert (["T-2"], ["T-1"]) == ([task.id for task in material.ready], [task.id for task in material.blocked])
    assert [("push", 1, "denied")] == [
        (step.name, step.exit_code, step.output_excerpt) for step in material.runs[0].steps
    ]
    assert (["Sell"], ["REQ-7", "REQ-009"]) == (
        [each.title for each in material.pending],
        [each.id for each in material.requests],
    )
