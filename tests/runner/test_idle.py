"""What a runner sends to the database while there is nothing to do: signs of life, and nothing else."""

import re
import secrets
import time
from urllib.parse import urlsplit

import asyncpg
import pytest

from events.connect import Database
from events.listener import Intervals
from events.statements import load_statements
from ops.postgres.server import SUPERUSER, Server
from runner.postgres_link import PostgresLink
from runner.settings import Settings
from tests.runner.working import Ledger, settings, working
from tests.support.waiting import eventually


def first_line(file: str, name: str) -> str:
    """How a statement of the events package begins in the server's log."""
    return load_statements("events", file)[name].splitlines()[0]


class Statements:
    """The statements of the sessions of one application, from the server's log."""

    def __init__(self, server: Server) -> None:
        self.application = f"idle-{secrets.token_hex(4)}"
        self._folder = server.log
        self._pattern = re.compile(rf"{self.application} LOG: +(?:statement|execute [^:]*): (.*)")

    def sent(self) -> list[str]:
        """The first line of each, so far."""
        text = "".join(path.read_text(errors="replace") for path in sorted(self._folder.glob("*.log")))
        return self._pattern.findall(text)


@pytest.fixture
async def statements(postgres: Server, database: str) -> Statements:
    """The server logs what is sent to the test's database from now on."""
    name = urlsplit(database).path.removeprefix("/")
    admin = await asyncpg.connect(postgres.url(name, SUPERUSER))
    await admin.execute(f"ALTER DATABASE {name} SET log_statement = 'all'")
    await admin.close()
    return Statements(postgres)


async def _beats(tasks: Ledger) -> int:
    return int(await tasks.connection.fetchval("SELECT count(*) FROM log.events WHERE type = 'runner.heartbeat'"))


async def _watch(tasks: Ledger, statements: Statements, chosen: Settings, ping: float, seconds: float) -> list[str]:
    """What an idle runner sends in so many seconds, after it has come to rest."""
    database = Database(tasks.url, application=statements.application)
    async with PostgresLink(database, chosen, Intervals(ping=ping)) as link, working(link, None, chosen):
        await eventually(lambda: _beats(tasks), deadline=30)
        before, began = len(statements.sent()), time.monotonic()
        await eventually(lambda: time.monotonic() - began > seconds, deadline=seconds + 5)
        return statements.sent()[before:]


async def test_idle_runner_only_gives_signs_of_life(tasks: Ledger, statements: Statements) -> None:
    """An idle runner sends heartbeats and pings, no claim and no list, and not one more than is due."""
    sent = await _watch(tasks, statements, settings(heartbeat_seconds=0.5), ping=1.0, seconds=4.0)
    beats = [text for text in sent if text == first_line("commands.sql", "beat")]
    pings = [text for text in sent if text == first_line("notifier.sql", "send_hint")]
    assert len(sent) == len(beats) + len(pings)
    assert len(beats) in range(6, 10)
    assert len(pings) in range(2, 6)


@pytest.mark.soak
async def test_idle_minute(tasks: Ledger, statements: Statements) -> None:
    """With the defaults an idle runner sends at most 12 statements a minute."""
    assert len(await _watch(tasks, statements, Settings(), ping=30.0, seconds=60.0)) <= 12
