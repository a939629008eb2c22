"""Variables, streams, a umask and a home that other programs would choke on."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from ops.client import Client
from ops.config import read_config
from ops.errors import OperatorError
from ops.postgres import control
from runner.http_client import HttpClient
from tests.api.serving import serving
from tests.support.postgres import MAJOR, scratch_folder

ROOT = Path(__file__).parent.parent.parent

# What somebody has set for other servers.
LIBPQ = {
    "PGHOST": "nowhere.invalid",
    "PGHOSTADDR": "192.0.2.1",
    "PGPORT": "1",
    "PGUSER": "nobody",
    "PGPASSWORD": "wrong",
    "PGDATABASE": "nothing",
    "PGPASSFILE": "/nonexistent",
    "PGSERVICE": "nonexistent",
    "PGSSLMODE": "verify-full",
    "PGSSLROOTCERT": "/nonexistent",
    "PGSSLNEGOTIATION": "nonsense",
    "PGOPTIONS": "-c nonsense=1",
    "PGTARGETSESSIONATTRS": "standby",
    "PGCHANNELBINDING": "require",
}
PROXIES = {
    "ALL_PROXY": "socks5://127.0.0.1:1",
    "all_proxy": "ftp://127.0.0.1:1",
    "http_proxy": "http://127.0.0.1:1",
    "no_proxy": "[::1]",
    "SSL_CERT_FILE": "/nonexistent",
    "SSL_CERT_DIR": "/nonexistent",
    "SSLKEYLOGFILE": "/nonexistent/keys",
}


def elruso(home: Path, command: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """One command line of a shell, in which `elruso` is ours; standard input is the caller's."""
    given = {"ELRUSO_HOME": str(home), "ELRUSO_POSTGRES_MAJOR": str(MAJOR), "ELRUSO_LANG": "en"}
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "ELRUSO", "DATABASE"))}
    line = command.replace("elruso", f"{sys.executable} -P -m ops")
    environment = own | {"PYTHONPATH": str(ROOT)} | given | variables
    return subprocess.run(["sh", "-c", line], env=environment, capture_output=True, text=True, timeout=100, cwd="/")


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A home whose server is left running."""
    with scratch_folder() as folder:
        started = elruso(folder / "home", "elruso db url")
        assert 0 == started.returncode, started.stderr
        migrated = elruso(folder / "home", "elruso db migrate")
        assert 0 == migrated.returncode, migrated.stderr
        yield folder / "home"
        control.stop(folder / "home" / f"postgres-{MAJOR}", MAJOR, force=True)


def test_variables_of_libpq_do_not_reach_the_own_server(home: Path, tmp_path: Path) -> None:
    """Commands, psql and pg_dump find our own server whatever PGHOST and the like say."""
    psql = elruso(home, "elruso db psql -Atc 'SELECT current_user'", **LIBPQ)
    assert "elruso\n" == psql.stdout, psql.stderr
    backup = elruso(home, f"elruso db backup {tmp_path}/backup && elruso db migrate", **LIBPQ)
    assert 0 == backup.returncode, backup.stderr


@pytest.mark.parametrize(
    "variables",
    [
        {"LC_ALL": "xx_YY.UTF-9", "TMPDIR": "/nonexistent", "HOME": "/dev/null", "PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["unknown locale", "ASCII"],
)
def test_a_strange_environment_does_no_harm(home: Path, variables: dict[str, str]) -> None:
    """An unknown locale, an ASCII terminal, a missing temporary folder: doctor prints its findings all the same."""
    looked = elruso(home, "elruso doctor", **variables)
    assert "The schema is up to date." in looked.stdout, looked.stderr
    assert "Traceback" not in looked.stderr


def test_closed_streams_do_no_harm(home: Path, tmp_path: Path) -> None:
    """Started without any standard stream, a command works, and writes its messages into no file of ours."""
    done = elruso(home, f"elruso db backup {tmp_path}/backup <&- >&- 2>&-; echo $?")
    assert "0\n" == done.stdout
    assert b"PGDMP" == (tmp_path / "backup").read_bytes()[:5]


def test_a_reader_that_has_enough_is_no_error(home: Path) -> None:
    """`elruso … | head -1` prints its line and no traceback."""
    seen = elruso(home, "elruso doctor | head -1; elruso --help | head -1")
    assert "Traceback" not in seen.stderr
    assert "Error" not in seen.stderr
    assert 2 == len(seen.stdout.splitlines())


@pytest.mark.parametrize(("language", "words"), [("es", "repite la orden"), ("en", "repeat the command")])
def test_a_home_that_cannot_be_made_is_said(language: str, words: str) -> None:
    """A home below a file is an error that names it, in both languages; no traceback."""
    failed = elruso(Path("/dev/null/home"), "elruso db migrate", ELRUSO_LANG=language)
    assert 1 == failed.returncode
    assert "/dev/null" in failed.stderr
    assert words in failed.stderr
    assert "Traceback" not in failed.stderr


def test_a_lax_or_strict_umask_changes_nothing() -> None:
    """Whatever the umask, the home is private, and PostgreSQL can use it."""
    with scratch_folder() as folder:
        for number, umask in enumerate(("000", "077")):
            home = folder / f"home{number}"
            done = elruso(home, f"umask {umask} && elruso vault set NAME < /dev/null; elruso db migrate")
            assert 0 == done.returncode, done.stderr
            assert home in (home / f"postgres-{MAJOR}" / "files").resolve().parents
            lax = [path for path in home.iterdir() if path.stat().st_mode & 0o066]
            assert [] == lax
            control.stop(home / f"postgres-{MAJOR}", MAJOR, force=True)


async def test_proxies_and_certificates_are_not_for_loopback(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line and a runner reach an API of this machine whatever proxies the environment names."""
    async with serving(database) as api:
        listed = await asyncio.to_thread(
            partial(elruso, Path("/"), "elruso task list --json", ELRUSO_API=api.url, **PROXIES)
        )
        assert (0, "") == (listed.returncode, listed.stderr)
        for name, value in PROXIES.items():
            monkeypatch.setenv(name, value)
        client = HttpClient(api.url, None)
        client.lose_patience()
        await client.ask("POST", "/ops/runner/heartbeat", {"runner_id": "r", "meta": {}})
        await client.close()


@pytest.mark.parametrize(("name", "value"), [("ALL_PROXY", "socks5://127.0.0.1:1"), ("SSL_CERT_FILE", "/nonexistent")])
def test_an_unusable_proxy_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """For another machine's API such a variable counts; one that cannot be used is said to the operator."""
    monkeypatch.setenv(name, value)
    with pytest.raises(OperatorError, match=name):
        Client(replace(read_config({"HOME": "/nonexistent"}), api="https://elruso.invalid"))
