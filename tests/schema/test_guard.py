"""What a foreign session (psql, another language) may write into the log: what the Structs accept, and nothing else."""

import asyncpg
import pytest
from asyncpg import Connection

INSERT = "INSERT INTO log.events (kind, id, version, type, actor, data) VALUES ($1, $2, $3, $4, $5, $6)"
CREATED = ("task", "x", 1, "task.created", "human:eve")

REFUSED = [
    *(
        (*CREATED, f'{{"title": "t", {field}}}')
        for field in (
            *('"priority": -1', '"priority": "5"', '"priority": 5.0', '"timeout_seconds": 1e300', '"max_attempts": 0'),
            *('"next_run_at": "infinity"', '"next_run_at": "2026-01-01T00:00:00"', '"next_run_at": "now"'),
            *('"next_run_at": "9999-12-31T23:59:59-14:00"', '"nobody_knows_me": 1', '"steps": [{"name": "s"}]'),
            *('"steps": [{"name": "s", "cmd": "c", "x": 1}]', '"depends_on": "x"', '"params": {"n": 1e400}'),
            *('"directive_id": "a\\nb"', f'"params": {"[" * 101 + "]" * 101}', f'"directive_id": "{"x" * 201}"'),
            *('"title": "t", "title": 5', '"phase": 1.5', f'"params": {{"a": {"[" * 100 + "]" * 100}}}'),
        )
    ),
    *((*CREATED, data) for data in ("[]", "null", "5", "{}", '{"title": ""}', f'{{"title": "{"x" * 1001}"}}')),
    ("task", "a\nb", 1, "task.created", "human:eve", '{"title": "t"}'),
    ("task", "x", 1, "task.created", "", '{"title": "t"}'),
    ("system", "second", 1, "system.paused", "human:eve", "{}"),
    ("runner", "r", 1, "runner.started", "human:eve", '{"meta": []}'),
    ("request", "q", 1, "request.opened", "human:eve", '{"definition": {"service": "s", "scopes": ["A B"]}}'),
]

POSITIONS = """
    INSERT INTO log.events (seq, kind, id, version, type, actor, data) OVERRIDING SYSTEM VALUE
    VALUES ($1, 'task', 'x', 1, 'task.created', 'human:eve', '{"title": "t"}')
"""


@pytest.fixture
async def psql(database: str) -> Connection:
    """A session that does not say that it is ours."""
    return await asyncpg.connect(database)


async def test_what_no_struct_accepts_is_refused(psql: Connection) -> None:
    """Values beyond limits, of other types, unknown fields, odd envelopes: each is refused, and the log stays empty."""
    for event in REFUSED:
        with pytest.raises(asyncpg.PostgresError) as raised:
            await psql.execute(INSERT, *event)
        assert "ER006" == raised.value.sqlstate, (event, raised.value)
    assert 0 == await psql.fetchval("SELECT count(*) FROM log.events")
    await psql.close()


async def test_what_the_structs_accept_is_accepted(psql: Connection) -> None:
    """The values at the limits themselves."""
    for number, field in enumerate(
        (
            '"priority": 1000',
            '"timeout_seconds": 0.001',
            '"next_run_at": "9998-12-31T00:00:00Z"',
            '"phase": 7',
            '"body": null',
        )
    ):
        await psql.execute(INSERT, "task", f"x{number}", 1, *CREATED[3:], f'{{"title": "t", {field}}}')
    assert 5 == await psql.fetchval("SELECT count(*) FROM view.tasks")
    await psql.close()


async def test_a_position_is_not_chosen(psql: Connection) -> None:
    """A position before or after the next one is refused, also one that was drawn and never used."""
    with pytest.raises(asyncpg.PostgresError):
        await psql.execute(INSERT, *CREATED, "{}")  # draws positions
    for seq in (1, 2, 3, 10**6, 2**63 - 1, 0, -1):
        with pytest.raises(asyncpg.PostgresError) as raised:
            await psql.execute(POSITIONS, seq)
        assert "ER006" == raised.value.sqlstate, seq
    assert 0 == await psql.fetchval("SELECT count(*) FROM log.events")
    await psql.close()


async def test_a_foreign_word_beforehand_is_checked(psql: Connection) -> None:
    """A foreign statement that says what it brings is checked as every other."""
    await psql.execute("SELECT set_config('elruso.brings', 'task.created', false)")
    with pytest.raises(asyncpg.PostgresError) as raised:
        await psql.execute(INSERT, *CREATED, '{"title": "t", "priority": -1}')
    assert "ER006" == raised.value.sqlstate
    await psql.close()


async def test_our_rare_events_are_checked(connection: Connection) -> None:
    """Of our own sessions all but the six frequent types, in a statement with others, too."""
    statement = """
        INSERT INTO log.events (kind, id, version, type, actor, data)
        VALUES ('task', 'x', 1, 'task.created', 'human:eve', '{"title": "t"}'),
               ('task', 'x', 2, 'task.blocked', 'human:eve', '{"reason": 5}')
    """
    with pytest.raises(asyncpg.PostgresError) as raised:
        await connection.execute(statement)
    assert "ER006" == raised.value.sqlstate
    assert "data.reason must be of type string, not integer" in str(raised.value)
