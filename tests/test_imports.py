"""Imports point downward, and the check that says so can fail."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.tidiness import PACKAGES

ROOT = Path(__file__).parent.parent
LINT = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"


def lint(folder: Path) -> "subprocess.CompletedProcess[str]":
    """import-linter's verdict on the packages in that folder."""
    environment = os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "200"}
    command = [sys.executable, "-c", LINT]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_layers_hold() -> None:
    """No package imports one above it or beside it."""
    outcome = lint(ROOT)
    assert 0 == outcome.returncode, outcome.stdout + outcome.stderr


@pytest.mark.parametrize(
    ("module", "planted", "contract"),
    [
        ("events", "import projections", "Imports point downward"),
        ("projections", "import api", "Imports point downward"),
        ("api", "import runner", "Imports point downward"),
        ("runner", "import api", "Imports point downward"),
        ("api", "import ops", "Imports point downward"),
        ("runner", "import click", "Only ops speaks to the terminal"),
        ("events", "import starlette", "Only api serves HTTP"),
    ],
)
def test_planted_import_is_found(tmp_path: Path, module: str, planted: str, contract: str) -> None:
    """Each contract breaks when an import against it is planted."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text('"""A package."""\n')
    assert 0 == lint(tmp_path).returncode
    (tmp_path / module / "planted.py").write_text(f"{planted}\n")
    outcome = lint(tmp_path)
    assert 0 != outcome.returncode
    assert f"{contract}" in outcome.stdout
    assert "BROKEN" in outcome.stdout
