"""`elruso task`: what curl can do, in fewer words. Speaks to the API."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import click

from api.panel.engine import said
from events.execution import ExecutorName
from events.ids import in_path
from ops.client import Client
from ops.errors import OperatorError
from ops.terminal import Overflow, Terminal, group, option

TYPES = get_args(ExecutorName)
STATUSES = ("ready", "running", "done", "failed", "blocked", "cancelled")
COLUMNS: tuple[tuple[str, Overflow], ...] = (
    *((name, "ellipsis") for name in ("id", "status", "phase", "priority", "attempts")),
    *((name, "fold") for name in ("title", "last_error")),
)


@group("task", help="help.task")
def task() -> None:
    """The group; see help.task."""


@task.command("add", help="help.task.add")
@click.argument("title", required=False)
@option("--id", "task_id", help="help.task.add.id")
@option("--step", "steps", multiple=True, help="help.task.add.step")
@option("--type", "task_type", type=click.Choice(TYPES), help="help.task.add.type")
@option("--after", "depends_on", multiple=True, help="help.task.add.after")
@option("--priority", type=int, help="help.task.add.priority")
@option("--phase", help="help.task.add.phase")
@option("--param", "params", multiple=True, help="help.task.add.param")
@option(
    "--file",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True),
    help="help.task.add.file",
)
@click.pass_obj
def add(terminal: Terminal, /, title: str | None, file: Path | None, **asked: Any) -> None:
    """Create a task from options, or tasks from a JSON file; print the ids."""
    if (title is None) == (file is None):
        raise OperatorError("task.add.title_or_file")
    body = _read(file) if file else _definition(title, **asked)
    created = Client(terminal.config).ask("POST", "/ops/tasks", body=body)
    for each in created if isinstance(created, list) else [created]:
        terminal.show_line(each["id"])


@task.command("list", help="help.task.list")
@option("--status", type=click.Choice(STATUSES), help="help.task.list.status")
@option("--phase", help="help.task.add.phase")
@option("--limit", type=int, default=50, help="help.task.list.limit")
@option("--json", "as_json", is_flag=True, help="help.json")
@click.pass_obj
def list_command(terminal: Terminal, /, as_json: bool, **query: Any) -> None:
    """Print tasks."""
    tasks = Client(terminal.config).ask("GET", "/ops/tasks", query=query)
    if as_json:
        terminal.show_json(tasks)
        return
    if not tasks:
        terminal.say("task.none")
        return
    shown = [_shown(each, terminal) for each in tasks]
    terminal.show_table(COLUMNS, [[each[name] for name, _ in COLUMNS] for each in shown])


@task.command("show", help="help.task.show")
@click.argument("task_id")
@click.pass_obj
def show(terminal: Terminal, task_id: str) -> None:
    """Print a task and its runs as JSON, with the result of the one that is done."""
    client = Client(terminal.config)
    found = client.ask("GET", _path(task_id))
    runs = client.ask("GET", "/runs", query={"task_id": task_id})
    for run in runs:
        if run["status"] == "done":
            run["result"] = client.ask("GET", f"/runs/{run['id']}")["result"]
    terminal.show_json(found | {"runs": runs})


@task.command("requeue", help="help.task.requeue")
@click.argument("task_id")
@option("--backoff", type=float, default=0.0, help="help.task.requeue.backoff")
@click.pass_obj
def requeue(terminal: Terminal, task_id: str, backoff: float) -> None:
    """Make a task ready again; say so if it was."""
    client = Client(terminal.config)
    before = client.ask("GET", _path(task_id))
    after = client.ask("POST", f"{_path(task_id)}/requeue", body={"backoff_seconds": backoff})
    if before["status"] != "ready":
        terminal.say("task.requeued", id=task_id)
        return
    until = after["next_run_at"] and datetime.fromisoformat(after["next_run_at"])
    if until and until > datetime.now(UTC):
        terminal.say("task.was_ready_later", id=task_id, until=until.astimezone())
    else:
        terminal.say("task.was_ready", id=task_id)


@task.command("cancel", help="help.task.cancel")
@click.argument("task_id")
@option("--reason", help="help.task.cancel.reason")
@click.pass_obj
def cancel(terminal: Terminal, task_id: str, reason: str | None) -> None:
    """Cancel a task, taking it from its runner."""
    Client(terminal.config).ask("POST", f"{_path(task_id)}/cancel", body={"reason": reason} if reason else {})
    terminal.say("task.cancelled", id=task_id)


def _shown(task: dict[str, Any], terminal: Terminal) -> dict[str, Any]:
    error = task["last_error"] and said(task["last_error"], terminal.language)
    return task | {"attempts": f"{task['attempts']}/{task['max_attempts']}", "last_error": error}


def _path(task_id: str) -> str:
    return f"/ops/tasks/{in_path(task_id)}"


def _read(file: Path) -> Any:
    text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    try:
        return json.loads(text)
    except ValueError as error:
        raise OperatorError("task.add.not_json", file=file, detail=error) from error


def _definition(
    title: str | None,
    *,
    task_id: str | None,
    steps: Sequence[str],
    params: Sequence[str],
    depends_on: Sequence[str],
    **rest: Any,
) -> dict[str, Any]:
    if rest["task_type"] == "shell" and not steps:
        raise OperatorError("task.add.no_steps")
    if wrong := next((param for param in params if "=" not in param), None):
        raise OperatorError("task.add.no_value", param=wrong)
    if rest["task_type"] == "python" and not any(param.startswith("handler=") for param in params):
        raise OperatorError("task.add.no_handler")
    body: dict[str, Any] = {"title": title, "id": task_id, "depends_on": list(depends_on), **rest}
    body["steps"] = [{"name": f"step {number}", "cmd": cmd} for number, cmd in enumerate(steps, start=1)]
    body["params"] = dict(param.partition("=")[::2] for param in params)
    return {name: value for name, value in body.items() if value not in (None, [], {})}
