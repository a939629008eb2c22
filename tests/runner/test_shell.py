"""How steps, checks and validation commands are given to a shell."""

import os
from pathlib import Path
from typing import Any

import pytest

from events.task import FILE_CHANGES_MAX, TaskDone, TaskFailed
from ops.vault.validation import validate
from runner.execute import execute
from runner.redact import Redactor
from runner.shell import ARGUMENT_BYTES
from tests.runner.recording import Recorder, context, shell

HIDDEN = {
    "a pipe": "false | true",
    "a command before the last": "false; true",
    "an unset variable": 'echo "$UNHEARD_OF"',
}


async def _end(tmp_path: Path, command: str, **more: Any) -> TaskDone | TaskFailed:
    params = more.pop("params", {})
    used = context(tmp_path, **more)
    return (await execute(shell(command, params=params), used)).event


@pytest.mark.parametrize("command", HIDDEN.values(), ids=HIDDEN)
async def test_only_a_strict_shell_fails_for_what_a_plain_one_hides(tmp_path: Path, command: str) -> None:
    """Plain is the default; strict is a setting of the runner, and a parameter of the task, which goes first."""
    assert isinstance(await _end(tmp_path, command), TaskDone)
    assert isinstance(await _end(tmp_path, command, shell="strict"), TaskFailed)
    assert isinstance(await _end(tmp_path, command, params={"shell": "strict"}), TaskFailed)
    assert isinstance(await _end(tmp_path, command, shell="strict", params={"shell": "plain"}), TaskDone)


async def test_a_shell_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    """A misspelt mode is no reason to run the steps in another one."""
    used = context(tmp_path)
    outcome = await execute(shell("touch done", params={"shell": "fish"}), used)
    assert isinstance(outcome.event, TaskFailed)
    assert "params.shell" in outcome.event.error
    assert not outcome.retry


@pytest.mark.parametrize("mode", ["plain", "strict"])
async def test_a_step_longer_than_an_argument_runs(tmp_path: Path, mode: str) -> None:
    """The kernel's limit on one argument is none on steps; $0, stdin and the exit status are as ever."""
    padding = "# " + "ñ" * ARGUMENT_BYTES + "\n"
    used = context(tmp_path, shell=mode)
    command = f'{padding}echo "$0 $#"; cat; ls -A; exit 3'
    outcome = await execute(shell(command), used)
    assert isinstance(used.reporter, Recorder)
    assert isinstance(outcome.event, TaskFailed)
    assert "exit code 3" in outcome.event.error
    [short] = [text for text in [await _printed(tmp_path, 'echo "$0 $#"; cat; ls -A')] if text]
    assert short == used.reporter.text


async def _printed(tmp_path: Path, command: str) -> str:
    used = context(tmp_path)
    await execute(shell(command), used)
    assert isinstance(used.reporter, Recorder)
    return used.reporter.text


async def test_a_validation_command_fails_with_any_part_of_its_pipe() -> None:
    """`curl … | jq` is not fine because jq is."""
    environment = dict(os.environ)
    failed = await validate("(echo cannot connect >&2; exit 22) | cat", {}, environment, Redactor([]), 10)
    assert (False, "the validation command exited with 22: cannot connect") == (failed.ok, failed.message)
    assert (await validate("echo fine | cat", {}, environment, Redactor([]), 10)).ok


async def test_more_changed_files_than_are_listed_are_counted(tmp_path: Path) -> None:
    """The end lists so many, and its summary says how many there were."""
    command = f"for number in $(seq {FILE_CHANGES_MAX + 500}); do echo > $number; done"
    event = await _end(tmp_path, command)
    assert isinstance(event, TaskDone)
    assert FILE_CHANGES_MAX == len(event.file_changes)
    assert f"{FILE_CHANGES_MAX + 500} files changed" in str(event.summary)
