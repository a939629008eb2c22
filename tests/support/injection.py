"""A hook in a test's database that fails statements with a chosen SQLSTATE, by the kind of what they do."""

from typing import Literal

import asyncpg
from asyncpg import Connection

Point = Literal["create", "claim", "report", "step", "end", "heartbeat", "query"]

POINTS: dict[str, Point] = {
    "task.created": "create",
    "task.claimed": "claim",
    "task.started": "report",
    "task.step": "step",
    "task.done": "end",
    "runner.heartbeat": "heartbeat",
}

HOOK = """
CREATE SCHEMA injection;
CREATE TABLE injection.rules (point text PRIMARY KEY, state text NOT NULL);
CREATE TABLE injection.points (type text PRIMARY KEY, point text NOT NULL);
CREATE SEQUENCE injection.hits;
CREATE FUNCTION injection.fail_at(wanted text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    state text := (SELECT r.state FROM injection.rules r WHERE r.point = wanted);
BEGIN
    IF state IS NOT NULL THEN
        PERFORM nextval('injection.hits');  -- which the failing transaction does not take back
        RAISE EXCEPTION 'injected at %', wanted USING ERRCODE = state;
    END IF;
    RETURN true;
END $$;
CREATE FUNCTION injection.on_append() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM injection.fail_at(p.point) FROM injection.points p WHERE p.type = NEW.type;
    RETURN NEW;
END $$;
CREATE TRIGGER injection BEFORE INSERT ON log.events FOR EACH ROW EXECUTE FUNCTION injection.on_append();
ALTER VIEW view.runs RENAME TO sound_runs;
CREATE VIEW view.runs AS SELECT * FROM view.sound_runs WHERE (SELECT injection.fail_at('query'));
"""


class Injection:
    """The hook of one database; `connection` is not closed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    async def install(cls, url: str) -> "Injection":
        """Have a new database fail on demand."""
        connection = await asyncpg.connect(url)
        await connection.execute(HOOK)
        await connection.executemany("INSERT INTO injection.points VALUES ($1, $2)", list(POINTS.items()))
        return cls(connection)

    async def fail(self, state: str, *points: Point) -> None:
        """From now on these points fail with `state`, and no others."""
        async with self._connection.transaction():
            await self._connection.execute("DELETE FROM injection.rules")
            rows = [(point, state) for point in points]
            await self._connection.executemany("INSERT INTO injection.rules VALUES ($1, $2)", rows)
            await self._connection.execute("ALTER SEQUENCE injection.hits RESTART")

    async def mend(self) -> None:
        """Nothing fails any more."""
        await self._connection.execute("DELETE FROM injection.rules")

    async def hits(self) -> int:
        """How many statements failed since the last `fail`."""
        query = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM injection.hits"
        return int(await self._connection.fetchval(query))

    async def close(self) -> None:
        """Hang up."""
        await self._connection.close()
