"""Trying values out: a shell command that sees them in its environment and nowhere else."""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from api.credentials import Verdict
from runner.environment import base_environment
from runner.output import StepOutput, Stream, harmless
from runner.process import Command, Ended, run_command
from runner.redact import Redactor
from runner.shell import shell_arguments

OUTPUT_BYTES = 16 * 1024
MESSAGE_CHARACTERS = 500
NAMED = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)")


async def validate(
    command: str, values: Mapping[str, str], environment: Mapping[str, str], redactor: Redactor, seconds: float
) -> Verdict:
    """Run `command` for at most that long: ok when it, and each part of a pipe, exits with 0.

    The message is the last line it printed, redacted. Of `environment`, our own, it sees the harmless part and what it
    names.
    """
    named = {name: environment[name] for name in NAMED.findall(command) if name in environment}
    output = StepOutput(redactor, _drop, OUTPUT_BYTES)
    with (
        tempfile.TemporaryDirectory(prefix="elruso-") as folder,
        shell_arguments(command, "pipefail") as arguments,  # `curl … | jq` fails when curl does
    ):
        ended = await run_command(
            Command(
                arguments=arguments,
                directory=Path(folder),
                environment={**base_environment(environment), **named, **values},
                timeout_seconds=seconds,
            ),
            output.write,
        )
    await output.finish()
    return Verdict(ended.exit_code == 0, harmless(redactor.redact(_message(ended, output.excerpt))))


def _message(ended: Ended, said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    last = lines[-1][:MESSAGE_CHARACTERS] if lines else None
    if ended.exit_code == 0:
        return last or "the validation command exited with 0"
    reason = ended.error or f"the validation command exited with {ended.exit_code}"
    return f"{reason}: {last}" if last else reason


async def _drop(_stream: Stream, _text: str) -> None:
    """Only the end is wanted."""
