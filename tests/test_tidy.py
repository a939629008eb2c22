"""The house rules hold everywhere, and each rule notices when it is broken."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import tidiness
from tests.support.tidiness import PACKAGES, Complaint

ROOT = Path(__file__).parent.parent
Rule = Callable[[str, str], Iterator[Complaint]]

RULES: list[tuple[Rule, tuple[str, ...]]] = [
    (tidiness.complain_about_length, (*PACKAGES, "tests")),
    (tidiness.complain_about_name, (*PACKAGES, "tests")),
    (tidiness.complain_about_environment, PACKAGES),
    (tidiness.complain_about_printing, PACKAGES),
    (tidiness.complain_about_sql, PACKAGES),
    (tidiness.complain_about_sleeping, ("tests",)),
    (tidiness.complain_about_untold_tests, ("tests",)),
]

PLANTED: list[tuple[Rule, str, str]] = [
    (tidiness.complain_about_length, "events/long.py", "x = 1\n" * 401),
    (tidiness.complain_about_length, "events/deep.py", "def f():\n" + "    x = 1\n" * 70),
    (tidiness.complain_about_name, "events/utils.py", ""),
    (tidiness.complain_about_name, "runner/queue.py", ""),
    (tidiness.complain_about_printing, "ops/commands/task.py", "print('x')\n"),
    (tidiness.complain_about_printing, "ops/commands/task.py", "import click\nclick.echo('x')\n"),
    (tidiness.complain_about_printing, "ops/backup.py", "from rich.console import Console\n"),
    (tidiness.complain_about_environment, "api/app.py", "import os\nhome = os.environ['HOME']\n"),
    (tidiness.complain_about_environment, "api/app.py", "from os import getenv\nimport os\nos.getenv('HOME')\n"),
    (tidiness.complain_about_sql, "events/log.py", "query = 'SELECT seq FROM log.events'\n"),
    (tidiness.complain_about_sql, "events/log.py", "query = f'UPDATE {table} SET x = 1'\nother = 'DELETE FROM x'\n"),
    (tidiness.complain_about_sql, "ops/migrate.py", "query = '''SELECT 1\nFROM x'''\n"),
    (tidiness.complain_about_sleeping, "tests/test_x.py", "import time\ntime.sleep(1)\n"),
    (tidiness.complain_about_sleeping, "tests/test_x.py", "from asyncio import sleep\nawait sleep(0.1)\n"),
    (tidiness.complain_about_untold_tests, "tests/test_x.py", "def test_x():\n    pass\n"),
    (tidiness.complain_about_words, "README.md", f"see {tidiness.FORBIDDEN_WORDS[0]}\n"),
]


def python_files(folder: str) -> Iterator[tuple[str, str]]:
    """Each Python file below a folder of the repository: its path from the top, and its text."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        yield path.relative_to(ROOT).as_posix(), path.read_text()


@pytest.mark.parametrize(("rule", "folders"), RULES, ids=lambda value: getattr(value, "__name__", ""))
def test_rule_holds(rule: Rule, folders: tuple[str, ...]) -> None:
    """No file breaks the rule."""
    files = (file for folder in folders for file in python_files(folder))
    assert [] == [complaint for path, text in files for complaint in rule(path, text)]


@pytest.mark.parametrize(("rule", "path", "text"), PLANTED)
def test_rule_notices(rule: Rule, path: str, text: str) -> None:
    """A planted violation is found."""
    assert list(rule(path, text))


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [
        (tidiness.complain_about_sql, "events/log.py", '"""SELECT is a word here."""\ntext = "Select one"\n'),
        (tidiness.complain_about_sql, "events/notifier.py", "hint = 'SELECT pg_notify($1, $2)'\n"),
        (tidiness.complain_about_sql, "ops/migrate.py", "note = 'CREATE TABLE log.migrations (name text)'\n"),
        (tidiness.complain_about_sleeping, "tests/test_x.py", "import asyncio\nawait asyncio.sleep(0)\n"),
        (tidiness.complain_about_environment, "ops/config.py", "import os\nos.environ['X']\n"),
    ],
)
def test_rule_allows(rule: Rule, path: str, text: str) -> None:
    """What the rules allow is not complained about."""
    assert [] == list(rule(path, text))


def test_no_registry_and_no_machine_is_named() -> None:
    """No file under version control names a package registry or a path of one machine."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    complaints = []
    for name in filter(None, listed.split("\0")):
        text = (ROOT / name).read_text(errors="replace") if (ROOT / name).exists() else ""
        complaints += tidiness.complain_about_words(name, text)
    assert [] == complaints


def test_every_folder_of_tests_is_a_package() -> None:
    """Each folder with tests has an __init__.py, so that no two test modules have one name."""
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert [] == [folder for folder in folders if not (folder / "__init__.py").exists()]


@pytest.mark.parametrize("command", [["check"], ["format", "--check"]], ids=["check", "format"])
def test_style(command: list[str]) -> None:
    """ruff finds nothing to say."""
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or "ruff"
    outcome = subprocess.run([ruff, *command, "--quiet", "."], cwd=ROOT, capture_output=True, text=True)
    assert 0 == outcome.returncode, outcome.stdout + outcome.stderr


@pytest.mark.timeout(300)
def test_types() -> None:
    """mypy, strict, finds nothing to say."""
    command = [sys.executable, "-m", "mypy", "--no-error-summary"]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert 0 == outcome.returncode, outcome.stdout + outcome.stderr
