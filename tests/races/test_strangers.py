"""Writers that take no lock of their own accord (psql): the reactions do, and look afterwards."""

from typing import Any

from asyncpg import Connection
from msgspec import Struct

from events.catalog import encode, kind_of, type_name
from events.directive import DirectiveProposed, DirectiveRejected, PlannedTask, RequiredRequest
from events.request import RequestOpened, RequestProvided
from events.task import TaskCancelled, TaskRequeued
from tests.races.stage import Stage

INSERT = """
    INSERT INTO log.events (kind, id, version, type, actor, data) VALUES ($1, $2, $3, $4, 'human:eve', $5::text::json)
"""
PROPOSED = DirectiveProposed(
    title="d",
    digest="d",
    approval="auto",
    required_requests=[RequiredRequest("r")],
    tasks_to_create=[PlannedTask(id="a", title="a")],
)


async def write(connection: Connection, stream: str, version: int, data: Struct) -> None:
    """One event, as anybody may write it."""
    name = type_name(data)
    await connection.execute(INSERT, kind_of(name), stream, version, name, encode(data).decode())


async def directive(stage: Stage) -> Any:
    """Its status."""
    return await stage.observer.fetchval("SELECT status FROM view.directives WHERE id = 'd'")


async def test_rejected_while_the_credential_comes(stage: Stage) -> None:
    """The rejection's own statement cannot see the tasks; they are cancelled, by whoever rejected."""
    await write(stage.first, "r", 1, RequestOpened())
    await write(stage.first, "d", 1, PROPOSED)
    async with stage.first.transaction():
        await write(stage.first, "r", 2, RequestProvided())
        late = await stage.meanwhile(write(stage.second, "d", 2, DirectiveRejected()))
    await late
    assert ("REJECTED", ["created", "cancelled"], []) == (
        await directive(stage),
        await stage.types("a"),
        await stage.ready(),
    )


async def test_the_credential_comes_while_it_is_rejected(stage: Stage) -> None:
    """Then there is nothing to create."""
    await write(stage.first, "r", 1, RequestOpened())
    await write(stage.first, "d", 1, PROPOSED)
    async with stage.first.transaction():
        await write(stage.first, "d", 2, DirectiveRejected())
        late = await stage.meanwhile(write(stage.second, "r", 2, RequestProvided()))
    await late
    assert ("REJECTED", []) == (await directive(stage), await stage.types("a"))


async def test_proposed_while_the_credential_comes(stage: Stage) -> None:
    """The proposal waits for it, and starts."""
    await write(stage.first, "r", 1, RequestOpened())
    async with stage.first.transaction():
        await write(stage.first, "r", 2, RequestProvided())
        late = await stage.meanwhile(write(stage.second, "d", 1, PROPOSED))
    await late
    assert ["a"] == await stage.ready()


async def test_the_credential_comes_while_it_is_proposed(stage: Stage) -> None:
    """It finds the proposal, and starts it."""
    await write(stage.first, "r", 1, RequestOpened())
    async with stage.first.transaction():
        await write(stage.first, "d", 1, PROPOSED)
        late = await stage.meanwhile(write(stage.second, "r", 2, RequestProvided()))
    await late
    assert ["a"] == await stage.ready()


async def test_requeued_while_the_parent_falls(stage: Stage) -> None:
    """The child waits for the parent's fall, and is blocked by it."""
    await stage.create("p")
    await stage.create("c", depends_on=["p"])
    await write(stage.first, "c", 2, TaskCancelled())
    async with stage.first.transaction():
        await write(stage.first, "p", 2, TaskCancelled())
        late = await stage.meanwhile(write(stage.second, "c", 3, TaskRequeued("again")))
    await late
    assert ["created", "cancelled", "requeued", "blocked"] == await stage.types("c")


async def test_the_parent_falls_while_the_child_is_requeued(stage: Stage) -> None:
    """The fall waits for the child, and blocks it."""
    await stage.create("p")
    await stage.create("c", depends_on=["p"])
    await write(stage.first, "c", 2, TaskCancelled())
    async with stage.first.transaction():
        await write(stage.first, "c", 3, TaskRequeued("again"))
        late = await stage.meanwhile(write(stage.second, "p", 2, TaskCancelled()))
    await late
    assert ["created", "cancelled", "requeued", "blocked"] == await stage.types("c")
