"""Steps in order; the first that fails ends the run."""

from pathlib import Path

from events.errors import NothingToExecute
from runner.run import Finished, Run
from runner.step import run_step


async def run_shell(run: Run, directory: Path | None) -> Finished:
    """Run every step of the task.

    Raises:
        NothingToExecute: it has none.
        InvalidInput: params.shell is neither "plain" nor "strict".
        RunFailed: a step failed.
    """
    steps = run.definition.steps
    if not steps or directory is None:
        raise NothingToExecute("a shell task needs steps: [{name, cmd}]")
    mode = run.shell_mode()
    for step in steps:
        await run_step(run, step, directory, mode=mode)
    return Finished(summary="1 step" if len(steps) == 1 else f"{len(steps)} steps")
