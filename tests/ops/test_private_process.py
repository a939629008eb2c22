"""What our processes know stays theirs: no step finds a token in an ancestor's environment or command line. Linux."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.task import Step, TaskCreated
from ops.private_process import tokens_in
from ops.supervisor import Supervisor
from runner.output import Stream
from runner.process import Command, run_command
from tests.runner.working import ledger
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_DUMPABLE and /proc are Linux's")

ROOT = Path(__file__).parent.parent.parent
TOKEN = "elr_runner_" + "k" * 43
PASSPHRASE = "a-passphrase-of-the-vault"
# Walks up to process 1 and prints whatever the kernel shows of each ancestor.
SPY = """
p=$$
while [ "$p" -gt 1 ]; do
    tr '\\0' '\\n' <"/proc/$p/environ"; tr '\\0' ' ' <"/proc/$p/cmdline"; echo
    p=$(awk '/^PPid/ { print $2 }' "/proc/$p/status")
done >"$1"
"""

# Two processes of one user (of nobody, when this is root); the second reads the environment of the first.
NEIGHBOURS = """
import ctypes, os, signal, sys
sys.path.insert(0, sys.argv[1])
from runner.linux import set_undumpable
for undumpable in (False, True):
    reading, writing = os.pipe()
    first = os.fork()
    if first == 0:
        if os.getuid() == 0:
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # what another user id took away
        if undumpable:
            set_undumpable()
        os.write(writing, b"x")
        os.close(writing)
        signal.pause()
    os.read(reading, 1)
    second = os.fork()
    if second == 0:
        if os.getuid() == 0:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
        try:
            open(f"/proc/{first}/environ").close()
            print("open", flush=True)
        except PermissionError:
            print("closed", flush=True)
        os._exit(0)
    os.waitpid(second, 0)
    os.kill(first, 9)
    os.waitpid(first, 0)
"""


class Home:
    """A home folder, and the commands that start a runner in it with secrets in their environment."""

    def __init__(self, path: Path, url: str) -> None:
        self.path = path
        self.path.mkdir()
        secrets = {"ELRUSO_TOKEN": TOKEN, "ELRUSO_VAULT_PASSPHRASE": PASSPHRASE, "ELRUSO_PORT": "0"}
        self._environment = os.environ | secrets | {"ELRUSO_HOME": str(path), "DATABASE_URL": url}
        self._environment["PYTHONPATH"] = str(ROOT)
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self, *arguments: str) -> None:
        """Start a command of ours in the background."""
        with (self.path / "log").open("ab") as log:
            command = [sys.executable, "-m", "ops", *arguments]
            self._started.append(subprocess.Popen(command, env=self._environment, stdout=log, stderr=log))

    def stop(self) -> None:
        """End all of it."""
        for process in self._started:
            process.terminate()
            process.wait()
        Supervisor(self.path).stop()


@pytest.fixture
def home(tmp_path: Path, database: str) -> Iterator[Home]:
    """A home whose processes are stopped afterwards."""
    opened = Home(tmp_path / "home", database)
    yield opened
    opened.stop()


@pytest.mark.parametrize(
    "command",
    [("runner", "start"), ("runner", "run"), ("runner", "run", "--token", TOKEN), ("up",)],
    ids=lambda value: " ".join(value).replace(TOKEN, "…"),
)
async def test_no_step_finds_a_secret_in_its_ancestors(home: Home, database: str, command: tuple[str, ...]) -> None:
    """Neither the daemon, nor what keeps it, nor the runner, nor the subreaper shows a secret, even to root."""
    file = home.path / "spied"
    home.path.joinpath("spy.sh").write_text(SPY)
    async with ledger(database) as tasks:
        await tasks.add(("spy", TaskCreated("a task", steps=[Step("spy", f"sh {home.path}/spy.sh {file}")])))
        home.start(*command)
        await eventually(lambda: tasks.count("done"), deadline=60, describe="the end of the task")
    seen = file.read_text(errors="replace")
    assert "-m ops runner run" in seen  # it did walk past the runner
    assert [] == [secret for secret in (TOKEN, PASSPHRASE) if secret in seen]
    assert "DATABASE_URL" not in seen


def test_a_private_process_is_closed_to_its_own_user() -> None:
    """Another process of the same user reads its environment before it becomes private, and not afterwards."""
    outcome = subprocess.run([sys.executable, "-c", NEIGHBOURS, str(ROOT)], capture_output=True, text=True)
    assert ("open\nclosed\n", "") == (outcome.stdout, outcome.stderr)


def test_tokens_in_a_command_line() -> None:
    """Both spellings of the option are found, and nothing else is taken for one."""
    assert ["a", "b"] == tokens_in(["elruso", "--token", "a", "--token=b", "--tokens=c"])
    assert [] == tokens_in(["elruso", "token", "create", "--token"])


def test_a_client_without_a_token_can_be_identified() -> None:
    """A process of ours is private, until it speaks to the API without a token; with one it stays so."""
    script = (
        "import sys; from ops.client import Client; from ops.config import Config; from ops.private_process import *\n"
        "from runner.linux import is_dumpable\n"
        "become_private(); seen = [is_dumpable()]; Client(Config(token='t')); seen.append(is_dumpable())\n"
        "Client(Config()); print(*seen, is_dumpable())"
    )
    outcome = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert "False False True\n" == outcome.stdout, outcome.stderr


async def test_commands_inside_a_run_say_so(tmp_path: Path) -> None:
    """A command in a step names the run on stderr, even without its environment; one outside does not."""
    command = f"{sys.executable} -m ops --lang es doctor"
    seen: dict[str, str] = {"stdout": "", "stderr": ""}

    async def keep(stream: Stream, data: bytes) -> None:
        seen[stream] += data.decode()

    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "ELRUSO_HOME": str(tmp_path)}
    script = f"{command}; env -u ELRUSO_RUN_ID -u ELRUSO_TASK_ID setsid -w {command}"
    inside = environment | {"ELRUSO_RUN_ID": "7", "ELRUSO_TASK_ID": "T1"}
    await run_command(
        Command(arguments=("/bin/sh", "-c", script), directory=tmp_path, environment=inside, timeout_seconds=60), keep
    )
    assert "Estás dentro de la ejecución 7 de la tarea T1" in seen["stderr"]
    assert "Estás dentro de la ejecución ? de la tarea ?" in seen["stderr"]
    assert "Los procesos de un paso terminan con él" in seen["stdout"]
    outside = await asyncio.create_subprocess_exec(*command.split(), env=environment, stderr=subprocess.PIPE)
    assert b"Est\xc3\xa1s dentro" not in (await outside.communicate())[1]
