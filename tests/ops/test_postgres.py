"""The embedded server: one per folder, shared, and gone with its last user."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import msgspec
import psutil
import pytest

from ops.errors import OperatorError
from ops.postgres import control
from ops.postgres.account import choose_account
from ops.postgres.binaries import find_binaries
from ops.postgres.cluster import Cluster, Memory
from ops.postgres.place import clear_socket_folder
from ops.postgres.server import SUPERUSER, Server
from tests.support.postgres import MAJOR, scratch_folder
from tests.support.processes import is_alive
from tests.support.waiting import eventually_now

USER = """
import sys
from pathlib import Path
from ops.postgres.control import use
with use(Path(sys.argv[1]), int(sys.argv[2]), unsafe=True) as server:
    print(server.port, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for one server, removed with it."""
    with scratch_folder() as scratch:
        yield scratch


def postmaster(server: Server) -> psutil.Process:
    """The server's first process."""
    return psutil.Process(int((server.data / "postmaster.pid").read_text().split()[0]))


def start_user(folder: Path) -> "subprocess.Popen[str]":
    """Another process that uses the server until its stdin is closed."""
    command = [sys.executable, "-c", USER, str(folder), str(MAJOR)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def port_of(user: "subprocess.Popen[str]") -> int:
    """The port that process was given, once it has the server."""
    assert user.stdout is not None
    return int(user.stdout.readline())


def dismiss(user: "subprocess.Popen[str]") -> None:
    """Let that process leave, and see it end well."""
    user.communicate(timeout=60)
    assert 0 == user.returncode


async def answer(url: str) -> str:
    """Who the server says we are."""
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SELECT current_user || '@' || current_database()"))
    finally:
        await connection.close()


async def test_both_addresses_lead_to_our_database(folder: Path) -> None:
    """Over the socket and over TCP one is the role elruso in the database elruso; the wrong password is refused."""
    with control.use(folder, MAJOR, unsafe=True) as server:
        assert "elruso@elruso" == await answer(server.url())
        assert "elruso@elruso" == await answer(server.tcp_url())
        assert "postgres@postgres" == await answer(server.url("postgres", SUPERUSER))
        with pytest.raises(asyncpg.InvalidPasswordError):
            await answer(server.tcp_url().replace(server.password, "wrong"))


def test_psql_takes_the_address(folder: Path) -> None:
    """psql understands the address that we print."""
    with control.use(folder, MAJOR, unsafe=True) as server:
        psql = find_binaries(MAJOR, choose_account()) / "psql"
        printed = subprocess.run([psql, server.url(), "-Atc", "SELECT 1"], capture_output=True, text=True, check=True)
        assert "1\n" == printed.stdout


def test_last_user_stops_the_server(folder: Path) -> None:
    """The server outlives all its users but the last."""
    first, second = start_user(folder), start_user(folder)
    assert port_of(first) == port_of(second)
    dismiss(first)
    assert control.find_running(folder, MAJOR) is not None
    dismiss(second)
    assert control.find_running(folder, MAJOR) is None


def test_ten_at_once_share_one_server(folder: Path) -> None:
    """Ten processes that start at once on an empty folder get the same server."""
    users = [start_user(folder) for _ in range(10)]
    assert 1 == len({port_of(user) for user in users})
    for user in users:
        dismiss(user)
    assert control.find_running(folder, MAJOR) is None


def test_killed_user_is_not_counted(folder: Path) -> None:
    """A user that is killed does not keep the server running after the others have left."""
    killed, other = start_user(folder), start_user(folder)
    port_of(killed), port_of(other)
    killed.kill()
    killed.communicate()
    dismiss(other)
    assert control.find_running(folder, MAJOR) is None


async def test_foreign_client_keeps_the_server(folder: Path) -> None:
    """While a client that is none of ours is connected, the last user leaves the server running."""
    with control.use(folder, MAJOR, unsafe=True) as server:
        client = await asyncpg.connect(server.url())
    assert 1 == await client.fetchval("SELECT 1")
    await client.close()
    assert control.stop(folder, MAJOR)


def test_server_started_to_stay_stays(folder: Path) -> None:
    """A server that was started to be left running outlives its users, until it is stopped."""
    started = control.start(folder, MAJOR)
    with control.use(folder, MAJOR) as used:
        assert started == used
    assert started == control.find_running(folder, MAJOR)
    assert control.stop(folder, MAJOR)
    with control.use(folder, MAJOR):
        pass
    assert control.find_running(folder, MAJOR) is None


def test_stop_refuses_while_in_use(folder: Path) -> None:
    """Stopping a server that others use is refused unless forced, and stopping a stopped one is no error."""
    with control.use(folder, MAJOR, unsafe=True):
        with pytest.raises(OperatorError, match="--force"):
            control.stop(folder, MAJOR)
        assert control.stop(folder, MAJOR, force=True)
        assert not control.stop(folder, MAJOR)


async def test_server_that_was_killed_starts_again(folder: Path) -> None:
    """After its postmaster was killed, the next start recovers: same data, same password."""
    with control.use(folder, MAJOR, unsafe=True) as server:
        dead = postmaster(server)
        children = dead.children()
        dead.send_signal(signal.SIGKILL)
        psutil.wait_procs([dead, *children], timeout=30)
        with control.use(folder, MAJOR, unsafe=True) as again:
            assert server.password == again.password
            assert "elruso@elruso" == await answer(again.url())


def test_reused_pid_is_seen_through(folder: Path) -> None:
    """A pid file left by a crash does not stop a start when its number belongs to another process now."""
    with control.use(folder, MAJOR, unsafe=True) as server:
        lines = (server.data / "postmaster.pid").read_text().splitlines()
    (server.data / "postmaster.pid").write_text("\n".join([str(os.getppid()), *lines[1:]]) + "\n")
    assert control.find_running(folder, MAJOR) is None
    with control.use(folder, MAJOR, unsafe=True) as again:
        assert server.port == again.port


async def test_taken_port_is_replaced(folder: Path) -> None:
    """When somebody else took the remembered port, the server starts on another; the old socket leads there."""
    with control.use(folder, MAJOR, unsafe=True) as server:
        pass
    with socket.create_server(("127.0.0.1", server.port)), control.use(folder, MAJOR, unsafe=True) as again:
        assert server.port != again.port
        assert "elruso@elruso" == await answer(server.url())


def test_half_made_cluster_is_completed(folder: Path) -> None:
    """A creation that was cut off after initdb is completed by the next start."""
    with control.use(folder, MAJOR, unsafe=True) as server:
        Cluster(folder, MAJOR).ask("DROP DATABASE elruso")
    memory = msgspec.json.decode((folder / "server.json").read_bytes(), type=Memory)
    (folder / "server.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(memory, complete=False)))
    with control.use(folder, MAJOR, unsafe=True):
        assert "1" == Cluster(folder, MAJOR).ask("SELECT count(*) FROM pg_database WHERE datname = 'elruso'")
    assert server.data.exists()


def test_data_without_password_are_not_touched(folder: Path) -> None:
    """Data whose server.json is gone are refused with the next step, never begun anew."""
    with control.use(folder, MAJOR, unsafe=True):
        pass
    (folder / "server.json").unlink()
    with pytest.raises(OperatorError, match=r"server\.json"):
        control.start(folder, MAJOR)
    assert (folder / "files" / "data" / "PG_VERSION").exists()


def test_server_that_cannot_start_says_why(folder: Path) -> None:
    """The error of a server that does not start carries the server's own last words."""
    with control.use(folder, MAJOR, unsafe=True) as server:
        pass
    with (server.data / "postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(OperatorError, match="no_such_setting"):
        control.start(folder, MAJOR)


def test_long_path_gets_a_short_socket(folder: Path) -> None:
    """A folder whose path is too long for a socket works all the same."""
    deep = folder / ("deep" * 25)
    deep.mkdir(mode=0o711)
    with control.use(deep, MAJOR, unsafe=True) as server:
        assert len(str(server.socket)) < 90
        assert "1" == Cluster(deep, MAJOR).ask("SELECT 1")
        killed = postmaster(server)
        killed.kill()
        eventually_now(lambda: not is_alive(killed.pid))
        with control.use(deep, MAJOR, unsafe=True) as again:
            assert server.socket == again.socket  # processes that knew the old address find it there
    assert control.remove_unused(deep, MAJOR)


def test_only_a_socket_folder_is_ever_cleared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that was cut off remembers no socket: the current folder is not taken for one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elruso-x").mkdir()
    for file in (tmp_path / "mine", tmp_path / "elruso-x" / "mine"):
        file.touch()
    for remembered in ("", ".", "elruso-x", str(tmp_path), str(tmp_path / "elruso-x")):
        clear_socket_folder(remembered)
    assert (tmp_path / "mine").exists()
    assert (tmp_path / "elruso-x" / "mine").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
async def test_closed_home_of_root_stays_closed(folder: Path) -> None:
    """Under a folder that only root may enter, root's server keeps its files elsewhere and opens nothing."""
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    with control.use(closed / "postgres", MAJOR, unsafe=True) as server:
        assert closed not in server.files.parents
        assert "elruso@elruso" == await answer(server.url())
    assert 0o700 == closed.stat().st_mode & 0o777
    assert control.remove_unused(closed / "postgres", MAJOR)
    assert not server.files.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
def test_programs_out_of_reach_are_copied(folder: Path) -> None:
    """Programs in a checkout that only root may enter are copied to where the server's account can run them."""
    account = choose_account()
    package = find_binaries(MAJOR, account).parent.parent
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    (closed / package.name).symlink_to(package)
    (closed / f"{package.name}.libs").symlink_to(package.with_name(f"{package.name}.libs"))
    copied = find_binaries(MAJOR, account, closed / package.name, folder / "copies")
    assert folder in copied.parents
    version = account.run([copied / "psql", "--version"]).stdout
    assert re.search(rf"psql \(PostgreSQL\) {MAJOR}\.", version)


def test_secrets_are_private(folder: Path) -> None:
    """The password's file is for its owner alone, and so are the data."""
    with control.use(folder, MAJOR, unsafe=True) as server:
        assert 0o600 == (folder / "server.json").stat().st_mode & 0o777
        assert 0o700 == server.files.stat().st_mode & 0o777


def test_server_survives_its_starters_terminal(folder: Path) -> None:
    """Ctrl-C in the terminal of the process that started the server does not reach the server."""
    starter = start_user(folder)
    with control.use(folder, MAJOR, unsafe=True) as server:
        port_of(starter)
        assert os.getsid(postmaster(server).pid) != os.getsid(starter.pid)
        dismiss(starter)
        eventually_now(lambda: Cluster(folder, MAJOR).clients() == 0, describe="no client is left")
