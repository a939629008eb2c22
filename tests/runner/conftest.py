"""A real git repository per test; tasks in a real database."""

import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from events.connect import Database
from events.notifier import Notifier
from tests.runner.working import Ledger, ledger

GitCommand = Callable[..., str]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit on `main`: README.md (two lines) and src/app.py (one line)."""
    path = tmp_path / "project"
    (path / "src").mkdir(parents=True)
    (path / "README.md").write_text("one\ntwo\n")
    (path / "src" / "app.py").write_text("print('hello')\n")
    run_git(path, "init", "--quiet", "--initial-branch=main")
    run_git(path, "add", "--all")
    run_git(path, "commit", "--quiet", "--message=first")
    return path


@pytest.fixture
def git(repository: Path) -> GitCommand:
    """Run git in the repository and return what it prints."""
    return lambda *arguments: run_git(repository, *arguments)


def run_git(directory: Path, *arguments: str) -> str:
    """Run git as a stranger with a name of his own."""
    identity = ("-c", "user.name=Operator", "-c", "user.email=operator@localhost", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *arguments], cwd=directory, capture_output=True, check=True)
    return done.stdout.decode().strip()


def all_objects(repository: Path) -> bytes:
    """The content of every object that a repository holds, reachable or not."""
    command = ["git", "cat-file", "--batch-all-objects", "--batch"]
    return subprocess.run(command, cwd=repository, capture_output=True, check=True).stdout


@pytest.fixture
async def tasks(database: str) -> AsyncIterator[Ledger]:
    """The tasks of the test's database; creating one wakes runners."""
    async with Notifier(Database(database)) as notifier, ledger(database) as opened:
        opened.commands.wake = notifier.wake
        yield opened
