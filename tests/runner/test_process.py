"""One command in its own process group."""

import asyncio
import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from runner.output import OUTPUT_LIMIT, StepOutput, Stream
from runner.process import Command, Ended, run_command
from runner.process_group import is_alive
from runner.redact import Redactor
from tests.runner.recording import SECRET
from tests.support.waiting import eventually

PATH = os.environ["PATH"]


class Watched:
    """A command's output as it would reach the log."""

    def __init__(self) -> None:
        self.pieces: list[tuple[Stream, str]] = []
        self.output = StepOutput(Redactor([SECRET]), self.emit)

    async def emit(self, stream: Stream, text: str) -> None:
        self.pieces.append((stream, text))

    def of(self, stream: Stream) -> str:
        return "".join(text for name, text in self.pieces if name == stream)


def command(script: str, directory: Path, **more: Any) -> Command:
    """A shell command with nothing but a PATH."""
    return Command(arguments=("/bin/sh", "-c", script), directory=directory, environment={"PATH": PATH}, **more)


async def run(script: str, directory: Path, **more: Any) -> tuple[Ended, Watched]:
    """Run a script to its end and return how it ended and what was seen of it."""
    watched = Watched()
    ended = await run_command(command(script, directory, **more), watched.output.write)
    await watched.output.finish()
    return ended, watched


async def group_of(path: Path) -> int:
    """The process group that a script wrote to `path` with `echo $$`."""

    def written() -> int:
        text = path.read_text() if path.exists() else ""
        return int(text) if text.endswith("\n") else 0

    return await eventually(written, describe="the script's pid")


async def test_both_streams_and_the_exit_code_are_told(tmp_path: Path) -> None:
    """stdout, stderr and the exit code arrive, each under its own name."""
    ended, seen = await run("echo good; echo bad >&2; exit 3", tmp_path)
    assert (ended.exit_code, ended.error) == (3, None)
    assert (seen.of("stdout"), seen.of("stderr")) == ("good\n", "bad\n")


async def test_death_by_a_signal_has_the_exit_code_of_a_shell(tmp_path: Path) -> None:
    """A command killed by signal 9 exits with 137."""
    ended, _ = await run("kill -9 $$", tmp_path)
    assert ended.exit_code == 137


async def test_input_is_given_on_stdin(tmp_path: Path) -> None:
    """A command reads its input to the end, and a command that ignores a large one still ends."""
    _, seen = await run("cat", tmp_path, input_text="¿qué?\n")
    ended, _ = await run("true", tmp_path, input_text="x" * 1_000_000)
    assert seen.of("stdout") == "¿qué?\n"
    assert ended.exit_code == 0


async def test_without_input_stdin_is_empty(tmp_path: Path) -> None:
    """A command that reads stdin without having been given any sees its end at once."""
    ended, seen = await run("cat; echo end", tmp_path)
    assert (ended.exit_code, seen.of("stdout")) == (0, "end\n")


@pytest.mark.parametrize("arguments", [("/no/such/program",), ("/bin/echo", "a\0b"), ("/bin/echo", "x" * 3_000_000)])
async def test_what_cannot_start_is_an_error_and_no_exception(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    """A missing program, a NUL in an argument and an endless argument each give an error instead of an exit code."""
    ended = await run_command(Command(arguments=arguments, directory=tmp_path, environment={}), Watched().output.write)
    assert ended.exit_code is None
    assert "cannot start" in (ended.error or "")


async def test_ten_megabytes_cost_bounded_memory(tmp_path: Path) -> None:
    """10 MB of output reach the log as 1 MiB, head and tail with a marker between, and never all sit in memory."""
    script = "echo first; head -c 10000000 /dev/zero | tr '\\0' x; echo; echo last"
    tracemalloc.start()
    try:
        ended, seen = await run(script, tmp_path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    text = seen.of("stdout")
    kept = OUTPUT_LIMIT + 100
    assert ended.exit_code == 0
    assert seen.output.total_bytes == 10_000_012
    assert text.startswith("first\n")
    assert text.endswith("x\nlast\n")
    assert f"[… {seen.output.dropped_bytes} bytes dropped …]" in text
    assert OUTPUT_LIMIT * 0.9 < len(text) < kept
    assert len(seen.output.excerpt.encode()) == 4096
    assert peak < 6 * 1024 * 1024


async def test_nul_and_broken_utf8_are_made_harmless(tmp_path: Path) -> None:
    """NUL bytes and invalid UTF-8 become replacement characters; a character split over two writes stays whole."""
    _, seen = await run(r"printf 'a\000b\377c \303'; sleep 0.05; printf '\261\n'", tmp_path)
    assert seen.of("stdout") == "a\ufffdb\ufffdc ñ\n"
    assert "\0" not in seen.output.excerpt


async def test_a_secret_split_over_two_writes_is_redacted(tmp_path: Path) -> None:
    """A known value whose halves arrive apart never reaches the log nor the excerpt."""
    _, seen = await run(f"printf {SECRET[:9]}; sleep 0.05; echo {SECRET[9:]}", tmp_path)
    assert seen.of("stdout") == "[redacted]\n"
    assert seen.output.excerpt == "[redacted]\n"


async def test_a_line_is_passed_on_before_the_command_ends(tmp_path: Path) -> None:
    """Output is live: a finished line arrives while the command still waits."""
    watched, go = Watched(), tmp_path / "go"
    script = f"echo ready; until [ -e {go} ]; do sleep 0.01; done"
    running = asyncio.create_task(run_command(command(script, tmp_path), watched.output.write))
    await eventually(lambda: watched.of("stdout") == "ready\n", describe="the first line")
    go.touch()
    assert (await running).exit_code == 0


async def test_a_timeout_kills_the_whole_group(tmp_path: Path) -> None:
    """A command that takes too long is stopped together with its children, and says so."""
    pid = tmp_path / "pid"
    ended, _ = await run(f"echo $$ > {pid}; sleep 60 & sleep 60", tmp_path, timeout_seconds=0.3)
    assert (ended.exit_code, ended.error, ended.timed_out) == (None, "timed out after 0.3 s", True)
    assert not is_alive(await group_of(pid))


async def test_a_group_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """SIGKILL follows SIGTERM after the grace period, for the leader and for its children."""
    pid = tmp_path / "pid"
    script = f"trap '' TERM; echo $$ > {pid}; (trap '' TERM; sleep 60) & while :; do sleep 1; done"
    ended, _ = await run(script, tmp_path, timeout_seconds=0.3, grace_seconds=0.2)
    assert ended.timed_out
    await eventually(lambda: not is_alive(int(pid.read_text())), describe="the end of the group")


async def test_a_command_gets_the_chance_to_clean_up(tmp_path: Path) -> None:
    """What a command does and says between SIGTERM and its end is seen."""
    script = "trap 'echo cleaning; exit 0' TERM; while :; do sleep 0.02; done"
    _, seen = await run(script, tmp_path, timeout_seconds=0.3)
    assert seen.of("stdout") == "cleaning\n"


@pytest.mark.parametrize("child", ["sleep 60", "(trap '' TERM; sleep 60)", "setsid sleep 60"])
async def test_a_child_that_holds_stdout_open_cannot_hang_us(tmp_path: Path, child: str) -> None:
    """When the leader ends, a grandchild with stdout open is waited for only briefly, deaf or escaped as it may be."""
    ended, seen = await asyncio.wait_for(run(f"{child} & echo done", tmp_path, grace_seconds=0.2), 30)
    assert (ended.exit_code, seen.of("stdout")) == (0, "done\n")


async def test_nothing_survives_a_command(tmp_path: Path) -> None:
    """A background child that closed its output is ended with the command that started it."""
    pid = tmp_path / "pid"
    ended, _ = await run(f"echo $$ > {pid}; sleep 60 >/dev/null 2>&1 &", tmp_path)
    assert ended.exit_code == 0
    assert not is_alive(await group_of(pid))


async def test_an_escaped_child_that_never_stops_writing_cannot_hang_us(tmp_path: Path) -> None:
    """A process outside the group that floods stdout is cut off after the leader's end."""
    ended, _ = await run("setsid yes & echo done", tmp_path)
    assert ended.exit_code == 0


async def test_cancellation_kills_the_group(tmp_path: Path) -> None:
    """A cancelled run leaves no process behind and is cancelled."""
    pid = tmp_path / "pid"
    running = asyncio.create_task(run(f"echo $$ > {pid}; sleep 60 & sleep 60", tmp_path))
    group = await group_of(pid)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not is_alive(group)


async def test_a_second_cancellation_does_not_wait_for_the_grace_period(tmp_path: Path) -> None:
    """Cancelled again while it waits for a deaf command, it kills at once."""
    pid = tmp_path / "pid"
    script = f"trap '' TERM; echo $$ > {pid}; while :; do sleep 1; done"
    running = asyncio.create_task(run(script, tmp_path, grace_seconds=60.0))
    group = await group_of(pid)
    running.cancel()
    await asyncio.wait({running}, timeout=0.1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 10)
    await eventually(lambda: not is_alive(group), describe="the end of the group")


async def test_a_sink_that_raises_ends_the_command(tmp_path: Path) -> None:
    """When output cannot be passed on, the command is stopped and the error comes through."""

    async def refuse(stream: Stream, data: bytes) -> None:
        raise LookupError("no more")

    pid = tmp_path / "pid"
    with pytest.raises(LookupError):
        await run_command(command(f"echo $$ > {pid}; echo now; sleep 60", tmp_path), refuse)
    assert not is_alive(await group_of(pid))
