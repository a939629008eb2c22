"""A task in words: a prompt on the stdin of the configured agent, e.g. a coding agent's command line."""

from pathlib import Path

import msgspec

from events.errors import NothingToExecute
from events.task import Step, TaskCreated
from runner.run import Finished, Run
from runner.step import run_step

SUMMARY_LIMIT = 500  # characters: the end of what the agent said


async def run_agent(run: Run, directory: Path | None) -> Finished:
    """Give the task to the agent and wait until it has done it.

    Raises:
        NothingToExecute: no agent is configured.
        RunFailed: it exited with another code than 0.
    """
    if not run.context.agent or directory is None:
        raise NothingToExecute("an agent task needs an agent: set ELRUSO_AGENT on the runner to its command line")
    given = run.context.redactor.redact(prompt(run.definition))
    said = await run_step(run, Step("agent", run.context.agent), directory, given=given)
    return Finished(summary=said.excerpt.strip()[-SUMMARY_LIMIT:] or None)


def prompt(task: TaskCreated) -> str:
    """The task in words, with what will be checked afterwards."""
    parts = [f"# {task.title}", task.body]
    if task.params:
        parts.append("## Parameters\n" + msgspec.json.format(msgspec.json.encode(task.params), indent=2).decode())
    parts.append(_conditions(task))
    return "\n\n".join(part for part in parts if part) + "\n"


def _conditions(task: TaskCreated) -> str:
    conditions = []
    if task.allowed_scope:
        conditions.append("Change only files matching: " + ", ".join(task.allowed_scope))
    if task.acceptance is not None:
        conditions += [f"This file must exist: {path}" for path in task.acceptance.expected_files]
        conditions += [f"This must exit with 0: {check.cmd}" for check in task.acceptance.checks]
    return "\n".join(["## It is done when", *(f"- {condition}" for condition in conditions)]) if conditions else ""
