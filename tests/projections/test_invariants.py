"""What one stream owes another: the audit finds what a database without its reactions would let happen."""

from datetime import UTC, datetime
from typing import get_args

from asyncpg import Connection
from msgspec import Raw, Struct

from events.catalog import encode, kind_of, type_name
from events.directive import DirectiveProposed, DirectiveRejected, PlannedTask, RequiredRequest
from events.event import Event
from events.request import RequestOpened, RequestProvided
from events.task import TaskBlocked, TaskCancelled, TaskClaimed, TaskCreated
from ops.texts.audit import TEXTS
from projections.audit import audit
from projections.fold import Fold
from projections.invariants import Code, Violation, violations
from tests.projections.history import append, create, execute
from tests.projections.test_audit import Opens, silent

WITHOUT_REACTIONS = """
    ALTER TABLE log.events DISABLE TRIGGER append_3_react;
    ALTER TABLE log.events DISABLE TRIGGER append_3_directives;
"""


def proposal(name: str, *tasks: str, requires: tuple[str, ...] = ()) -> DirectiveProposed:
    """A directive that starts by itself."""
    planned = [PlannedTask(id=task, title=task) for task in tasks]
    required = [RequiredRequest(request) for request in requires]
    return DirectiveProposed(
        title=name, digest=name, approval="auto", required_requests=required, tasks_to_create=planned
    )


async def test_contradictions_are_found(connection: Connection, opens: Opens) -> None:
    """One of each kind that can be written, and besides it all that is in order."""
    await create(connection, "fine")
    await append(connection, "r", RequestOpened())
    await append(connection, "rejected", proposal("rejected", "in-time", "cancelled", "too-late", requires=("r",)))
    await connection.execute(WITHOUT_REACTIONS)
    await create(connection, "in-time", "cancelled", directive_id="rejected")
    await create(connection, "p", "q", "unmoved")
    await create(connection, "behind", depends_on=["p"])
    await append(connection, "p", TaskCancelled())
    await append(connection, "unmoved", TaskBlocked("parent q failed", parent="q"))
    await append(connection, "rejected", DirectiveRejected())
    await append(connection, "cancelled", TaskCancelled())
    await create(connection, "too-late", directive_id="rejected")
    await append(connection, "provided", proposal("provided", "never", requires=("r",)))
    await append(connection, "waits", proposal("waits", "later", requires=("other",)))
    await append(connection, "r", RequestProvided())
    await append(connection, "done", proposal("done", "last"))
    await create(connection, "last", directive_id="done")
    await execute(connection, "last")

    report = await audit(opens, silent)

    assert report.identical
    assert not report.sound
    expected = {
        Violation("ready_behind_fallen", "behind", "p"),
        Violation("blocked_without_cause", "unmoved", "q"),
        Violation("alive_though_rejected", "in-time", "rejected"),
        Violation("alive_though_rejected", "too-late", "rejected"),
        Violation("waiting_though_provided", "provided", "never"),
        Violation("pending_though_done", "done", "last"),
    }
    assert (expected, len(expected)) == (set(report.violations), report.violating)


def test_a_run_before_its_parent() -> None:
    """The database refuses such a claim; a log that holds one is found."""
    fold = Fold()
    history = [("p", TaskCreated("p")), ("c", TaskCreated("c", depends_on=["p"])), ("c", TaskClaimed("r", 1))]
    for seq, (stream, data) in enumerate(history, 1):
        fold.apply(event(seq, stream, 1 + isinstance(data, TaskClaimed), data))
    assert [Violation("ran_before_parent", "c", "p")] == list(violations(fold))


def event(seq: int, stream: str, version: int, data: Struct) -> Event:
    """As the log holds it."""
    name = type_name(data)
    return Event(seq, kind_of(name), stream, version, name, Raw(encode(data)), "system", datetime.now(UTC))


def test_every_contradiction_has_its_words() -> None:
    """What is wrong and what to do, in both languages, with both ids."""
    for code in get_args(Code):
        text = TEXTS[f"audit.{code}"]
        assert all("{id}" in words and "elruso " in words for words in (text.es, text.en)), code
