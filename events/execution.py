"""The commands that a run of a task executes, in order, for the runner, the preview and the panel (ADR 0022)."""

from typing import Literal

import msgspec
from msgspec import Struct

from events.directive import PlannedTask
from events.task import Acceptance, TaskCreated

Kind = Literal["step", "check", "agent", "handler"]
ExecutorName = Literal["shell", "agent", "python", "echo"]

_NAMED: dict[str, ExecutorName] = {"shell": "shell", "agent": "agent", "python": "python", "echo": "echo"}
_NOTHING_ASKED = Acceptance()


class ExecutedCommand(Struct, frozen=True):
    """One thing that a run of a task executes.

    `command` is a shell command (step, check), the prompt for an agent, or the parameters of a handler as JSON; a
    handler gets title and body, too. `timeout_seconds` is its own limit, beside the task's. `secrets` are the variables
    that the task names; steps, checks and the agent have them in their environment, a handler as values.
    """

    task_id: str
    kind: Kind
    name: str
    command: str
    timeout_seconds: float | None = None
    secrets: list[str] = []


def executor_name(task_type: str, has_steps: bool) -> ExecutorName:
    """The executor that the type names; for other types `shell` if the task has steps, else `agent`."""
    return _NAMED.get(task_type) or ("shell" if has_steps else "agent")


def executed_commands(task_id: str, task: TaskCreated | PlannedTask) -> list[ExecutedCommand]:
    """Everything that a run of the task executes, in order. A failure skips the rest."""
    secrets = secret_names(task)
    commands = [
        ExecutedCommand(task_id, kind, name, command, timeout, secrets)
        for kind, name, command, timeout in _main_commands(task)
    ]
    checks = (task.acceptance or _NOTHING_ASKED).checks
    commands += [
        ExecutedCommand(task_id, "check", each.name, each.cmd, each.timeout_seconds, secrets) for each in checks
    ]
    return commands


def secret_names(task: TaskCreated | PlannedTask) -> list[str]:
    """The variables in params.secrets. A value that is no list is refused when the task runs."""
    names = task.params.get("secrets")
    return [str(name) for name in names] if isinstance(names, list) else []


def agent_prompt(task: TaskCreated | PlannedTask) -> str:
    """The prompt for an agent: the task, and the acceptance criteria."""
    parts = [f"# {task.title}", task.body]
    if task.params:
        parts.append("## Parameters\n" + readable_json(task.params))
    parts.append(_conditions(task))
    return "\n\n".join(part for part in parts if part) + "\n"


def readable_json(value: object) -> str:
    """A value as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _main_commands(task: TaskCreated | PlannedTask) -> list[tuple[Kind, str, str, float | None]]:
    match executor_name(task.task_type, bool(task.steps)):
        case "shell":
            return [("step", step.name, step.cmd, step.timeout_seconds) for step in task.steps]
        case "agent":
            return [("agent", "agent", agent_prompt(task), None)]
        case "python":
            return [("handler", str(task.params.get("handler")), readable_json(task.params), None)]
        case "echo":
            return []


def _conditions(task: TaskCreated | PlannedTask) -> str:
    conditions = []
    if task.allowed_scope:
        conditions.append("Change only files matching: " + ", ".join(task.allowed_scope))
    if task.acceptance is not None:
        conditions += [f"This file must exist: {path}" for path in task.acceptance.expected_files]
        conditions += [f"This must exit with 0: {check.cmd}" for check in task.acceptance.checks]
    return "\n".join(["## It is done when", *(f"- {condition}" for condition in conditions)]) if conditions else ""
