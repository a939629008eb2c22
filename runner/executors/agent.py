"""A task in words: a prompt on the stdin of the configured agent, e.g. a coding agent's command line."""

from pathlib import Path

from events.errors import NothingToExecute
from events.execution import agent_prompt
from events.task import Step
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
    given = run.context.redactor.redact(agent_prompt(run.definition))
    said = await run_step(run, Step("agent", run.context.agent), directory, given=given)
    return Finished(summary=said.excerpt.strip()[-SUMMARY_LIMIT:] or None)
