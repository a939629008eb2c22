"""`sync push` and `sync pull` of TASKS.json."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from events.commands import Commands
from events.errors import DependencyCycle, UnknownDependency
from ops.errors import OperatorError
from projections.audit import audit
from tests.support.project import Item, Project


@pytest.fixture
def project(tmp_path: Path, database: str) -> Project:
    """A workspace, nothing pushed yet."""
    return Project(tmp_path, database)


def item(id: str, *depends_on: str, **rest: Any) -> Item:  # noqa: A002
    """An entry of the file."""
    return {"id": id, "title": f"task {id}", "depends_on": list(depends_on), **rest}


def said(lines: list[Any]) -> list[tuple[str, str | None]]:
    """What was said about which task, without the counts at the end."""
    return [(line.key.removeprefix("sync."), line.facts.get("id")) for line in lines if "id" in line.facts]


async def last_facts(lines: list[Any], key: str) -> dict[str, Any]:
    """The facts of the one line with that key."""
    [line] = [line for line in lines if line.key == key]
    facts: dict[str, Any] = line.facts
    return facts


# ---------------------------------------------------------------------------------------------- new tasks


async def test_two_thousand_tasks_once(project: Project) -> None:
    """Each task of a file of 2 000 with dependencies is one event; pushed again the file is none."""
    items = [item(f"T-{n}", *(f"T-{n - step}" for step in (1, 40) if n >= step), priority=n % 7) for n in range(2000)]
    project.write(*reversed(items))
    await project.push()
    events = await project.events()
    assert [("task.created")] * 2000 == [event_type for _id, event_type in events]
    assert ["*"] == project.hints[:1]
    lines = await project.push()
    assert [] == said(lines)
    assert events == await project.events()
    assert 2 == len(project.hints)


async def test_dry_run_writes_nothing(project: Project) -> None:
    """A rehearsal says what the push then says, and appends nothing."""
    project.write(item("a"), item("b", "a", status="done"), item("c", status="cancelled"))
    rehearsed = await project.push(dry_run=True)
    assert [] == await project.events()
    assert rehearsed == await project.push()
    assert await project.events()


async def test_the_first_el_rusos_file_keeps_its_statuses(project: Project) -> None:
    """What was done, failed, blocked or cancelled elsewhere is so here, parents first; nobody runs it."""
    project.write(
        item("late", "early", status="done", phase=0, branch="main", blocked_by=[]),
        item("early", status="done", phase=0, branch="main", blocked_by=["REQ-002"], directive_id="DIR-063"),
        item("broken", "late", status="failed"),
        item("held", "late", status="blocked"),
        item("off", status="cancelled", directive_id="DIR-063"),
        item("on", "late", status="running"),
        item("next", "on", status="ready", phase="2"),
    )
    lines = await project.push()
    assert ("runs_elsewhere", "on") in said(lines)
    expected = {"late": "done", "early": "done", "broken": "failed", "held": "blocked", "off": "cancelled"}
    assert expected | {"on": "ready", "next": "ready"} == await project.statuses()
    [queue] = await project.fetch("SELECT array_agg(id) AS ids FROM view.ready")
    assert ["on"] == queue["ids"]
    assert [] == await project.fetch("SELECT FROM view.runs UNION ALL SELECT FROM view.run_counts")
    assert (await audit(project.database.connect_direct, lambda *_: None)).identical


async def test_what_ended_waits_for_nothing(project: Project) -> None:
    """A task that is done although its parent is not is created without that parent, and the push says so."""
    project.write(item("open"), item("closed", "open", status="done"))
    assert ("left_out_parent", "closed") in said(await project.push())
    assert {"open": "ready", "closed": "done"} == await project.statuses()
    assert [] == said(await project.push())
    await project.pull()
    assert [[], []] == [entry["depends_on"] for entry in project.read()]


async def test_children_of_what_failed_are_blocked(project: Project) -> None:
    """A new task below one that failed elsewhere is blocked at once, as it would be here; the file may say so too."""
    project.write(item("a", status="failed"), item("b", "a"), item("c", "b", status="blocked"))
    await project.push()
    assert {"a": "failed", "b": "blocked", "c": "blocked"} == await project.statuses()
    assert [] == said(await project.push())


# ------------------------------------------------------------------------------------------ known tasks


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"title": "another"}, ["title"]),
        ({"priority": 1, "steps": [{"name": "x", "cmd": "true"}]}, ["steps", "priority"]),
        ({"depends_on": []}, ["depends_on"]),
        ({"depends_on": ["b", "a"]}, []),
        ({"priority": 100, "branch": None, "phase": None, "params": {}}, []),
    ],
)
async def test_a_definition_is_never_rewritten(project: Project, changes: Item, fields: list[str]) -> None:
    """What differs from what was asked for is named, field by field, and nothing is appended."""
    entries = [item("a"), item("b"), item("c", "a", "b")]
    project.write(*entries)
    await project.push()
    before = await project.events()
    project.write(*entries[:2], entries[2] | changes)
    lines = await project.push()
    assert fields == [line.facts["field"] for line in lines if line.key == "sync.definition_stays"]
    assert before == await project.events()


MOVES = [
    ("ready", "done", ["done"]),
    ("failed", "done", ["requeued", "done"]),
    ("blocked", "done", ["requeued", "done"]),
    ("cancelled", "done", ["requeued", "done"]),
    ("ready", "failed", ["failed"]),
    ("ready", "blocked", ["blocked"]),
    ("failed", "blocked", ["blocked"]),
    ("running", "blocked", ["blocked"]),
    ("ready", "cancelled", ["cancelled"]),
    ("running", "cancelled", ["cancelled"]),
    ("failed", "cancelled", ["cancelled"]),
    ("blocked", "cancelled", ["cancelled"]),
    ("running", "done", "not_while_running"),
    ("running", "failed", "not_while_running"),
    ("done", "cancelled", "not_from_there"),
    ("done", "failed", "not_from_there"),
    ("cancelled", "blocked", "not_from_there"),
    *((status, "ready", "") for status in ("running", "done", "failed", "blocked", "cancelled")),
    *((status, "running", "") for status in ("ready", "done", "failed", "blocked", "cancelled")),
]


async def test_a_status_becomes_the_events_it_means(project: Project) -> None:
    """A status the task was never in is reached by legal events or refused; `ready` asks for nothing."""
    running = [f"{source}-{target}" for source, target, _outcome in MOVES if source == "running"]
    names = {f"{source}-{target}": (source, target, outcome) for source, target, outcome in MOVES}
    project.write(*(item(name, priority=1) for name in running))
    await project.push()
    async with Commands(project.database) as commands:
        await commands.claim("r1", len(running), "runner:r1")
    others = [item(name, status=source) for name, (source, _target, _outcome) in names.items() if source != "running"]
    project.write(*others)
    await project.push()
    assert {name: source for name, (source, _target, _outcome) in names.items()} == await project.statuses()

    before = len(await project.events())
    project.write(*(item(name, status=target) for name, (_source, target, _outcome) in names.items()))
    lines = await project.push()
    events, statuses = (await project.events())[before:], await project.statuses()
    refused = [(key, name) for key, name in said(lines) if key.startswith("not_")]
    for name, (source, target, outcome) in names.items():
        written = [event_type.removeprefix("task.") for each, event_type in events if each == name]
        refusals = [key for key, each in refused if each == name]
        if isinstance(outcome, str):
            assert ([], [outcome] if outcome else [], source) == (written, refusals, statuses[name]), name
        else:
            assert (outcome, [], target) == (written, [], statuses[name]), name
    assert refused == [line for line in said(await project.push()) if line[0] != "moved"]
    assert before + len(events) == len(await project.events())


@pytest.mark.parametrize("status", ["cancelled", "blocked", "failed"])
async def test_an_old_file_takes_nothing_back(project: Project, status: str) -> None:
    """A task that was in the file's status and went on since stays where it is, and the push counts it as behind."""
    project.write(item("a", status=status))
    await project.push()
    async with Commands(project.database) as commands:
        await commands.requeue("a", actor="human:ana")
    before = await project.events()
    lines = await project.push()
    assert 1 == (await last_facts(lines, "sync.behind"))["count"]
    assert before == await project.events()
    await project.pull()
    assert "ready" == project.read()[0]["status"]


async def test_a_chain_is_done_in_its_own_order(project: Project) -> None:
    """Tasks said to be done are done parents first, whatever their order in the file, and free who waits for them."""
    chain = [item(f"t{n}", *([f"t{n - 1}"] if n else [])) for n in range(6)]
    project.write(*chain)
    await project.push()
    project.write(*(entry | {"status": "done"} for entry in reversed(chain[:5])), chain[5])
    await project.push()
    assert {f"t{n}": "done" for n in range(5)} | {"t5": "ready"} == await project.statuses()
    [queue] = await project.fetch("SELECT array_agg(id) AS ids FROM view.ready")
    assert ["t5"] == queue["ids"]


async def test_done_before_its_parents_is_refused(project: Project) -> None:
    """A known task cannot be done while one it depends on is not; the parents are named."""
    project.write(item("a"), item("b", "a"))
    await project.push()
    project.write(item("a"), item("b", "a", status="done"))
    lines = await project.push()
    assert [("not_before_parents", "b")] == said(lines)
    assert {"a": "ready", "b": "ready"} == await project.statuses()


async def test_two_pushes_at_once_are_one(project: Project) -> None:
    """Of two pushes of the same file at the same time one writes, the other finds everything as it should be."""
    project.write(*(item(f"t{n}", *([f"t{n - 1}"] if n else []), status="done") for n in range(20)))
    outcomes = await asyncio.gather(*(project.push() for _ in range(4)))
    assert [0, 0, 0, 20] == sorted([(await last_facts(lines, "sync.pushed"))["new"] for lines in outcomes])
    assert 40 == len(await project.events())


# -------------------------------------------------------------------------------------------- bad files


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("[{", "sync.not_json", "line 1"),
        ("\xff", "sync.not_json", "utf-8"),
        ('{"task": []}', "sync.no_list", "tasks"),
        ("[1]", "sync.no_list", "list of objects"),
        ('[{"id": "a"}]', "sync.bad_entry", "`title`"),
        ('[{"title": "a"}]', "sync.bad_entry", "`id`"),
        ('[{"id": "a", "title": "a", "status": "dun"}]', "sync.bad_entry", "dun"),
        (
            '[{"id": "ok", "title": "a"}, {"id": "a", "title": "a", "steps": [{"name": "x"}]}]',
            "sync.bad_entry",
            "entry 2",
        ),
        ('[{"id": "a", "title": "a", "priority": -1}]', "sync.bad_entry", "$.priority"),
        ('[{"id": "a", "title": "a"}, {"id": "a", "title": "b"}]', "sync.twice", "a"),
    ],
)
async def test_a_bad_file_is_named_and_left(project: Project, text: str, key: str, words: str) -> None:
    """A file that will not do is refused with its place and what is wrong; nothing is written, by push nor by pull."""
    project.tasks.write_bytes(text.encode("latin-1"))
    for attempt in (project.push, project.pull):
        with pytest.raises(OperatorError, match=re.escape(words)) as refused:
            await attempt()
        assert key == refused.value.key
    assert [] == await project.events()
    assert text.encode("latin-1") == project.tasks.read_bytes()


@pytest.mark.parametrize(
    ("items", "refusal", "words"),
    [
        ([item("a", "b"), item("b", "a")], DependencyCycle, "a → b → a"),
        ([item("a", "a")], DependencyCycle, "a → a"),
        ([item("x"), item("a", "b"), item("c", "d")], UnknownDependency, "a depends on b; c depends on d"),
    ],
)
async def test_what_could_never_run_is_refused_whole(
    project: Project, items: list[Item], refusal: type[Exception], words: str
) -> None:
    """A cycle or an unknown dependency refuses the whole file, with all names."""
    project.write(*items)
    with pytest.raises(refusal, match=words.replace("→", ".")):
        await project.push()
    assert [] == await project.events()


async def test_strange_fields_are_named_and_kept(project: Project) -> None:
    """A field that no task has is named, with what it may have meant, and stays; what the API adds is known."""
    project.write(item("a", dependson=[], nota="mía", attempts=3, created_at="2026-01-01"))
    lines = await project.push()
    assert [("misspelt_field", "a"), ("unknown_field", "a")] == said(lines)[:2]
    await project.pull()
    assert "mía" == project.read()[0]["nota"]


# ------------------------------------------------------------------------------------------------- pull


async def test_pull_changes_what_differs_and_nothing_else(project: Project) -> None:
    """Entries keep order, their own words and unknown fields; a file that says so already is not even touched."""
    project.tasks.write_text(
        '{"version": 1, "tasks": [\n {"id":"b","title":"B","depends_on":["a"],"status":"READY"},\n'
        ' {"title":"A","id":"a","timeout_seconds":60,"status":"ready"}]}'
    )
    await project.push()
    before = project.tasks.read_text()
    await project.pull()
    assert before == project.tasks.read_text()
    async with Commands(project.database) as commands:
        await commands.cancel("b", None, "human:ana")
    await project.pull()
    expected = json.loads(before)
    expected["tasks"][0]["status"] = "cancelled"
    assert expected == json.loads(project.tasks.read_text())


async def test_pull_leaves_other_words_for_the_same(project: Project) -> None:
    """Another order of names, another offset of a time, a default written out: what means the same is left as it is."""
    project.write(item("a"), item("b"), item("c", "a", "b", next_run_at="2020-01-01T00:00:00Z"))
    await project.push()
    other = {"status": "ready", "next_run_at": "2020-01-01T02:00:00+02:00", "priority": 100, "phase": None}
    project.write(*(item(name, status="ready") for name in "ab"), item("c", "b", "a", **other))
    before = project.tasks.read_bytes()
    await project.pull()
    assert before == project.tasks.read_bytes()


async def test_pull_adds_what_only_the_log_knows(project: Project) -> None:
    """Tasks of the log follow in the order of their creation, with all that was asked for; a pull of that is none."""
    definition = {"phase": "2", "steps": [{"name": "x", "cmd": "true"}], "priority": 5, "params": {"k": [1]}}
    project.write(item("z"), item("a", "z", **definition))
    await project.push()
    project.write(item("mine", nota=1))
    await project.pull()
    ids = [entry["id"] for entry in project.read()]
    assert ["mine", "z", "a"] == ids
    assert {"id": "a", "title": "task a", "status": "ready", "depends_on": ["z"], **definition} == project.read()[2]
    assert "mine" not in await project.statuses()
    before = project.tasks.read_bytes()
    await project.pull()
    assert before == project.tasks.read_bytes()


async def test_open_tasks_bring_their_parents(project: Project) -> None:
    """With `only_open` what is over is left out, save parents of what is not: the file can be pushed anywhere."""
    project.write(
        item("old", status="done"), item("root", status="done"), item("mid", "root", status="done"), item("leaf", "mid")
    )
    await project.push()
    project.tasks.unlink()
    project.tasks.write_text("[]")
    await project.pull(only_open=True)
    assert ["root", "mid", "leaf"] == [entry["id"] for entry in project.read()]


async def test_pull_can_be_rehearsed(project: Project) -> None:
    """A rehearsed pull says what it would do and leaves the file."""
    project.write(item("a"))
    await project.push()
    project.write()
    lines = await project.pull(dry_run=True)
    assert [("added", "a")] == said(lines)
    assert [] == project.read()
