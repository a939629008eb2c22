"""A planned task as the approver sees it: its commands, parameters, secrets, limits and warnings."""

from collections.abc import Container

from msgspec import Struct

from api.panel.command_text import Room, ShownText
from api.panel.moments import number, span
from api.panel.visit import Visit
from events.execution import ExecutedCommand, readable_json, secret_names
from events.task import DEFAULT_MAX_ATTEMPTS, DEFAULT_PRIORITY, DEFAULT_TASK_TYPE
from projections.plan import PlanEntry
from projections.plan_warnings import plan_warnings

MARKUP_CHARACTERS = 400  # of HTML around a command or a fact


class CommandView(Struct, frozen=True):
    """A command: a localized description, its name, its text."""

    what: str
    name: str
    text: ShownText


class PlannedTaskView(Struct, frozen=True):
    """A planned task. `facts`: (label, value); `omitted`: how many commands did not fit on the page."""

    task: PlanEntry
    body: ShownText | None
    commands: list[CommandView]
    omitted: int
    facts: list[tuple[str, ShownText]]
    warnings: list[str]


def show_planned_task(
    visit: Visit, task: PlanEntry, room: Room, granted: Container[str], without: Container[str] = ()
) -> PlannedTaskView:
    """The task, as far as it fits into `room`. `granted`: secrets that tasks may receive.

    `without`: keys of facts that the page shows elsewhere.
    """
    commands = task.commands
    shown = [_show_command(visit, command, room) for command in commands if room.take(MARKUP_CHARACTERS)]
    prompts = any(command.kind == "agent" for command in commands)
    body = room.show(task.plan.body) if task.plan.body and not prompts else None
    return PlannedTaskView(
        task,
        body,
        shown,
        len(commands) - len(shown),
        _facts(visit, task, room, granted, without),
        _warnings(visit, task),
    )


def _show_command(visit: Visit, command: ExecutedCommand, room: Room) -> CommandView:
    what = visit.text(f"command.{command.kind}")
    if command.timeout_seconds is not None:
        what += f" · {visit.text('command.timeout', span=span(command.timeout_seconds))}"
    text = room.show(command.command)
    if text.lines > 1:
        what += f" · {visit.text('command.lines', count=number(text.lines, visit.language))}"
    return CommandView(what, "" if command.kind == "agent" else command.name, text)


def _facts(
    visit: Visit, task: PlanEntry, room: Room, granted: Container[str], without: Container[str]
) -> list[tuple[str, ShownText]]:
    """Settings besides the commands that decide what runs, when, and how often. Defaults are left out."""
    plan = task.plan
    secrets = [
        f"{name} ({visit.text('secret.granted' if name in granted else 'secret.refused')})"
        for name in secret_names(plan)
    ]
    files = plan.acceptance.expected_files if plan.acceptance else []
    shown_already = {command.kind for command in task.commands} & {"agent", "handler"}
    params = {name: value for name, value in plan.params.items() if name != "secrets" or not isinstance(value, list)}
    facts = [
        ("fact.secrets", ", ".join(secrets)),
        ("fact.after", ", ".join(plan.depends_on)),
        ("fact.scope", "\n".join(plan.allowed_scope)),
        ("fact.files", "\n".join(files)),
        ("fact.branch", plan.branch or ""),
        ("fact.timeout", "" if plan.timeout_seconds is None else span(plan.timeout_seconds)),
        ("fact.params", readable_json(params) if params and not shown_already else ""),
        ("fact.type", "" if plan.task_type == DEFAULT_TASK_TYPE else plan.task_type),
        ("fact.phase", "" if plan.phase is None else str(plan.phase)),
        ("fact.priority", "" if plan.priority == DEFAULT_PRIORITY else str(plan.priority)),
        ("fact.attempts", "" if plan.max_attempts == DEFAULT_MAX_ATTEMPTS else str(plan.max_attempts)),
        ("fact.blocked_by", ", ".join(plan.blocked_by)),
        ("fact.start", "" if plan.next_run_at is None else f"{plan.next_run_at:%Y-%m-%d %H:%M:%S %Z}"),
    ]
    return [
        (visit.text(key), room.show(value))
        for key, value in facts
        if value and key not in without and room.take(MARKUP_CHARACTERS)
    ]


def _warnings(visit: Visit, task: PlanEntry) -> list[str]:
    """Warnings about misleading text, without duplicates."""
    found = plan_warnings(task.id, task.plan)
    return list(dict.fromkeys(visit.text(f"warning.{each.code}", detail=each.detail) for each in found))
