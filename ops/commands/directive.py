"""`elruso directive`: what was proposed, what it would do, and the decision. Speaks to the API."""

from typing import Any

import click

from events.ids import in_path
from ops.client import Client
from ops.directive_preview import show_preview
from ops.terminal import Terminal, group, option

STATUSES = ("PENDING", "APPLIED", "REJECTED")


@group("directive", help="help.directive")
def directive() -> None:
    """The group; see help.directive."""


@directive.command("list", help="help.directive.list")
@option("--status", type=click.Choice(STATUSES, case_sensitive=False), help="help.directive.list.status")
@option("--limit", type=int, default=50, help="help.directive.list.limit")
@option("--json", "as_json", is_flag=True, help="help.json")
@click.pass_obj
def list_command(terminal: Terminal, /, as_json: bool, **query: Any) -> None:
    """Print directives, newest first."""
    found = Client(terminal.config).ask("GET", "/ops/directives", query=query)
    if as_json:
        terminal.show_json(found)
        return
    if not found:
        terminal.say("directive.none")
    for each in found:
        done = f"{each['tasks']['done']}/{each['tasks']['planned']}"
        terminal.show_line(f"{each['id']}  {each['status']:<8}  {done:>7}  {each['title']}")


@directive.command("show", help="help.directive.show")
@click.argument("directive_id")
@click.pass_obj
def show(terminal: Terminal, directive_id: str) -> None:
    """Print a directive as JSON."""
    found = Client(terminal.config).ask("GET", _path(directive_id))
    terminal.show_json(found)


@directive.command("preview", help="help.directive.preview")
@click.argument("directive_id")
@option("--json", "as_json", is_flag=True, help="help.json")
@click.pass_obj
def preview(terminal: Terminal, directive_id: str, as_json: bool) -> None:
    """Print what applying a directive would execute, whole and in order, with warnings about misleading text."""
    found = Client(terminal.config).ask("GET", f"{_path(directive_id)}/preview")
    if as_json:
        terminal.show_json(found)
        return
    show_preview(terminal, found)


@directive.command("apply", help="help.directive.apply")
@click.argument("directive_id")
@option("--without", "leave_out", multiple=True, help="help.directive.apply.without")
@click.pass_obj
def apply(terminal: Terminal, directive_id: str, leave_out: tuple[str, ...]) -> None:
    """Apply a directive, perhaps without some of its tasks."""
    Client(terminal.config).ask("POST", f"{_path(directive_id)}/apply", body={"leave_out": leave_out})
    terminal.say("directive.applied", id=directive_id)


@directive.command("reject", help="help.directive.reject")
@click.argument("directive_id")
@option("--reason", help="help.directive.reject.reason")
@click.pass_obj
def reject(terminal: Terminal, directive_id: str, reason: str | None) -> None:
    """Reject a directive; what of it has not started is cancelled."""
    body = {"status": "REJECTED", "rejection_reason": reason}
    Client(terminal.config).ask("PATCH", _path(directive_id), body=body)
    terminal.say("directive.rejected", id=directive_id)


def _path(directive_id: str) -> str:
    return f"/ops/directives/{in_path(directive_id)}"
