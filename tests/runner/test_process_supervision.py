"""No process of a command outlives it or its runner, however it detaches itself and whoever is killed. Linux."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from runner import subreaper_client
from runner.orphans import kill_orphans
from runner.process import Command, Ended, run_command
from runner.process_tree import SUBREAPER_NAME, list_descendants, read_process
from runner.runner_mark import MARK, RunnerMark, own_mark, process_namespace
from runner.subreaper_client import SUPERVISOR_KILLED, shared_subreaper
from tests.runner.working import Ledger, is_alive, runner_process
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process group is all there is")

LEAVE_GROUP = (
    'import os; os.setpgid(0, 0); print(os.getpid(), file=open(os.environ["F"], "w")); '
    'os.execlp("sleep", "sleep", "600")'
)
# Each writes the id of a process that would go on for ten minutes to the file $F. `settled` waits for that.
ESCAPES = {
    "background": "sh -c 'echo $$ >$F; exec sleep 600' &",
    "setsid": "setsid sh -c 'echo $$ >$F; exec sleep 600' &",
    "setpgid": f"{sys.executable} -c '{LEAVE_GROUP}' &",
    "double fork": "(setsid sh -c 'sh -c \"echo \\$\\$ >$F; exec sleep 600\" &' &)",
    "closed descriptors": "setsid sh -c 'echo $$ >$F; exec sleep 600 <&- >&- 2>&-' &",
    "empty environment": 'env -i setsid sh -c "echo \\$\\$ >$F; exec sleep 600" >/dev/null 2>&1 &',
    "nohup": "nohup sh -c 'echo $$ >$F; exec sleep 600' >/dev/null 2>&1 &",
    "deaf": "setsid sh -c 'trap \"\" TERM HUP INT; echo $$ >$F; while :; do sleep 1; done' >/dev/null 2>&1 &",
    "stopped": "setsid sh -c 'echo $$ >$F; kill -STOP $$; sleep 600' &",
}
SETTLED = "until [ -s $F ]; do sleep 0.01; done"

TREE = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(40):
    if os.fork() == 0:
        os.setsid()
        os.fork()
        break
open(os.environ["F"], "a").write(f"{os.getpid()}\\n")
time.sleep(600)
"""
# Forks and ends over and over, each time in a session of its own, so that no process id is worth anything for long.
MOVING = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
began = time.monotonic()
while time.monotonic() < began + 60:
    if os.fork():
        os._exit(0)
    os.setsid()
    file = os.open(os.environ["F"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.write(file, f"{os.getpid()}\\n".encode())
    os.close(file)
"""


@pytest.fixture(autouse=True)
def survivors(tmp_path: Path) -> Iterator[None]:
    """Whatever a failing test leaves running is killed."""
    yield
    for path in tmp_path.rglob("pid*"):
        for line in path.read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(line), signal.SIGKILL)


def command(script: str, file: Path, **more: float) -> Command:
    """A command that knows where to write its process id."""
    environment = {"PATH": os.environ["PATH"], "F": str(file), "PYTHON": sys.executable}
    return Command(arguments=("/bin/bash", "-c", script), directory=file.parent, environment=environment, **more)


async def run(script: str, file: Path, **more: float) -> Ended:
    """Run it to its end; its output is nobody's."""

    async def discard(_stream: str, _data: bytes) -> None:
        pass

    return await run_command(command(script, file, **more), discard)


def begin(script: str, file: Path) -> "asyncio.Task[Ended]":
    """Run it in the background."""
    return asyncio.create_task(run(script, file))


async def pid_in(file: Path) -> int:
    """The first process id that was written there."""

    def written() -> int:
        text = file.read_text() if file.exists() else ""
        return int(text.split()[0]) if text.endswith("\n") else 0

    return await eventually(written, describe="a process id in the file")


def parent_of(pid: int) -> int:
    """A process's parent."""
    process = read_process(pid)
    assert process is not None
    return process.parent


async def gone(pid: int) -> None:
    """Wait for the end of a process."""
    await eventually(lambda: not is_alive(pid), describe=f"the end of process {pid}")


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
async def test_nothing_outlives_a_command(tmp_path: Path, escape: str) -> None:
    """However a process detaches itself, it has ended when the command that started it has."""
    ended = await run(f"{escape}\n{SETTLED}", tmp_path / "pid", grace_seconds=0.2)
    assert 0 == ended.exit_code
    assert not is_alive(await pid_in(tmp_path / "pid"))


@pytest.mark.parametrize("escape", ESCAPES.values(), ids=ESCAPES)
async def test_nothing_outlives_a_killed_runner(database: str, tasks: Ledger, tmp_path: Path, escape: str) -> None:
    """After kill -9 of the runner its step and what that detached are gone: the next attempt works alone."""
    step, escaped = tmp_path / "pid-step", tmp_path / "pid"
    await tasks.shell(1, f"export F={escaped}; echo $$ >{step}; {escape}\n{SETTLED}; sleep 600; true")
    async with runner_process(database, tmp_path / "home") as runner:
        pids = [await pid_in(step), await pid_in(escaped)]
        runner.kill()
        for pid in pids:
            await gone(pid)


async def test_a_stopped_runner_s_steps_end_with_its_lease(database: str, tasks: Ledger, tmp_path: Path) -> None:
    """A runner that is stopped, not killed, loses its tasks; by then its steps have been killed."""
    step, escaped = tmp_path / "pid-step", tmp_path / "pid"
    await tasks.shell(1, f"export F={escaped}; echo $$ >{step}; {ESCAPES['setsid']}\n{SETTLED}; sleep 600; true")
    async with runner_process(database, tmp_path / "home") as runner:
        pids = [await pid_in(step), await pid_in(escaped)]
        assert all(is_alive(pid) for pid in pids)
        runner.send_signal(signal.SIGSTOP)
        for pid in pids:
            await gone(pid)


async def test_a_killed_command_supervisor_takes_everything_along(tmp_path: Path) -> None:
    """kill -9 of a command's supervisor: what it supervised is killed one level up, and the run is told."""
    running = begin(f"{ESCAPES['empty environment']}\n{SETTLED}; exec sleep 600", tmp_path / "pid")
    escaped = await pid_in(tmp_path / "pid")
    supervisor = supervisor_of(escaped)
    os.kill(supervisor, signal.SIGKILL)
    ended = await running
    assert (None, SUPERVISOR_KILLED) == (ended.exit_code, ended.error)
    assert not is_alive(escaped)


async def test_a_killed_subreaper_takes_everything_along(tmp_path: Path) -> None:
    """kill -9 of the subreaper: each supervisor kills what it supervises, and the next command starts another."""
    running = begin(f"{ESCAPES['empty environment']}\n{SETTLED}; exec sleep 600", tmp_path / "pid")
    escaped = await pid_in(tmp_path / "pid")
    supervisor = supervisor_of(escaped)
    os.kill(parent_of(supervisor), signal.SIGKILL)
    ended = await running
    assert (None, SUPERVISOR_KILLED) == (ended.exit_code, ended.error)
    assert not is_alive(escaped)
    assert 0 == (await run("true", tmp_path / "other")).exit_code


async def test_both_levels_killed_at_once_leave_nothing_that_is_marked(tmp_path: Path) -> None:
    """Subreaper and supervisor killed together: the runner finds by mark and session what escaped them."""
    running = begin(f"{ESCAPES['setsid']}\n{SETTLED}; exec sleep 600", tmp_path / "pid")
    escaped = await pid_in(tmp_path / "pid")
    supervisor = supervisor_of(escaped)
    subreaper = parent_of(supervisor)
    for pid in (subreaper, supervisor):
        os.kill(pid, signal.SIGSTOP)
    for pid in (subreaper, supervisor):
        os.kill(pid, signal.SIGKILL)
    ended = await running
    assert (None, SUPERVISOR_KILLED) == (ended.exit_code, ended.error)
    assert not is_alive(escaped)


@pytest.mark.parametrize("level", ["supervisor", "subreaper"])
async def test_a_stopped_level_cannot_hold_a_run_up(
    tmp_path: Path, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that stops its own supervisor or the subreaper is ended at its timeout all the same."""
    monkeypatch.setattr(subreaper_client, "START_SECONDS", 5.0)  # the next command notices the stopped subreaper then
    whom = "$PPID" if level == "supervisor" else "$(ps -o ppid= -p $PPID)"
    script = f"{ESCAPES['setsid']}\n{SETTLED}; kill -STOP {whom}; exec sleep 600"
    ended = await run(script, tmp_path / "pid", timeout_seconds=0.5, grace_seconds=0.1)
    assert ended.timed_out
    await gone(await pid_in(tmp_path / "pid"))
    assert 0 == (await run("true", tmp_path / "other")).exit_code


async def test_a_tree_that_ignores_sigterm_is_killed_whole(tmp_path: Path) -> None:
    """Eighty processes in forty sessions, all deaf to SIGTERM, end with the command."""
    (tmp_path / "tree.py").write_text(TREE)
    file = tmp_path / "pid"
    script = "$PYTHON tree.py & until [ $(cat $F 2>/dev/null | wc -l) -ge 81 ]; do sleep 0.01; done"
    ended = await run(script, file, grace_seconds=0.1)
    assert 0 == ended.exit_code
    assert [] == [pid for pid in map(int, file.read_text().split()) if is_alive(pid)]


async def test_a_process_that_never_stands_still_is_killed(tmp_path: Path) -> None:
    """A process that forks and ends all the time cannot slip through between two looks."""
    (tmp_path / "moving.py").write_text(MOVING)
    ended = await run(f"$PYTHON moving.py & {SETTLED}", tmp_path / "pid", grace_seconds=0.1)
    assert 0 == ended.exit_code
    last = tmp_path.joinpath("pid").read_text()
    assert [] == [process for process in list_descendants(os.getpid()) if is_moving(process.pid)]
    assert last == tmp_path.joinpath("pid").read_text()


async def test_a_killed_supervisor_costs_other_commands_nothing(tmp_path: Path) -> None:
    """Other commands go on while one loses its supervisor."""
    first = begin("echo $$ >$F; exec sleep 600", tmp_path / "pid-1")
    second = begin("echo $$ >$F; until [ -e go ]; do sleep 0.01; done; exit 7", tmp_path / "pid-2")
    await pid_in(tmp_path / "pid-2")
    os.kill(parent_of(await pid_in(tmp_path / "pid-1")), signal.SIGKILL)
    assert SUPERVISOR_KILLED == (await first).error
    (tmp_path / "go").touch()
    assert 7 == (await second).exit_code


async def test_many_commands_at_once(tmp_path: Path) -> None:
    """Sixty commands side by side each get their own exit code."""
    codes = [ended.exit_code for ended in await asyncio.gather(*(run(f"exit {n}", tmp_path / "x") for n in range(60)))]
    assert list(range(60)) == codes


async def test_a_command_starts_as_from_a_shell(tmp_path: Path) -> None:
    """No ignored or blocked signals, no descriptors but the three, a session of its own."""
    script = (
        "grep -E '^(SigIgn|SigBlk)' /proc/self/status; ls /proc/self/fd; [ $(ps -o sid= -p $$) = $$ ] && echo leader"
    )
    seen = []

    async def keep(_stream: str, data: bytes) -> None:
        seen.append(data.decode())

    await run_command(command(script, tmp_path / "pid"), keep)
    zero = "0" * 16
    assert f"SigBlk:\t{zero}\nSigIgn:\t{zero}\n0\n1\n2\n3\nleader\n" == "".join(seen)  # 3 is the folder that ls reads


async def test_what_an_earlier_runner_left_is_killed_at_start(tmp_path: Path) -> None:
    """A process marked by a dead runner is killed with its session; those of a living one and of strangers stay."""
    dead = RunnerMark(process_namespace(), 2**22 - 1, 1)
    first = read_process(1)
    assert first is not None
    living = RunnerMark(process_namespace(), 1, first.start)
    foreign = RunnerMark(process_namespace() + 1, 2**22 - 1, 1)
    script = "setsid sh -c 'env -i sleep 600 & echo \"$$ $!\" >$F; exec sleep 600' >/dev/null 2>&1 &"
    marks = {"dead": str(dead), "living": str(living), "foreign": str(foreign), "torn": "x-y"}
    pids = {}
    for name, mark in marks.items():
        file = tmp_path / f"pid-{name}"
        environment = {"PATH": os.environ["PATH"], "F": str(file), MARK: mark}
        await (await asyncio.create_subprocess_exec("/bin/sh", "-c", script, env=environment)).wait()
        await pid_in(file)
        pids[name] = [int(pid) for pid in file.read_text().split()]
    assert 2 == await asyncio.to_thread(kill_orphans)
    for pid in pids.pop("dead"):
        await gone(pid)
    assert all(is_alive(pid) for pair in pids.values() for pid in pair)


async def test_steps_are_marked_by_their_runner(tmp_path: Path) -> None:
    """A command carries the mark of the process that runs it, which is alive."""
    await run(f"printenv {MARK} >$F", tmp_path / "mark")
    text = tmp_path.joinpath("mark").read_text().strip()
    mark = RunnerMark.parse(text)
    assert text == own_mark()
    assert mark is not None
    assert mark.is_alive


async def test_the_subreaper_has_no_environment(tmp_path: Path) -> None:
    """The subreaper is the ancestor of every step: nothing of the runner's environment stands in its own."""
    running = begin("echo $$ >$F; exec sleep 600", tmp_path / "pid")
    supervisor = parent_of(await pid_in(tmp_path / "pid"))
    for pid in (supervisor, parent_of(supervisor)):
        assert b"" == environment_of(pid)
    running.cancel()
    await asyncio.wait({running})
    shared_subreaper().close()


def supervisor_of(pid: int) -> int:
    """The supervisor of the command that a process belongs to."""
    while Path(f"/proc/{pid}/comm").read_text().strip() != SUBREAPER_NAME:
        pid = parent_of(pid)
    return pid


def environment_of(pid: int) -> bytes:
    """The environment that a process was started with."""
    return Path(f"/proc/{pid}/environ").read_bytes()


def is_moving(pid: int) -> bool:
    """Whether that process is one of MOVING's."""
    with suppress(OSError):
        return b"moving.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False
