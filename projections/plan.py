"""What a directive plans, part by part: as much of each task as is read before it is decided."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from asyncpg import Pool
from msgspec import Struct

from events.statements import load_statements
from events.task import Phase, Step
from projections.ask import ask

_sql = load_statements("projections", "directives.sql")


class PlannedBrief(Struct, frozen=True):
    """A planned task; `wave`: those of one wave can run beside each other. `status` is None until it exists.

    Long texts are cut. `secrets` is whatever its parameters say.
    """

    id: str
    title: str
    wave: int
    depends_on: Sequence[str]
    status: str | None = None
    body: str | None = None
    phase: Phase | None = None
    steps: Sequence[Step] = ()
    allowed_scope: Sequence[str] = ()
    secrets: Any = None


class PlanPage(Struct, frozen=True):
    """A part of a plan; `total` tasks and `commands` has all of it."""

    tasks: list[PlannedBrief]
    total: int
    commands: int


class _Task(Struct, frozen=True):
    """A task as the statement tells of it. Those before the page are told of no further than their wave needs."""

    id: str
    title: str | None = None
    depends_on: Sequence[str] | None = None
    status: str | None = None
    body: str | None = None
    phase: Phase | None = None
    steps: Sequence[Step] | None = None
    allowed_scope: Sequence[str] | None = None
    secrets: Any = None


class _Page(Struct, frozen=True):
    before: list[_Task]
    tasks: list[_Task]
    total: int
    commands: int


_page = msgspec.json.Decoder(_Page)


async def find_plan(pool: Pool, directive_id: str, after: int, limit: int) -> PlanPage | None:
    """The `limit` tasks behind the first `after`; None: there is no such directive."""
    found = await ask(pool, _sql["page_of_plan"], directive_id, after, limit)
    if not found:
        return None
    page = _page.decode(found)
    wave = waves((task.id, task.depends_on or ()) for task in (*page.before, *page.tasks))
    return PlanPage([_brief(task, wave[task.id]) for task in page.tasks], page.total, page.commands)


def waves(tasks: Iterable[tuple[str, Sequence[str]]]) -> dict[str, int]:
    """For each task, given with those it depends on, the wave it belongs to, from 1. Parents stand before children."""
    found: dict[str, int] = {}
    for name, parents in tasks:
        found[name] = 1 + max((found.get(parent, 0) for parent in parents), default=0)
    return found


def _brief(task: _Task, wave: int) -> PlannedBrief:
    return PlannedBrief(
        id=task.id,
        title=task.title or task.id,
        wave=wave,
        depends_on=task.depends_on or (),
        status=task.status,
        body=task.body,
        phase=task.phase,
        steps=task.steps or (),
        allowed_scope=task.allowed_scope or (),
        secrets=task.secrets,
    )
