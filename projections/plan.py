"""The plan of a directive, page by page: complete tasks, with the commands that a run of each executes."""

from collections.abc import Iterable, Sequence

import msgspec
from asyncpg import Pool
from msgspec import Struct

from events.execution import ExecutedCommand, executed_commands
from events.statements import load_statements
from events.task import TaskCreated
from projections.ask import ask

_sql = load_statements("projections", "directives.sql")


class Plan(TaskCreated, frozen=True, forbid_unknown_fields=False):
    """A planned task as it will be created. Fields that only later versions know are ignored."""


class PlanEntry(Struct, frozen=True):
    """A task of a plan. Tasks of one `wave` can run concurrently. `status` is None until the task exists."""

    id: str
    plan: Plan
    wave: int
    status: str | None = None

    @property
    def commands(self) -> list[ExecutedCommand]:
        """What a run of it executes, in order."""
        return executed_commands(self.id, self.plan)


class PlanPage(Struct, frozen=True):
    """A part of a plan of `total` tasks. `digest` is that of the whole plan, byte for byte as the log has it."""

    tasks: list[PlanEntry]
    total: int
    digest: str


class _Task(Struct, frozen=True):
    id: str
    plan: Plan
    status: str | None = None


class _Earlier(Struct, frozen=True):
    """A task before the page, as far as its wave needs it."""

    id: str
    depends_on: Sequence[str] | None = None


class _Page(Struct, frozen=True):
    before: list[_Earlier]
    tasks: list[_Task]
    total: int
    digest: str


_page = msgspec.json.Decoder(_Page)


async def find_plan(pool: Pool, directive_id: str, after: int, limit: int) -> PlanPage | None:
    """The `limit` tasks behind the first `after`; None: there is no such directive."""
    found = await ask(pool, _sql["page_of_plan"], directive_id, after, limit)
    if not found:
        return None
    page = _page.decode(found)
    earlier = [(task.id, task.depends_on or ()) for task in page.before]
    wave = waves([*earlier, *((task.id, task.plan.depends_on) for task in page.tasks)])
    tasks = [PlanEntry(task.id, task.plan, wave[task.id], task.status) for task in page.tasks]
    return PlanPage(tasks, page.total, page.digest)


async def find_plan_digest(pool: Pool, directive_id: str) -> str | None:
    """The digest of what a directive plans; None: there is no such directive."""
    digest: str | None = await pool.fetchval(_sql["plan_digest"], directive_id)
    return digest


def waves(tasks: Iterable[tuple[str, Sequence[str]]]) -> dict[str, int]:
    """For each task, given with those it depends on, the wave it belongs to, from 1. Parents stand before children."""
    found: dict[str, int] = {}
    for name, parents in tasks:
        found[name] = 1 + max((found.get(parent, 0) for parent in parents), default=0)
    return found
