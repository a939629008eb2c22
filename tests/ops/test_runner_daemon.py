"""`elruso runner start, status, logs, stop`: the daemon."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from ops.home import make_home_private
from ops.supervisor import Process, State, Supervisor
from tests.support.waiting import eventually_now

ROOT = Path(__file__).parent.parent.parent


class Home:
    """A home folder and the command line in it."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self.supervisor = Supervisor(path)
        self._environment = os.environ | {"ELRUSO_HOME": str(path), "DATABASE_URL": url, "PYTHONPATH": str(ROOT)}

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """One command, in Spanish."""
        command = [sys.executable, "-m", "ops", "--lang", "es", "runner", *arguments]
        return subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=60)

    @property
    def state(self) -> State:
        """What the running supervisor wrote down."""
        state = self.supervisor.find()
        assert state is not None
        return state


@pytest.fixture
def home(tmp_path: Path, database: str) -> Iterator[Home]:
    """A home whose runner is stopped afterwards."""
    opened = Home(tmp_path / "home", database)
    yield opened
    opened.supervisor.stop()


def test_start_prints_what_the_runbook_shows(home: Home) -> None:
    """`start` prints PID, API, logs and PID file; the PID is that of a living process."""
    printed = home.run("start").stdout
    pid = int((home.path / "run" / "runner.pid").read_text())
    assert printed == (
        f"Runner daemon arrancado (PID {pid})\n"
        "  API: http://127.0.0.1:8787\n"
        f"  Logs: {home.path}/logs/runner.log\n"
        f"  PID: {home.path}/run/runner.pid\n"
    )
    assert psutil.pid_exists(pid)


def test_a_home_is_private_also_one_that_was_not(home: Home) -> None:
    """Folders and files that others could read are for their owner only after the next start, whatever the umask."""
    (home.path / "logs").mkdir(parents=True)
    (home.path / "logs" / "runner.log").write_text("old")
    (home.path / "run").mkdir()
    before = os.umask(0)
    try:
        for folder in (home.path, home.path / "logs", home.path / "run"):
            folder.chmod(0o777)
        home.run("start")
    finally:
        os.umask(before)
    assert [] == [path for path in home.path.rglob("*") if stat.S_IMODE(path.stat().st_mode) & 0o077]
    assert 0 == stat.S_IMODE(home.path.stat().st_mode) & 0o066  # root's PostgreSQL passes through


def test_a_folder_that_is_not_only_ours_keeps_its_mode(tmp_path: Path) -> None:
    """A home in a folder with other things in it, such as /tmp, is not closed; what is ours in it is."""
    (tmp_path / "other").mkdir()
    (tmp_path / "logs").mkdir()
    for folder in (tmp_path, tmp_path / "other", tmp_path / "logs"):
        folder.chmod(0o755)
    make_home_private(tmp_path)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in (".", "other", "logs")]
    assert [0o755, 0o755, 0o700] == modes


def test_second_start_is_refused(home: Home) -> None:
    """While a runner runs, another `start` says which one and changes nothing."""
    home.run("start")
    before = home.state
    refused = home.run("start")
    assert 1 == refused.returncode
    assert f"PID {before.supervisor.pid}" in refused.stderr
    assert before == home.state


def test_status(home: Home) -> None:
    """Status ends with 3 when nothing runs, with 0 when it does, and then says that the engine sees the runner."""
    assert 3 == home.run("status").returncode
    home.run("start")
    eventually_now(lambda: "Online: sí" in home.run("status").stdout, deadline=20)
    assert 0 == home.run("status").returncode


def test_stop_ends_supervisor_and_runner(home: Home) -> None:
    """After `stop` neither of them lives, and the files that named them are gone."""
    home.run("start")
    state = home.state
    assert 0 == home.run("stop").returncode
    assert state.runner is not None
    assert not state.supervisor.lives
    assert not state.runner.lives
    assert [] == list((home.path / "run").iterdir())
    assert 3 == home.run("stop").returncode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_is_said_and_does_not_end_the_supervisor(tmp_path: Path, database: str) -> None:
    """`start` on a full disk names it and leaves nothing; when it fills up later, a killed runner is still replaced."""
    folder = tmp_path / "home"
    with small_disk(folder):
        home = Home(folder, database)
        full = fill(folder / "filler")
        refused = home.run("start")
        assert 1 == refused.returncode
        assert "No space left" in refused.stderr
        assert "Traceback" not in refused.stderr
        assert 3 == home.run("status").returncode
        full.unlink()
        assert 0 == home.run("start").returncode
        state = home.state
        full = fill(folder / "filler")
        try:
            assert state.runner is not None
            state.runner.send(9)
            supervisor = psutil.Process(state.supervisor.pid)
            eventually_now(lambda: [child for child in supervisor.children() if child.pid != state.runner.pid], 30)
        finally:
            full.unlink()
            home.supervisor.stop()


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of a megabyte, mounted while the block lasts."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True).returncode:
        pytest.skip("no right to mount")
    try:
        yield
    finally:
        eventually_now(lambda: subprocess.run(["umount", str(folder)], capture_output=True).returncode == 0)


def fill(file: Path) -> Path:
    """A file that leaves no room on its disk."""
    with file.open("wb", buffering=0) as filler, suppress(OSError):
        while filler.write(bytes(4096)):
            pass
    return file


def test_crashed_runner_is_started_again(home: Home) -> None:
    """A runner that is killed is started again by its supervisor, which counts that."""
    home.run("start")
    first = home.state.runner
    assert first is not None
    first.send(9)
    eventually_now(lambda: home.state.restarts == 1 and home.state.runner != first, deadline=20)


def test_killed_supervisor_takes_its_runner_along(home: Home) -> None:
    """A runner whose supervisor was killed hands back and ends, so that `start` never makes a second one."""
    home.run("start")
    state = home.state
    assert state.runner is not None
    state.supervisor.send(9)
    eventually_now(lambda: not state.runner.lives, deadline=20)
    assert 3 == home.run("status").returncode
    assert 0 == home.run("start").returncode


def test_runner_that_cannot_start_says_why(home: Home) -> None:
    """`start` fails with the runner's own words when the runner ends at once, and leaves nothing running."""
    refused = home.run("start", "--handlers", "no_such_module")
    assert 1 == refused.returncode
    assert "no_such_module" in refused.stderr
    assert 3 == home.run("status").returncode


def test_logs(home: Home) -> None:
    """`logs -n` prints the last lines of the log."""
    assert 1 == home.run("logs").returncode
    home.run("start")
    eventually_now(lambda: "runner.started" in home.run("logs", "-n", "5").stdout, deadline=20)


def test_stranger_is_never_signalled(home: Home) -> None:
    """A process that has the written pid, but began at another time, is left alone."""
    stranger = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        written = Process(stranger.pid, psutil.Process(stranger.pid).create_time() - 1000)
        written.send(9)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.communicate()
