"""Processes that redact do not start with a vault that they cannot read."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ops.vault.vault import Vault, vault_folder

ROOT = Path(__file__).parent.parent.parent


def _flip(vault: Path) -> None:
    sealed = vault / "sealed"
    content = bytearray(sealed.read_bytes())
    content[-10] ^= 1
    sealed.write_bytes(content)


def _remove_key(vault: Path) -> None:
    (vault / "key").unlink()


def _replace_folder(vault: Path) -> None:
    vault.rename(vault.with_name("away"))
    vault.touch()


DAMAGES: dict[Callable[[Path], None], str] = {
    _flip: "está dañado",
    _remove_key: "Falta la clave",
    _replace_folder: "No se puede usar",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: str(damage.__name__))
@pytest.mark.parametrize("command", [["runner", "run"], ["serve"]], ids=" ".join)
def test_a_damaged_vault_is_refused_at_the_start(
    tmp_path: Path, command: list[str], damage: Callable[[Path], None]
) -> None:
    """The process ends at once with the reason and the next step, before it has asked for any work."""
    Vault(vault_folder(tmp_path)).set({"TOKEN": "correct-horse-battery"})
    damage(vault_folder(tmp_path))
    own = {"ELRUSO_HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "DATABASE_URL": "postgresql://127.0.0.1:1/none"}
    refused = subprocess.run(
        [sys.executable, "-m", "ops", "--lang", "es", *command],
        env=os.environ | own,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert 1 == refused.returncode
    assert DAMAGES[damage] in refused.stderr
    assert "Traceback" not in refused.stderr
