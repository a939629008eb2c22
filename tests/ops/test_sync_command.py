"""`elruso sync` as its users meet it, and the files it writes."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from ops.errors import OperatorError
from ops.memory import OURS, memory_file, place_for
from ops.sync.list_file import ListFile, replace_text
from tests.projections import history
from tests.support.waiting import eventually

ROOT = Path(__file__).parent.parent.parent
SESSIONS = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'elruso-sync'"
WAITS = f"SELECT EXISTS (SELECT {SESSIONS} AND wait_event_type = 'Lock')"
GONE = f"SELECT NOT EXISTS (SELECT {SESSIONS})"


class Workspace:
    """A workspace with a TASKS.json, and the command line beside it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.tasks = folder / "ops" / "TASKS.json"
        self.tasks.parent.mkdir()
        self.tasks.write_text('[{"id": "a", "title": "Uno"}]')
        own = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(ROOT), "ELRUSO_LANG": "es"}
        self._environment = own | {"DATABASE_URL": url, "ELRUSO_WORKSPACE": str(folder)}

    def start(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """One `elruso sync`, not waited for."""
        command = [sys.executable, "-P", "-m", "ops", "sync", *arguments]
        return subprocess.Popen(command, env=self._environment, cwd=self.folder, stdout=-1, stderr=-1)

    def sync(self, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
        """One `elruso sync`."""
        command = [sys.executable, "-P", "-m", "ops", "sync", *arguments]
        environment = self._environment | variables
        return subprocess.run(command, env=environment, cwd=self.folder, capture_output=True, text=True, timeout=60)


@pytest.fixture
def workspace(tmp_path: Path, database: str) -> Workspace:
    """A workspace over a database of its own."""
    return Workspace(tmp_path, database)


async def test_push_says_what_it_did_and_wakes_the_runners(workspace: Workspace, database: str) -> None:
    """A push prints the difference in the operator's language, and other processes are told to look."""
    listening = await asyncpg.connect(database)
    heard = asyncio.Event()
    await listening.add_listener("elruso", lambda *_: heard.set())
    pushed = await asyncio.to_thread(workspace.sync, "push")
    assert (0, "") == (pushed.returncode, pushed.stderr)
    assert "+ a  ready  Uno" in pushed.stdout
    assert "Tareas: 1 nuevas, 0 con otro estado, 0 diferencias sin aplicar, 0 iguales." in pushed.stdout
    await asyncio.wait_for(heard.wait(), 10)
    await listening.close()


async def test_a_killed_push_leaves_nothing(workspace: Workspace, database: str) -> None:
    """A push that is killed half-way has written nothing; pushed again, everything is there once."""
    workspace.tasks.write_text(json.dumps([{"id": name, "title": name, "status": "done"} for name in "abz"]))
    looking, blocking = await asyncpg.connect(database), await asyncpg.connect(database)
    transaction = blocking.transaction()
    await transaction.start()
    await history.create(blocking, "z")
    pushing = workspace.start("push")
    try:
        await eventually(lambda: looking.fetchval(WAITS), 30, "the push waits for z")
    finally:
        pushing.kill()
        pushing.communicate()
    await transaction.rollback()
    await eventually(lambda: looking.fetchval(GONE), describe="its session is gone")
    assert 0 == await looking.fetchval("SELECT count(*) FROM log.events")
    assert 0 == (await asyncio.to_thread(workspace.sync, "push")).returncode
    assert 6 == await looking.fetchval("SELECT count(*) FROM log.events WHERE kind = 'task'")
    await looking.close()
    await blocking.close()


def test_pull_writes_where_it_was_read(workspace: Workspace) -> None:
    """A pull writes the workspace's file and makes the one that is missing there; with --folder it is another place."""
    workspace.sync("push")
    pulled = workspace.sync("pull")
    assert (0, "") == (pulled.returncode, pulled.stderr)
    assert [{"id": "a", "title": "Uno", "status": "ready"}] == json.loads(workspace.tasks.read_text())
    statuses = {each["status"] for each in json.loads((workspace.tasks.parent / "REQUESTS.json").read_text())}
    assert {"WAITING"} == statuses
    other = workspace.folder / "other"
    other.mkdir()
    assert 0 == workspace.sync("pull", "--folder", str(other)).returncode
    assert ["a"] == [task["id"] for task in json.loads((other / "TASKS.json").read_text())]


def test_refusals_end_with_one(workspace: Workspace) -> None:
    """A file that will not do ends the command with 1 and the place to look at."""
    workspace.tasks.write_text('[{"id": "a", "title": "Uno", "priority": "high"}]')
    refused = workspace.sync("push")
    assert 1 == refused.returncode
    assert "la entrada 1 (a) no sirve" in refused.stderr
    assert "$.priority" in refused.stderr


def test_a_far_away_api_is_not_mistaken_for_the_database_here(workspace: Workspace) -> None:
    """With the address of an API elsewhere and no database named, nothing is written to a database of our own."""
    refused = workspace.sync("push", DATABASE_URL="", API_BASE_URL="https://elruso.example")
    assert 1 == refused.returncode
    assert "curl -X POST https://elruso.example/ops/actions/sync-push" in refused.stderr
    assert not (workspace.folder / ".elruso").exists()


def test_our_own_files_stand_in(tmp_path: Path) -> None:
    """What the workspace lacks is read from the files that come along; it is written to the workspace."""
    assert OURS / "TASKS.json" == memory_file(tmp_path, "TASKS.json") == place_for(None, "TASKS.json")
    assert tmp_path / "ops" / "TASKS.json" == place_for(tmp_path, "TASKS.json")


def test_an_installation_without_checkout_is_not_written_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Installed from a wheel, without a workspace, there is no place to write, and that is said."""
    monkeypatch.setattr("ops.memory.OURS", tmp_path)
    with pytest.raises(OperatorError, match="ELRUSO_WORKSPACE"):
        place_for(None, "TASKS.json")


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    """A file that is replaced keeps its permissions and its name, also behind a link; no draft is left."""
    file, link = tmp_path / "file.json", tmp_path / "link.json"
    file.write_text("old")
    file.chmod(0o600)
    link.symlink_to(file)
    replace_text(link, "new")
    assert ("new", 0o600, True) == (file.read_text(), file.stat().st_mode & 0o777, link.is_symlink())
    with pytest.raises(UnicodeEncodeError):
        replace_text(file, "half \ud800")
    assert "new" == file.read_text()
    assert {file, link} == set(tmp_path.iterdir())


def test_an_unwritable_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    """A file that cannot be written is named."""
    (tmp_path / "folder").write_text("in the way")
    with pytest.raises(OperatorError, match=r"folder.TASKS\.json"):
        ListFile(tmp_path / "x", [], "tasks").write([{}], tmp_path / "folder" / "TASKS.json")
