"""Run one step of a run, and report it."""

from pathlib import Path

from msgspec import Struct

from events.limits import LINE_MAX, TEXT_MAX, shortened
from events.task import Step, TaskStep
from runner.output import StepOutput, Stream, harmless
from runner.process import Command, Ended, run_command
from runner.run import Run, RunFailed
from runner.shell import ShellMode, shell_arguments

_QUOTED = 300  # characters of a step's last line that go into the error


class StepEnded(Struct, frozen=True):
    """A step that exited with 0. `excerpt`: the last 4 KiB of what it printed."""

    excerpt: str


async def run_step(
    run: Run, step: Step, directory: Path, given: str | None = None, mode: ShellMode = "plain"
) -> StepEnded:
    """Run the shell command of `step` with `given` on its stdin. `mode`: see shell.py.

    Raises:
        RunFailed: it exited with another code than 0, timed out, or could not start.
    """
    left = run.seconds_left()
    own = run.context.step_seconds if step.timeout_seconds is None else step.timeout_seconds
    limits = [limit for limit in (left, own) if limit is not None]
    run.steps += 1
    number = run.steps

    async def emit(stream: Stream, text: str) -> None:
        await run.context.reporter.output(run.run_id, number, stream, text)

    output = StepOutput(run.context.redactor, emit, run.context.output_limit_bytes)
    with shell_arguments(step.cmd, mode) as arguments:
        command = Command(
            arguments=arguments,
            directory=directory,
            environment=run.environment(),
            input_text=given,
            timeout_seconds=min(limits, default=None),
        )
        ended = await run_command(command, output.write)
    await output.finish()
    await run.context.reporter.step(run.task_id, _event(run, number, step, ended, output))
    if ended.timed_out and left == command.timeout_seconds:
        raise RunFailed(f"step {number} ({step.name}) was stopped: {run.out_of_time().detail}")
    if ended.exit_code != 0:
        raise RunFailed(f"step {number} ({step.name}): {_why(ended, output.excerpt)}")
    return StepEnded(output.excerpt)


def _event(run: Run, number: int, step: Step, ended: Ended, output: StepOutput) -> TaskStep:
    redact = run.context.redactor.redact
    return TaskStep(
        run_id=run.run_id,
        number=number,
        name=shortened(harmless(redact(step.name)), LINE_MAX),
        cmd=shortened(harmless(redact(step.cmd)), TEXT_MAX),
        exit_code=ended.exit_code,
        duration_ms=ended.duration_ms,
        output_excerpt=output.excerpt,
        output_bytes=output.total_bytes,
        truncated=output.dropped_bytes > 0,
        error=ended.error,
    )


def _why(ended: Ended, excerpt: str) -> str:
    reason = ended.error or f"exit code {ended.exit_code}"
    lines = excerpt.strip().splitlines()
    return f"{reason}: {lines[-1].strip()[:_QUOTED]}" if lines else reason
