"""Does nothing and says so: to try out a system without side effects."""

from pathlib import Path

from runner.run import Finished, Run


async def run_echo(run: Run, directory: Path | None) -> Finished:
    """The task's params are its result, its title its summary."""
    redactor = run.context.redactor
    return Finished(redactor.redact(run.definition.title), redactor.redact_value(run.definition.params) or None)
