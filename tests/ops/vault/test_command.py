"""`elruso vault` as its users meet it."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from ops.cli import main
from ops.vault.keyring import _shared

Elruso = Callable[..., tuple[object, str, str]]
ROOT = Path(__file__).parent.parent.parent.parent
SECRET = 'it\'s a $ecret "quoted" \\ value\nof two lines'


class Shell:
    """Runs commands in a home of its own."""

    def __init__(self, home: Path) -> None:
        self.environment = {
            **{"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            "ELRUSO": f"{sys.executable} -P -m ops",
        }

    def run(self, line: str, given: str | None = None, **variables: str) -> "subprocess.CompletedProcess[str]":
        """A line of bash, in which $ELRUSO is the command."""
        return subprocess.run(
            ["bash", "-c", line],
            env=self.environment | variables,
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            timeout=60,
        )


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A shell with an empty home."""
    return Shell(tmp_path)


def test_values_reach_the_shell(shell: Shell, tmp_path: Path) -> None:
    """What was stored from the input or from a file is what eval "$(elruso vault env)" exports, whatever is in it."""
    (tmp_path / "token").write_text("from-a-file\n")
    assert 0 == shell.run("$ELRUSO vault set A_SECRET", given=SECRET + "\n").returncode
    assert 0 == shell.run("$ELRUSO vault set NPM_TOKEN --file $HOME/token --grant").returncode
    printed = shell.run("""eval "$($ELRUSO vault env)"; printf '%s|%s' "$A_SECRET" "$NPM_TOKEN" """)
    assert f"{SECRET}|from-a-file\n" == printed.stdout
    assert "export NPM_TOKEN='from-a-file\n'\n" == shell.run("$ELRUSO vault env NPM_TOKEN").stdout
    listed = shell.run("$ELRUSO vault list --json; $ELRUSO vault list")
    names = [(row["name"], row["granted"]) for row in json.loads(listed.stdout.partition("]")[0] + "]")]
    assert [("A_SECRET", False), ("NPM_TOKEN", True)] == names
    assert "for tasks" in listed.stdout.splitlines()[-1]
    assert "from-a-file" not in listed.stdout


def test_a_key_keeps_its_last_line_break(shell: Shell, tmp_path: Path) -> None:
    """An SSH key without it is invalid: a file is stored as it is, and so is a key from the input."""
    key = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA\n-----END OPENSSH PRIVATE KEY-----\n"
    (tmp_path / "id_ed25519").write_text(key)
    assert 0 == shell.run("$ELRUSO vault set FROM_FILE --file $HOME/id_ed25519").returncode
    assert 0 == shell.run("$ELRUSO vault set FROM_INPUT < $HOME/id_ed25519", given="").returncode
    printed = shell.run("""eval "$($ELRUSO vault env)"; printf '%s|%s' "$FROM_FILE" "$FROM_INPUT" """)
    assert f"{key}|{key}" == printed.stdout


@pytest.fixture
def elruso(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Elruso:
    """The command in this process: its exit status, what it printed, and what it said."""
    monkeypatch.setenv("ELRUSO_HOME", str(tmp_path))
    monkeypatch.setenv("ELRUSO_LANG", "en")

    def run(line: str, given: str = "") -> tuple[object, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
        with pytest.raises(SystemExit) as ended:
            main(line.split())
        return ended.value.code, *capfd.readouterr()

    return run


def test_what_cannot_be_is_refused_in_the_operators_language(elruso: Elruso) -> None:
    """Exit status 1 and what to do; the value is never an argument."""
    status, _printed, said = elruso("--lang es vault set 1KEY", "a value")
    assert (1, True) == (status, "no puede ser una variable" in said)
    for line in ("vault env NOPE", "vault rm NOPE", "vault grant NOPE", "vault revoke NOPE"):
        assert "No NOPE in the vault" in elruso(line)[2]
    assert "fewer than 6" in elruso("vault set SHORT", "abc")[2]
    assert "common word" in elruso("vault set WORD", "production")[2]
    assert "palabra común" in elruso("--lang es vault set WORD", "Password1!")[2]
    assert "warn" not in elruso("vault set GOOD", "kT9-vQ2xW7")[2]
    elruso("vault rm WORD GOOD")
    assert "is empty" in elruso("vault set EMPTY", "\n")[2]
    assert (2, True) == ((refused := elruso("vault set KEY --value x"))[0], "No such option" in refused[2])
    assert "SHORT" == elruso("vault list")[1].split()[0]
    elruso("vault grant SHORT")
    assert elruso("vault list")[1].endswith("for tasks\n")
    elruso("vault rm SHORT")
    assert "The vault is empty" in elruso("vault list")[2]


def test_rotation_and_passphrases(elruso: Elruso, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is changed, given up for a passphrase, kept as one, and made again, while the value stays."""
    key = tmp_path / "vault" / "key"
    elruso("vault set KEY", "a-long-value")
    first = key.read_bytes()
    assert "new key" in elruso("vault rotate")[2]
    assert first != key.read_bytes()
    assert "The passphrase is empty" in elruso("vault rotate --passphrase", "\n")[2]
    assert "ELRUSO_VAULT_PASSPHRASE" in elruso("vault rotate --passphrase", "open sesame\n")[2]
    assert not key.exists()
    _shared.cache_clear()  # as in a new process
    assert "sealed with a passphrase" in elruso("vault env")[2]
    monkeypatch.setenv("ELRUSO_VAULT_PASSPHRASE", "open sesame")
    assert "new key" in elruso("vault rotate")[2]
    assert "export KEY=a-long-value\n" == elruso("vault env")[1]
    elruso("vault rotate --key-file")
    monkeypatch.delenv("ELRUSO_VAULT_PASSPHRASE")
    assert "export KEY=a-long-value\n" == elruso("vault env")[1]


async def test_the_engine_is_told(shell: Shell, database: str, tmp_path: Path) -> None:
    """With a database, a stored value provides its request and a removed one asks for it again."""
    connection = await asyncpg.connect(database)
    told = shell.run("$ELRUSO vault set OPENAI_API_KEY", given="a-long-value", DATABASE_URL=database)
    assert "Requests provided: REQ-009." in told.stderr
    assert "PROVIDED" == await connection.fetchval("SELECT status FROM view.requests WHERE id = 'REQ-009'")
    told = shell.run("$ELRUSO vault rm OPENAI_API_KEY", DATABASE_URL=database)
    assert "Requests open again: REQ-009." in told.stderr
    assert "WAITING" == await connection.fetchval("SELECT status FROM view.requests WHERE id = 'REQ-009'")
    actors = await connection.fetch("SELECT DISTINCT actor FROM log.events WHERE kind = 'request'")
    assert ["human:local"] == [row["actor"] for row in actors]
    await connection.close()
