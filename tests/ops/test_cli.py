"""The command line as its users meet it: real processes, exit statuses, both languages."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import click
import pytest

from ops.cli import elruso
from ops.postgres import control
from ops.usage import explain
from tests.support.postgres import MAJOR, scratch_folder

ROOT = Path(__file__).parent.parent.parent


class Shell:
    """Runs elruso in an environment of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def elruso(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Run one command to its end."""
        own = {"HOME": str(self.home), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
        return subprocess.run(
            [sys.executable, "-P", "-m", "ops", *arguments],
            env=own | {"ELRUSO_POSTGRES_MAJOR": str(MAJOR)} | variables,
            cwd=self.home,
            capture_output=True,
            text=True,
            timeout=100,
        )


@pytest.fixture
def shell() -> Iterator[Shell]:
    """A shell with an empty home."""
    with scratch_folder() as home:
        yield Shell(home)
        control.stop(home / ".elruso" / f"postgres-{MAJOR}", MAJOR, force=True)


async def test_own_database_from_nothing(shell: Shell) -> None:
    """In an empty home, migrate creates the database, and url prints an address under which it is found."""
    migrated = shell.elruso("db", "migrate")
    assert (0, "") == (migrated.returncode, migrated.stdout)
    assert "Database created." in migrated.stderr
    url = shell.elruso("db", "url").stdout.strip()
    connection = await asyncpg.connect(url)
    assert await connection.fetchval("SELECT to_regclass('log.events') IS NOT NULL")
    await connection.close()
    assert "up to date" in shell.elruso("db", "migrate").stderr
    assert "All is well." in shell.elruso("doctor").stdout
    assert "PostgreSQL stopped." in shell.elruso("db", "stop").stderr
    assert "was not running" in shell.elruso("db", "stop").stderr


def test_given_database_is_used(shell: Shell, empty_database: str) -> None:
    """With DATABASE_URL no server of our own is started; options of other drivers in it do no harm."""
    url = f"{empty_database}&sslmode=prefer&channel_binding=prefer&pgbouncer=true"
    assert 0 == shell.elruso("db", "migrate", DATABASE_URL=url).returncode
    assert f"{url}\n" == shell.elruso("db", "url", DATABASE_URL=url).stdout
    assert not (shell.home / ".elruso").exists()


def test_doctor_notices_an_empty_database(shell: Shell, empty_database: str) -> None:
    """A database without our schema makes doctor end with 1 and name the command."""
    looked = shell.elruso("doctor", DATABASE_URL=empty_database)
    assert 1 == looked.returncode
    assert "elruso db migrate" in looked.stdout


def test_doctor_notices_what_is_wrong(shell: Shell) -> None:
    """Misspelt settings, a missing workspace, an unreachable database: each is said, without a password."""
    looked = shell.elruso(
        "doctor",
        ELRUSO_PROT="1",
        ELRUSO_WORKSPACE="/no/such/folder",
        DATABASE_URL="postgresql://me:s3cr3t@127.0.0.1:1/db",
    )
    assert 1 == looked.returncode
    assert "Is ELRUSO_PORT meant?" in looked.stdout
    assert "/no/such/folder" in looked.stdout
    assert "does not answer" in looked.stdout
    assert "s3cr3t" not in looked.stdout + looked.stderr


def test_unreachable_database_is_an_error_not_a_traceback(shell: Shell) -> None:
    """A database that cannot be reached ends the command with 1 and the next step."""
    failed = shell.elruso("db", "migrate", DATABASE_URL="postgresql://me@127.0.0.1:1/db")
    assert 1 == failed.returncode
    assert "check DATABASE_URL" in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize(
    ("variables", "words"),
    [({"LANG": "es_AR.UTF-8"}, "se permite número entero"), ({"ELRUSO_LANG": "en"}, "allowed is whole number")],
)
def test_wrong_setting_is_refused_in_the_operators_language(
    shell: Shell, variables: dict[str, str], words: str
) -> None:
    """A setting that will not do ends the command with 1, in Spanish or English."""
    failed = shell.elruso("doctor", ELRUSO_PORT="ninety", **variables)
    assert 1 == failed.returncode
    assert "ELRUSO_PORT='ninety'" in failed.stderr
    assert words in failed.stderr


def test_help_is_in_both_languages(shell: Shell) -> None:
    """--lang chooses the language of the help, for all commands."""
    assert "La base de datos." in shell.elruso("--lang", "es", "--help").stdout
    assert "The database." in shell.elruso("--lang", "en", "--help", LANG="es_ES").stdout
    spanish = shell.elruso("--lang", "es", "db", "--help").stdout
    assert "Detiene el servidor propio." in spanish
    for words in ("Uso: elruso db [OPCIONES] ORDEN", "Opciones:", "Órdenes:", "Muestra esta ayuda.", "todo sigue"):
        assert words in spanish
    assert "..." not in spanish.replace("[ARGUMENTOS]...", ""), "a summary is cut"


def test_wrong_command_is_a_usage_error(shell: Shell) -> None:
    """A command that does not exist ends with 2."""
    assert 2 == shell.elruso("bd").returncode


@pytest.mark.parametrize(
    ("words", "spanish", "english"),
    [
        ("bd", "No existe la orden 'bd'.", "No such command 'bd'."),
        ("task creat", "Uso: elruso task", "Usage: elruso task"),
        ("task --nope", "Más con «elruso task --help».", "Try 'elruso task --help' for help."),
        ("bench --rnus 3", "No existe la opción '--rnus'. ¿Querías decir '--runs'?", "Did you mean '--runs'?"),
        ("token create", "Falta el argumento 'NAME'.", "Missing argument 'NAME'."),
        ("serve --port", "La opción '--port' necesita un valor.", "Option '--port' requires an argument."),
        ("serve --port x", "'--port' no vale: 'x' no es un número entero.", "'x' is not a valid integer range."),
        ("serve --port 70000", "70000 no está entre 0<=x<=65535.", "70000 is not in the range 0<=x<=65535."),
        ("token create a --role b", "'b' no es ninguno de 'viewer'", "'b' is not one of 'viewer'"),
        ("token create a", "Falta la opción '--role'. Puede ser:", "Missing option '--role'. Choose from:"),
        ("db url extra", "Sobra el argumento (extra)", "Got unexpected extra argument (extra)"),
    ],
)
def test_a_usage_error_is_told_in_both_languages(words: str, spanish: str, english: str) -> None:
    """What click says is known again, on stderr, with its status 2; a wording that click changes is told here."""
    for language, told in (("es", spanish), ("en", english)):
        with pytest.raises(click.UsageError) as raised:
            elruso.main(words.split(), prog_name="elruso", standalone_mode=False)
        assert told in explain(raised.value, "es" if language == "es" else "en")


def test_package_in_front_of_ours_is_named(shell: Shell) -> None:
    """A stranger's package of the same name is noticed at start, with its place."""
    (shell.home / "strangers" / "projections").mkdir(parents=True)
    (shell.home / "strangers" / "projections" / "__init__.py").touch()
    failed = shell.elruso("--help", PYTHONPATH=f"{shell.home / 'strangers'}:{ROOT}")
    assert 1 == failed.returncode
    assert str(shell.home / "strangers" / "projections") in failed.stderr


def test_psql_comes_along(shell: Shell, database: str) -> None:
    """`db psql` asks the database through the psql of the wheel, and ends as that does."""
    asked = shell.elruso("db", "psql", "-Atc", "SELECT count(*) FROM log.events", DATABASE_URL=database)
    assert (0, "0\n") == (asked.returncode, asked.stdout)
    assert 1 == shell.elruso("db", "psql", "-c", "SELECT nonsense", DATABASE_URL=database).returncode
