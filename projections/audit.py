"""Do the two bookkeepers agree? The log, folded in Python, against every row of every view, in one snapshot; the
stored artifacts against the digests that the log holds of them; and what must hold between streams (invariants.py)."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from asyncpg import Connection, Record
from msgspec import Struct

from events.errors import ElRusoError
from events.log import event_of, last_seq
from events.request import RequestDefinition
from events.statements import load_statements
from events.tolerant import read_tolerant
from projections import rows
from projections.fold import Fold, brief
from projections.invariants import Violation, violations
from projections.rebuild import Connect, Progress, alone

MOST_DIFFERENCES = 100  # are listed; all are counted
FETCH = 2_000  # rows at a time
PROGRESS_EVERY = 10_000  # events

# How columns that hold JSON are read.
JSON_COLUMNS: dict[str, Callable[[str], Any]] = {
    "meta": msgspec.json.decode,
    "definition": lambda text: msgspec.to_builtins(read_tolerant(text, RequestDefinition)),
}

_sql = load_statements("projections", "audit.sql")


class Difference(Struct, frozen=True):
    """One thing on which the log and a view do not agree. `column` is None when the whole row is missing on one side;
    in the view "log" it is an event that is malformed or does not follow."""

    view: str
    key: str
    column: str | None
    log_says: Any
    view_says: Any


class AuditReport(Struct, frozen=True):
    """What was compared and what differs. `differences` holds the first MOST_DIFFERENCES of `differing`, `violations`
    those of `violating`, which the log says and the views repeat."""

    events: int
    rows: dict[str, int]
    differing: int
    differences: list[Difference]
    seconds: float
    violating: int = 0
    violations: list[Violation] = []

    @property
    def identical(self) -> bool:
        """True when the log and every view agree on every row."""
        return not self.differing

    @property
    def sound(self) -> bool:
        """True when they agree, and no two streams contradict each other."""
        return self.identical and not self.violating

    @property
    def compared(self) -> int:
        """How many rows were compared, in all views."""
        return sum(self.rows.values())


class Table(Struct, frozen=True):
    """A view as both bookkeepers keep it: the row's Struct, its key, and where the Python side has its rows."""

    name: str
    row: type[Struct]
    key: tuple[str, ...]
    expected: Callable[[Fold], Iterator[Struct]]


TABLES = (
    Table("tasks", rows.TaskRow, ("id",), Fold.tasks),
    Table("task_deps", rows.DependencyRow, ("parent", "child"), Fold.dependencies),
    Table("queue", rows.QueueRow, ("id",), Fold.queue),
    Table("running", rows.RunningRow, ("run_id",), Fold.running),
    Table("aside", rows.AsideRow, ("id",), Fold.aside),
    Table("lost_runs", rows.LostRunRow, ("id",), Fold.lost_runs),
    Table("ended_runs", rows.RunRow, ("id",), Fold.ended_runs),
    Table("steps", rows.StepRow, ("run_id", "number"), Fold.steps),
    Table("file_changes", rows.FileChangeRow, ("run_id", "path"), Fold.file_changes),
    Table("runners", rows.RunnerRow, ("id",), Fold.runners),
    Table("system", rows.SystemRow, ("id",), Fold.systems),
    Table("requests", rows.RequestRow, ("id",), Fold.requests),
    Table("directives", rows.DirectiveRow, ("id",), Fold.directives),
    Table("planner_runs", rows.PlannerRunRow, ("id",), Fold.planner_runs),
    Table("task_counts", rows.TaskCountRow, ("status",), Fold.task_counts),
    Table("run_counts", rows.RunCountRow, ("bucket",), Fold.run_counts),
)


async def audit(connect: Connect, progress: Progress) -> AuditReport:
    """Fold the log in Python and compare it with the views, while everybody goes on working.

    `progress` is told how many events of the log are read, and of how many. Waits for a rebuild that is under way.
    """
    async with alone(connect):
        connection = await connect()
        try:
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                return await _Audit(connection).run(progress)
        finally:
            await connection.close()


class _Audit:
    """One comparison, within one snapshot."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._fold = Fold()
        self._events = 0
        self._rows: dict[str, int] = {}
        self._differing = 0
        self._differences: list[Difference] = []

    async def run(self, progress: Progress) -> AuditReport:
        begun = time.monotonic()
        await self._read_log(progress)
        for table in TABLES:
            await self._compare(table)
        await self._compare_artifacts()
        violated = list(violations(self._fold))
        return AuditReport(
            self._events,
            self._rows,
            self._differing,
            self._differences,
            time.monotonic() - begun,
            len(violated),
            violated[:MOST_DIFFERENCES],
        )

    async def _read_log(self, progress: Progress) -> None:
        last = await last_seq(self._connection)
        async for record in self._connection.cursor(_sql["audit_log"], prefetch=FETCH):
            event = event_of(record)
            self._events += 1
            try:
                self._fold.apply(event)
            except ElRusoError as refusal:
                self._differ("log", f"{event.kind} {event.id} {event.version}", event.type, refusal.detail, "accepted")
            if self._events % PROGRESS_EVERY == 0:
                progress(event.seq, last)
        progress(last, last)

    async def _compare(self, table: Table) -> None:
        expected = {_key(table, row): row for row in table.expected(self._fold)}
        found = 0
        async for record in self._connection.cursor(_sql[f"audit_{table.name}"], prefetch=FETCH):
            found += 1
            row = expected.pop(_key(table, record), None)
            if row is None:
                self._differ(table.name, _name(table, record), None, None, _plain(dict(record)))
            else:
                self._compare_row(table, row, record)
        for row in expected.values():
            self._differ(table.name, _name(table, row), None, msgspec.structs.asdict(row), None)
        self._rows[table.name] = found + len(expected)

    async def _compare_artifacts(self) -> None:
        """Stored patches and diffstats against the digests in the events that ended their runs; some may be pruned."""
        found = 0
        async for record in self._connection.cursor(_sql["audit_artifacts"], prefetch=FETCH):
            found += 1
            sealed = self._fold.sealed(record["run_id"], record["kind"])
            if sealed is None and not self._is_late(record):
                continue  # nothing sealed it: its run goes on, was taken away, or ended before ends sealed artifacts
            digest = sealed and sealed.sha256
            if digest != record["sha256"]:
                self._differ("artifacts", f"{record['run_id']} {record['kind']}", "sha256", digest, record["sha256"])
        self._rows["artifacts"] = found

    def _is_late(self, artifact: Record) -> bool:
        sealed_at = self._fold.sealed_at(artifact["run_id"])
        return sealed_at is not None and artifact["stored_at"] is not None and artifact["stored_at"] > sealed_at

    def _compare_row(self, table: Table, row: Struct, record: Record) -> None:
        for column in row.__struct_fields__:
            log_says, view_says = getattr(row, column), record[column]
            if column in JSON_COLUMNS and view_says is not None:
                log_says, view_says = msgspec.to_builtins(log_says), _read_json(column, view_says)
            if log_says != view_says and log_says != brief(view_says):
                self._differ(table.name, _name(table, row), column, log_says, brief(view_says))

    def _differ(self, view: str, key: str, column: str | None, log_says: Any, view_says: Any) -> None:
        self._differing += 1
        if len(self._differences) < MOST_DIFFERENCES:
            self._differences.append(Difference(view, key, column, log_says, view_says))


def _read_json(column: str, text: str) -> Any:
    try:
        return JSON_COLUMNS[column](text)
    except (msgspec.MsgspecError, RecursionError):
        return text


def _key(table: Table, row: Struct | Record) -> Any:
    return tuple(_value(row, column) for column in table.key)


def _name(table: Table, row: Struct | Record) -> str:
    return " ".join(str(_value(row, column)) for column in table.key)


def _value(row: Struct | Record, column: str) -> Any:
    return getattr(row, column) if isinstance(row, Struct) else row[column]


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    return {column: brief(value) for column, value in record.items()}
