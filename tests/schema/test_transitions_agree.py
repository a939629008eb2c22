"""The state machine stands in two places; they say the same."""

from asyncpg import Connection

from events.catalog import EVENT_TYPES, TRANSITIONS, kind_of


async def test_tables_agree(connection: Connection) -> None:
    """log.transitions and the TRANSITIONS of events/*.py are one table."""
    rows = await connection.fetch("SELECT kind, type, sources, target FROM log.transitions")
    in_python = {(kind_of(name), name, frozenset(each.sources), each.target) for name, each in TRANSITIONS.items()}
    assert in_python == {(row["kind"], row["type"], frozenset(row["sources"]), row["target"]) for row in rows}


def test_every_event_type_has_a_transition() -> None:
    """An event type without a transition could never be written, one without a Struct never read."""
    assert TRANSITIONS.keys() == EVENT_TYPES.keys()
