"""`elruso gpt`: let the planner run, and see what it would ask. Speaks to the API."""

import threading
from collections.abc import Callable
from contextvars import copy_context
from typing import Any

import click

from api.panel.engine import said_of_proposal
from ops.client import Client
from ops.config import Config
from ops.errors import OperatorError
from ops.terminal import Terminal, group, option

LOOK_SECONDS = 1.0
PATIENCE_SECONDS = 60.0  # beyond what the model may take for both rounds


@group("gpt", help="help.gpt")
def gpt() -> None:
    """The group; see help.gpt."""


@gpt.command("run", help="help.gpt.run")
@option("--environment", default="production", show_default=True, help="help.gpt.environment")
@option("--json", "as_json", is_flag=True, help="help.json")
@click.pass_obj
def run_command(terminal: Terminal, environment: str, as_json: bool) -> None:
    """Let the planner run to its end; show how far it is, then what it created and what that cost."""
    config = terminal.config
    with _Watcher(terminal):
        done = Client(config, _patience(config)).ask("POST", "/ops/gpt/run", body={"environment": environment})
    if as_json:
        terminal.show_json(done)
        return
    for directive in done["directives"]:
        terminal.show_line(f"{directive['id']}  {directive['status']}  {directive['title']}")
        for task in directive["tasks_to_create"]:
            terminal.show_line(f"  {task['id']}  {task['title']}")
    for refused in done["refused"]:
        reason = said_of_proposal(refused["reason"], terminal.language)
        terminal.say("gpt.refused", title=refused["title"], reason=reason)
    terminal.say(
        "gpt.done",
        directives=done["directives_created"],
        tasks=done["tasks_created"],
        model=done["model"],
        tokens=done["usage"]["total_tokens"],
        cost=done["cost"],
        seconds=done["duration_ms"] / 1000,
    )


@gpt.command("compose", help="help.gpt.compose")
@option("--environment", default="production", show_default=True, help="help.gpt.environment")
@click.pass_obj
def compose_command(terminal: Terminal, environment: str) -> None:
    """Print the prompt of a run that would begin now."""
    composed = Client(terminal.config).ask("POST", "/ops/gpt/compose", body={"environment": environment})
    terminal.show(composed["prompt"])


def _patience(config: Config) -> float:
    return 2 * config.planner_seconds + PATIENCE_SECONDS


class _Watcher:
    """While the block lasts: a line on stderr that says how far the run is, when somebody is watching."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._over = threading.Event()
        run = copy_context().run  # the language is the context's
        self._watcher = threading.Thread(target=run, args=(self._watch,), name="watcher", daemon=True)

    def __enter__(self) -> None:
        if self._terminal.is_watched:
            self._watcher.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._watcher.is_alive():
            self._watcher.join()

    def _watch(self) -> None:
        client = Client(self._terminal.config)
        with self._terminal.status("gpt.stage.context") as show:
            while not self._over.wait(LOOK_SECONDS):
                self._look(client, show)

    def _look(self, client: Client, show: Callable[[str], None]) -> None:
        try:
            running: dict[str, Any] | None = client.ask("GET", "/ops/gpt/status")["running"]
        except OperatorError:
            return  # the run itself will say what is wrong
        if running:
            stage = self._terminal.text(f"gpt.stage.{running['stage']}")
            told = [stage, f"{running['seconds']:.0f} s", *([running["detail"]] if running["detail"] else [])]
            show(" · ".join(told))
