"""Warnings about misleading text in a planned task, for the approver."""

from collections.abc import Iterator

from msgspec import Struct

from events.execution import executed_commands
from events.task import TaskCreated
from events.visible_text import Finding, findings


class PlanWarning(Struct, frozen=True):
    """A finding, and the text it is in: `commands[2].command` is the third of what a run of the task executes."""

    task_id: str
    place: str
    code: str
    detail: str
    count: int
    line: int


def plan_warnings(task_id: str, task: TaskCreated) -> list[PlanWarning]:
    """Hidden characters, long blanks and mixed alphabets in the task's title, commands, scope and expected files."""
    return [_warning(task_id, place, finding) for place, text in _texts(task_id, task) for finding in findings(text)]


def _warning(task_id: str, place: str, finding: Finding) -> PlanWarning:
    return PlanWarning(task_id, place, finding.code, finding.detail, finding.count, finding.line)


def _texts(task_id: str, task: TaskCreated) -> Iterator[tuple[str, str]]:
    yield "title", task.title
    for number, command in enumerate(executed_commands(task_id, task)):
        yield f"commands[{number}].name", command.name
        yield f"commands[{number}].command", command.command
    for number, pattern in enumerate(task.allowed_scope):
        yield f"allowed_scope[{number}]", pattern
    for number, path in enumerate(task.acceptance.expected_files if task.acceptance else ()):
        yield f"acceptance.expected_files[{number}]", path
