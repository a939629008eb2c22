"""Whatever the file and the log say: pushing what was pulled writes nothing, and neither does pulling it again."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.errors import ElRusoError
from ops.postgres.server import Server
from tests.properties.world import World, a_world
from tests.support.project import Item, Project

FILES = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
NAMES = tuple("abcdef")
STATUSES = ("ready", "running", "done", "failed", "blocked", "cancelled")


@st.composite
def files(draw: st.DrawFn) -> list[Item]:
    """A file of up to six tasks, each depending on some that come before it in the alphabet; in any order."""
    chosen = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=6))
    return [draw(entries(name, sorted(chosen)[: sorted(chosen).index(name)])) for name in chosen]


@st.composite
def entries(draw: st.DrawFn, name: str, before: list[str]) -> Item:
    """One task as somebody might write it down."""
    extras: dict[str, st.SearchStrategy[Any]] = {
        "status": st.sampled_from(STATUSES),
        "phase": st.one_of(st.none(), st.integers(0, 3), st.sampled_from(["0", "beta"])),
        "priority": st.integers(0, 1000),
        "branch": st.sampled_from([None, "main"]),
        "blocked_by": st.lists(st.sampled_from(["REQ-001", "REQ-009"]), max_size=2),
        "timeout_seconds": st.sampled_from([None, 60, 60.5]),
        "next_run_at": st.sampled_from([None, "2020-01-01T00:00:00Z", "2020-01-01T02:00:00+02:00"]),
        "steps": st.sampled_from([[], [{"name": "x", "cmd": "true"}]]),
        "acceptance": st.sampled_from([None, {}, {"expected_files": ["x"]}]),
        "nota": st.text(max_size=3),
    }
    said = {field: draw(value) for field, value in extras.items() if draw(st.booleans())}
    depends_on = draw(st.lists(st.sampled_from(before), unique=True)) if before else []
    return {"title": draw(st.sampled_from(["t", "T"])), "depends_on": depends_on, **said, "id": name}


wishes = st.lists(st.tuples(st.sampled_from(("requeue", "cancel", "block", "run")), st.sampled_from(NAMES)), max_size=6)


async def live(world: World, wishes: list[tuple[str, str]]) -> None:
    """Let something happen in the log; what is not possible does not."""
    for wish, name in wishes:
        try:
            match wish:
                case "requeue":
                    await world.commands.requeue(name, actor="human:ana")
                case "cancel":
                    await world.commands.cancel(name, None, "human:ana")
                case "block":
                    await world.commands.block(name, "why not", "human:ana")
                case "run":
                    await world.commands.claim_task("r1", name, "runner:r1")
        except ElRusoError:
            continue


@pytest.fixture
def world(postgres: Server) -> Iterator[World]:
    """A database for many files."""
    with a_world(postgres) as world:
        yield world


@pytest.mark.timeout(300)
def test_what_was_pulled_is_pushed_for_nothing(world: World, tmp_path: Path) -> None:
    """push, life, another file pushed, pull: from then on push appends nothing and pull leaves every byte."""
    project = Project(tmp_path, world.database.url)

    async def story(first: list[Item], happens: list[tuple[str, str]], second: list[Item]) -> None:
        await world.wipe()
        for file in (first, second):
            project.write(*file)
            await push_if_possible(project)
            await live(world, happens)
        project.write(*first)
        await push_if_possible(project)
        await project.pull()
        pulled, events = project.tasks.read_bytes(), await project.events()
        lines = await project.push()
        assert [] == [line for line in lines if line.key.startswith(("sync.new", "sync.moved", "sync.definition"))]
        assert events == await project.events()
        await project.pull()
        assert pulled == project.tasks.read_bytes()
        statuses = await project.statuses()
        assert statuses == {entry["id"]: entry["status"] for entry in project.read() if entry["id"] in statuses}
        assert set(statuses) <= {entry["id"] for entry in project.read()}

    @FILES
    @given(files(), wishes, files())
    def check(first: list[Item], happens: list[tuple[str, str]], second: list[Item]) -> None:
        world.run(story(first, happens, second))

    check()


async def push_if_possible(project: Project) -> None:
    """A file whose tasks depend on unknown ones is refused; then nothing has happened."""
    before = await project.events()
    try:
        await project.push()
    except ElRusoError:
        assert before == await project.events()
    await asyncio.sleep(0)
