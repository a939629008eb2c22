"""What runs report — started, a step, done, failed — in batches, each fenced by its run.

A report counts only while its run is the task's current one. One that does not is answered with LeaseLost and
changes nothing; the others of its batch are not touched by it.

A runner that counts the events of its runs saves the engine looking their versions up: such a batch is appended as it
stands, and only when the log refuses it are its reports told apart.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import asyncpg
from asyncpg import Connection, Record
from msgspec import Struct

from events import catalog
from events.database_errors import is_refusal
from events.errors import ElRusoError, LeaseLost
from events.statements import load_statements
from events.task import TaskDone, TaskFailed, TaskStarted, TaskStep

SQL = load_statements("events", "commands.sql")

RunEvent = TaskStarted | TaskStep | TaskDone | TaskFailed


class Report(Struct, frozen=True, gc=False):
    """One event of a run. `retry` False on a failure: do not try the task again.

    `version`: the one that the event will have in its task's stream, if its writer has counted; it may be wrong.
    """

    task_id: str
    run_id: int
    event: RunEvent
    actor: str
    retry: bool = True
    version: int | None = None


run_of = attrgetter("run_id")
"""The run that a report is of."""


class Line(Struct, frozen=True, gc=False):
    """A report as report_runs_at takes it."""

    id: str
    version: int | None
    type: str
    actor: str
    data: RunEvent


class Written(Struct, frozen=True):
    """What a batch of reports did: per report a refusal or None, the last seq, whether tasks may be ready now, and the
    first place in the queue (priority, position) where children may stand that were set free."""

    refusals: list[ElRusoError | None]
    last_seq: int
    frees: bool
    first: tuple[int, int] | None = None


async def write_reports(connection: Connection, reports: Sequence[Report], resent: bool) -> Written:
    """Appends the reports in order, failures last (each is the last word of its run), in one transaction."""
    if all(_is_counted(report) for report in reports):
        try:
            return await _tell_at(connection, reports)
        except asyncpg.PostgresError as error:
            if not is_refusal(error):
                raise
    told = [report for report in reports if not isinstance(report.event, TaskFailed)]
    failed = [report for report in reports if isinstance(report.event, TaskFailed)]
    if told and failed:
        async with connection.transaction():
            heard, ended = await _tell(connection, told), await _fail(connection, failed)
    else:
        heard = await _tell(connection, told) if told else []
        ended = await _fail(connection, failed) if failed else []
    accepted = {(row["id"], row["run_id"], False) for row in heard} | {
        (row["id"], row["run_id"], True) for row in ended
    }
    if resent:
        accepted |= await _confirm(connection, [report for report in reports if _word(report) not in accepted])
    frees, first = _freed(heard[0]) if heard else (False, None)
    return Written(
        refusals=[None if _word(report) in accepted else _lost(report) for report in reports],
        last_seq=max((row["seq"] for row in (*heard, *ended)), default=0),
        frees=frees or any(row["frees"] for row in ended),
        first=first,
    )


def _is_counted(report: Report) -> bool:
    return report.version is not None and not isinstance(report.event, TaskFailed)


async def _tell_at(connection: Connection, reports: Sequence[Report]) -> Written:
    """All of them, at the versions they name, or PostgresError."""
    lines = [
        Line(report.task_id, report.version, catalog.type_name(report.event), report.actor, report.event)
        for report in sorted(reports, key=attrgetter("task_id", "version"))
    ]
    done = [report.task_id for report in reports if isinstance(report.event, TaskDone)]
    row: Any = await connection.fetchrow(
        SQL["report_runs_at"], catalog.encode(lines).decode(), catalog.encode(done).decode()
    )
    return Written([None] * len(reports), row["last_seq"], *_freed(row))


def _freed(row: Record) -> tuple[bool, tuple[int, int] | None]:
    """Whether there are children, which another end at the same moment may set free, and where those stand that are."""
    return row["is_free"] is not None, (row["priority"], row["position"]) if row["is_free"] else None


def _word(report: Report) -> tuple[str, int, bool]:
    """A run's reports of one batch are accepted together, but its failure is written after the rest, by itself."""
    return report.task_id, report.run_id, isinstance(report.event, TaskFailed)


def _key(report: Report) -> tuple[str, int]:
    return report.task_id, report.run_id


def _places(reports: Sequence[Report]) -> list[int]:
    """1, 2 … per run: how far each report's version lies above its task's current one."""
    seen: dict[tuple[str, int], int] = {}
    places = []
    for report in reports:
        place = seen[_key(report)] = seen.get(_key(report), 0) + 1
        places.append(place)
    return places


async def _tell(connection: Connection, reports: Sequence[Report]) -> list[Record]:
    rows: list[Record] = await connection.fetch(
        SQL["report_runs"],
        [report.task_id for report in reports],
        [report.run_id for report in reports],
        _places(reports),
        [catalog.type_name(report.event) for report in reports],
        [catalog.encode(report.event).decode() for report in reports],
        [report.actor for report in reports],
    )
    return rows


async def _fail(connection: Connection, reports: Sequence[Report]) -> list[Record]:
    rows: list[Record] = await connection.fetch(
        SQL["fail_runs"],
        [report.task_id for report in reports],
        [report.run_id for report in reports],
        _places(reports),
        [catalog.encode(report.event).decode() for report in reports],
        [report.retry for report in reports],
        [report.actor for report in reports],
    )
    return rows


async def _confirm(connection: Connection, reports: Sequence[Report]) -> set[tuple[str, int, bool]]:
    """Those reports that stand in the log already: their acknowledgement was lost, not they."""
    rows = await connection.fetch(
        SQL["confirm_reports"],
        [report.task_id for report in reports],
        [report.run_id for report in reports],
        [catalog.type_name(report.event) for report in reports],
        [report.event.number if isinstance(report.event, TaskStep) else None for report in reports],
    )
    return {_word(reports[row["place"] - 1]) for row in rows}


def _lost(report: Report) -> LeaseLost:
    return LeaseLost(f"run {report.run_id} is not the current run of task {report.task_id}; its report was not written")
