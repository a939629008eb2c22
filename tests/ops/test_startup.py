"""How long-lived commands begin: on a terminal, on a port that is taken, and while the database is away."""

import asyncio
import os
import pty
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from ops.postgres.place import free_port
from ops.postgres.postmaster import pid_state
from ops.postgres.server import Server
from tests.support.postgres import MAJOR, scratch_folder
from tests.support.proxy import Proxy, proxy_before
from tests.support.waiting import eventually

ROOT = Path(__file__).parent.parent.parent


class Command:
    """A running command, and what it has printed so far."""

    def __init__(self, process: asyncio.subprocess.Process, output: Path) -> None:
        self.process = process
        self._output = output

    @property
    def printed(self) -> str:
        """All of it."""
        return self._output.read_text(errors="replace")

    async def prints(self, words: str) -> None:
        """Wait until it has printed these words."""
        await eventually(lambda: words in self.printed or self._ended(), 60, f"a command that prints {words!r}")
        assert words in self.printed, self.printed

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Signal it, and wait for its exit status."""
        self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 30)

    def _ended(self) -> bool:
        return self.process.returncode is not None


@asynccontextmanager
async def running(folder: Path, *arguments: str, **variables: str) -> AsyncIterator[Command]:
    """A command of ours in English, with a home in `folder`; killed when the block ends."""
    environment = os.environ | {"ELRUSO_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT), "ELRUSO_LANG": "en"}
    output = folder / "output"
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "ops", *arguments),
            env=environment | variables,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        yield Command(process, output)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
async def away(postgres: Server, database: str) -> AsyncIterator[tuple[str, Proxy]]:
    """The address of a database that cannot be reached until the proxy is mended."""
    async with proxy_before(postgres.tcp_url(urlsplit(database).path[1:])) as proxy:
        proxy.cut()
        yield f"{proxy.url}?sslmode=disable", proxy


@pytest.mark.parametrize(("arguments", "ready"), [(("serve", "--port", "0"), "API at"), (("runner", "run"), "")])
async def test_a_database_that_is_away_at_the_start_is_waited_for(
    tmp_path: Path, database: str, away: tuple[str, Proxy], arguments: tuple[str, ...], ready: str
) -> None:
    """The API and a runner say that they wait, once, and go on when the database answers."""
    url, proxy = away
    async with running(tmp_path, *arguments, DATABASE_URL=url) as command:
        await command.prints("trying again until it does")
        proxy.mend()
        await command.prints(ready)
        if not ready:
            connection = await asyncpg.connect(database)
            await eventually(lambda: connection.fetchval("SELECT count(*) FROM view.runners"), 60, "a runner")
            await connection.close()
        assert 1 == command.printed.count("trying again until it does")
        assert "Traceback" not in command.printed
        assert 0 == await command.end()


@pytest.mark.parametrize("arguments", [("serve", "--port", "0"), ("runner", "run")])
async def test_sigterm_ends_the_wait(tmp_path: Path, away: tuple[str, Proxy], arguments: tuple[str, ...]) -> None:
    """Whoever waits for the database ends at once, in an orderly way."""
    async with running(tmp_path, *arguments, DATABASE_URL=away[0]) as command:
        await command.prints("trying again until it does")
        assert 0 == await command.end()
        assert "Traceback" not in command.printed


async def test_a_wrong_password_is_not_waited_for(tmp_path: Path, postgres: Server, database: str) -> None:
    """What no waiting mends ends the command with its reason."""
    url = postgres.tcp_url(urlsplit(database).path[1:]).replace(postgres.password, "wrong")
    async with running(tmp_path, "serve", "--port", "0", DATABASE_URL=url) as command:
        assert 1 == await asyncio.wait_for(command.process.wait(), 60)
        assert "password" in command.printed
        assert "Traceback" not in command.printed


async def test_sigterm_while_the_server_starts_leaves_no_server() -> None:
    """Ended while PostgreSQL comes up, `serve` stops what it began to start."""
    with scratch_folder() as folder:
        data = folder / "home" / f"postgres-{MAJOR}" / "files" / "data"
        major = {"ELRUSO_POSTGRES_MAJOR": str(MAJOR), "DATABASE_URL": ""}
        async with running(folder, "serve", "--port", "0", **major) as command:
            await eventually(lambda: _is_starting(data), 60, "a postmaster", poll_seconds=0.002)
            assert await command.end() in (0, 128 + signal.SIGTERM)
        assert "absent" == pid_state(data), command.printed


def _is_starting(data: Path) -> bool:
    return pid_state(data) != "absent"


@pytest.mark.parametrize(
    ("arguments", "language", "words"),
    [("serve", "es", "Elige otro con --port"), ("up", "en", "Choose another with --port")],
)
async def test_a_port_in_use_is_said(tmp_path: Path, database: str, arguments: str, language: str, words: str) -> None:
    """`serve` and `up` on a port that somebody listens on end with 1, the address and the option; no traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        variables = {"DATABASE_URL": database, "ELRUSO_LANG": language}
        async with running(tmp_path, arguments, "--port", port, **variables) as command:
            assert 1 == await asyncio.wait_for(command.process.wait(), 60)
            assert words in command.printed
            assert f"127.0.0.1:{port}" in command.printed
            assert "Traceback" not in command.printed


async def test_up_on_a_terminal_shows_no_bar_over_an_empty_log(tmp_path: Path, database: str) -> None:
    """What a newcomer sees on a terminal is the address, not a bar of zero events that never moves."""
    master, terminal = pty.openpty()
    seen: list[bytes] = []
    asyncio.get_running_loop().add_reader(master, lambda: seen.append(os.read(master, 65_536)))
    environment = {"ELRUSO_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "ELRUSO_LANG": "en", "TERM": "xterm"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "ops", "up", "--port", str(free_port())),
        env=os.environ | environment | {"DATABASE_URL": database},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
    )
    try:
        await eventually(lambda: b"Runner started" in b"".join(seen), 60, "a started runner")
        process.terminate()
        assert 0 == await asyncio.wait_for(process.wait(), 30)
        await eventually(lambda: b"API stopped" in b"".join(seen), 30, "the last line")
        assert b"Folding" not in b"".join(seen)
        assert b"0/?" not in b"".join(seen)
    finally:
        asyncio.get_running_loop().remove_reader(master)
        if process.returncode is None:
            process.kill()
        os.close(master)
        os.close(terminal)
