"""Forgotten transactions: who holds one, for how long, and the statement that ends it."""

from collections.abc import Awaitable, Callable

from asyncpg import Connection

from projections.horizon import Holder, list_holders
from tests.support.waiting import eventually

HOLD = "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM log.transitions"


async def test_a_forgotten_transaction_is_named(
    connection: Connection, opens: Callable[[], Awaitable[Connection]]
) -> None:
    """Its session, that nothing goes on in it, and since when; one that is done, or young, is not."""
    forgotten = await opens()
    await forgotten.execute(HOLD)
    [holder] = await list_holders(connection, 0.0)
    assert forgotten.get_server_pid() == holder.pid
    assert holder.is_idle
    assert holder.seconds > 0
    assert not await list_holders(connection, 3600.0)
    await forgotten.execute("COMMIT")
    assert not await list_holders(connection, 0.0)
    await forgotten.close()


async def test_the_remedy_ends_it(connection: Connection, opens: Callable[[], Awaitable[Connection]]) -> None:
    """What the operator is told to type does what it should."""
    forgotten = await opens()
    await forgotten.execute(HOLD)
    [holder] = await list_holders(connection, 0.0)
    await connection.execute(holder.remedy)

    async def gone() -> bool:
        return not await list_holders(connection, 0.0)

    assert await eventually(gone)
    forgotten.terminate()


def test_what_was_prepared_is_rolled_back_by_its_name() -> None:
    """Whatever the name."""
    assert Holder(None, "it's", True, 1.0).remedy == "ROLLBACK PREPARED 'it''s'"
