"""Which executor carries out a task."""

from collections.abc import Awaitable, Callable
from pathlib import Path

from msgspec import Struct

from events.errors import NothingToExecute
from events.execution import ExecutorName, executor_name
from events.task import TaskCreated
from runner.executors.agent import run_agent
from runner.executors.echo import run_echo
from runner.executors.python import run_python, wants_workspace
from runner.executors.shell import run_shell
from runner.run import Context, Finished, Run


def _always(task: TaskCreated, context: Context) -> bool:
    return True


class Executor(Struct, frozen=True):
    """How one kind of task is carried out, and whether it needs a workspace for it."""

    execute: Callable[[Run, Path | None], Awaitable[Finished]]
    needs_workspace: Callable[[TaskCreated, Context], bool] = _always


_EXECUTORS: dict[ExecutorName, Executor] = {
    "shell": Executor(run_shell),
    "agent": Executor(run_agent),
    "python": Executor(run_python, wants_workspace),
    "echo": Executor(run_echo, wants_workspace),
}


def choose_executor(task: TaskCreated, context: Context) -> Executor:
    """As executor_name says (events/execution.py).

    Raises:
        NothingToExecute: there are no steps, and no agent is configured.
    """
    name = executor_name(task.task_type, bool(task.steps))
    if name == "agent" and task.task_type != "agent" and not context.agent:
        raise NothingToExecute(
            f"a task of type {task.task_type!r} without steps needs an agent: give it steps [{{name, cmd}}], "
            "or set ELRUSO_AGENT on the runner"
        )
    return _EXECUTORS[name]
