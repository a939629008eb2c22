"""Print the preview of a directive: everything that applying it would execute, in order (ADR 0022)."""

import json
from collections import defaultdict
from typing import Any

from events.task import DEFAULT_MAX_ATTEMPTS, DEFAULT_PRIORITY, DEFAULT_TASK_TYPE
from ops.terminal import Terminal

SHELL = ("step", "check")

Json = dict[str, Any]


def show_preview(terminal: Terminal, preview: Json) -> None:
    """Print the answer of GET /ops/directives/ID/preview; warnings and missing credentials go to stderr."""
    commands: dict[str, list[Json]] = defaultdict(list)
    for command in preview["commands"]:
        commands[command["task_id"]].append(command)
    for task in preview["tasks"]:
        _show_task(terminal, task, commands[task["id"]])
    for warning in preview["warnings"]:
        terminal.say("directive.warning", **warning)
    for request in preview["missing_requests"]:
        terminal.say("directive.missing", request=request["request_id"], reason=request["reason"] or "")


def _show_task(terminal: Terminal, task: Json, commands: list[Json]) -> None:
    after = f"  ← {', '.join(task['depends_on'])}" if task["depends_on"] else ""
    terminal.show_line(f"{task['wave']}. {task['id']}  {task['status'] or ''}  {task['title']}{after}")
    if task["body"] and not task["prompt"]:
        terminal.show_command(task["body"], "     ")
    for command in commands:
        seconds = command["timeout_seconds"]
        limit = terminal.text("directive.timeout", seconds=seconds) if seconds else ""
        terminal.show_line(f"     {terminal.text('directive.' + command['kind'])}: {command['name']}{limit}")
        terminal.show_command(command["command"], "       ", first="     $ " if command["kind"] in SHELL else "")
    for key, value in _facts(task, {command["kind"] for command in commands}):
        terminal.show_line(f"     {terminal.text(key)}: {value}")


def _facts(task: Json, kinds: set[str]) -> list[tuple[str, str]]:
    """Settings besides the commands that decide what runs, and how often. Defaults are left out."""
    params = task["params"] if not kinds & {"agent", "handler"} else {}
    facts = [
        ("directive.secrets", ", ".join(task["secrets"])),
        ("directive.scope", ", ".join(task["allowed_scope"])),
        ("directive.files", ", ".join((task["acceptance"] or {}).get("expected_files", []))),
        ("directive.params", json.dumps(params, ensure_ascii=False) if params else ""),
        ("directive.branch", task["branch"] or ""),
        ("directive.limit", f"{task['timeout_seconds']} s" if task["timeout_seconds"] else ""),
        ("directive.priority", str(task["priority"]) if task["priority"] != DEFAULT_PRIORITY else ""),
        ("directive.attempts", str(task["max_attempts"]) if task["max_attempts"] != DEFAULT_MAX_ATTEMPTS else ""),
        ("directive.type", task["task_type"] if task["task_type"] != DEFAULT_TASK_TYPE else ""),
        ("directive.blocked_by", ", ".join(task["blocked_by"])),
    ]
    return [(key, value) for key, value in facts if value]
