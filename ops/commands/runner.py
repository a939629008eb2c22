"""`elruso runner`: executes tasks, in the foreground or as a daemon."""

import asyncio
import platform
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import msgspec
import psutil
import uvloop
from msgspec.structs import replace

from events.ids import in_path
from ops.client import Client
from ops.config import Config, inherited_environment
from ops.database import running_database
from ops.errors import OperatorError
from ops.logs import configure_logs
from ops.runner_process import run_runner, speaks_http
from ops.stopping import run_until_stopped
from ops.supervisor import State, Supervisor, follow, last_lines
from ops.terminal import Terminal, group, option
from projections.views import Views

NOT_RUNNING = 3  # as in init scripts

# Options of `run` and `start`; each overrides the setting of the same name.
VARIABLES = {
    "api": "ELRUSO_API",
    "token": "ELRUSO_TOKEN",
    "workspace": "ELRUSO_WORKSPACE",
    "handlers": "ELRUSO_HANDLERS",
    "agent": "ELRUSO_AGENT",
    "concurrency": "ELRUSO_CONCURRENCY",
}


def _runner_options(function: Callable[..., None]) -> Callable[..., None]:
    for add in (
        option("--concurrency", type=click.IntRange(1, 1000), help="help.runner.concurrency"),
        option("--agent", help="help.runner.agent"),
        option("--handlers", help="help.runner.handlers"),
        option("--workspace", type=click.Path(file_okay=False, path_type=Path), help="help.runner.workspace"),
        option("--token", help="help.runner.token"),
        option("--api", help="help.runner.api"),
    ):
        function = add(function)
    return function


@group("runner", help="help.runner")
def runner() -> None:
    """The group; see help.runner."""


@runner.command("run", help="help.runner.run")
@_runner_options
@option("--tied", is_flag=True, hidden=True, help="help.runner.tied")
@click.pass_obj
def run_command(terminal: Terminal, /, tied: bool, **chosen: Any) -> None:
    """Execute tasks until SIGTERM or Ctrl-C; a second one stops hard."""
    config = _chosen(terminal.config, chosen)
    configure_logs(config)
    run_runner(config, terminal.say, tied)


@runner.command("start", help="help.runner.start")
@_runner_options
@click.pass_obj
def start_command(terminal: Terminal, /, **chosen: Any) -> None:
    """Leave a supervised runner in the background."""
    config = _chosen(terminal.config, chosen)
    supervisor = Supervisor(config.home)
    state = supervisor.start(_elruso("runner", "supervise"), inherited_environment() | _as_variables(chosen))
    terminal.show(
        terminal.text(
            "runner.started",
            pid=state.supervisor.pid,
            api=config.api_url,
            logs=supervisor.log_file,
            file=supervisor.pid_file,
        )
    )


@runner.command("supervise", hidden=True, help="help.runner.supervise")
@click.pass_obj
def supervise_command(terminal: Terminal) -> None:
    """Keep a runner running until SIGTERM."""
    supervisor = Supervisor(terminal.config.home)
    command = _elruso("runner", "run", "--tied")
    uvloop.run(run_until_stopped(supervisor.run(command, inherited_environment())))


@runner.command("status", help="help.runner.status")
@click.pass_obj
def status_command(terminal: Terminal) -> int:
    """Say whether it runs, since when, and whether the engine sees it."""
    supervisor = Supervisor(terminal.config.home)
    state = supervisor.find()
    if state is None:
        return _tell_foreground(terminal)
    terminal.show(
        terminal.text(
            "runner.running",
            pid=state.supervisor.pid,
            since=state.since.astimezone(),
            restarts=state.restarts,
            online=_online(terminal, state),
            api=terminal.config.api_url,
            logs=supervisor.log_file,
        )
    )
    return 0


@runner.command("logs", help="help.runner.logs")
@option("-f", "--follow", "following", is_flag=True, help="help.runner.follow")
@option("-n", "--lines", type=click.IntRange(0), default=50, show_default=True, help="help.runner.lines")
@click.pass_obj
def logs_command(terminal: Terminal, following: bool, lines: int) -> None:
    """Show the end of the log."""
    path = Supervisor(terminal.config.home).log_file
    if not path.exists():
        raise OperatorError("runner.no_logs", logs=path)
    if lines:
        terminal.show(last_lines(path, lines))
    if following:
        follow(path, terminal.show)


@runner.command("stop", help="help.runner.stop")
@click.pass_obj
def stop_command(terminal: Terminal) -> int:
    """End the runner and its supervisor; nothing else is ever signalled."""
    politely = Supervisor(terminal.config.home).stop()
    if politely is None:
        _tell_foreground(terminal)
        return NOT_RUNNING
    terminal.show(terminal.text("runner.stopped"))
    return 0


@runner.command("drain", help="help.runner.drain")
@click.argument("runner_id")
@option("--reason", help="help.runner.drain.reason")
@click.pass_obj
def drain_command(terminal: Terminal, runner_id: str, reason: str | None) -> None:
    """Hand a runner nothing more."""
    path = f"/runners/{in_path(runner_id)}/drain"
    found = Client(terminal.config).ask("POST", path, body={"reason": reason} if reason else {})
    terminal.say("runner.drains", id=runner_id, held=found["running"])


@runner.command("resume", help="help.runner.resume")
@click.argument("runner_id")
@click.pass_obj
def resume_command(terminal: Terminal, runner_id: str) -> None:
    """Hand a runner work again."""
    Client(terminal.config).ask("POST", f"/runners/{in_path(runner_id)}/resume")
    terminal.say("runner.resumed", id=runner_id)


def _chosen(config: Config, chosen: dict[str, Any]) -> Config:
    given = {name: value for name, value in chosen.items() if value is not None}
    if "workspace" in given:
        given["workspace"] = given["workspace"].absolute()
    return replace(config, **given)


def _as_variables(chosen: dict[str, Any]) -> dict[str, str]:
    """The options as settings of a child: a token must not stand in a command line."""
    given = {name: value for name, value in chosen.items() if value is not None}
    return {
        VARIABLES[name]: str(value.absolute() if isinstance(value, Path) else value) for name, value in given.items()
    }


def _elruso(*arguments: str) -> list[str]:
    return [sys.executable, "-P", "-m", "ops", *arguments]


def _tell_foreground(terminal: Terminal) -> int:
    """No runner was left in the background: name those that others keep on this machine, `elruso up` among them."""
    try:
        here = [one for one in _ask_runners(terminal.config) if one["status"] == "online" and _is_here(one["meta"])]
    except OperatorError as error:
        if error.key != "client.unreachable":
            terminal.show(terminal.text("runner.none_known", detail=terminal.text(error.key, **error.facts)))
            return NOT_RUNNING
        here = []
    for one in here:
        terminal.show(terminal.text("runner.foreground", pid=one["meta"]["pid"], online=_seen(terminal, one)))
    if not here:
        terminal.show(terminal.text("runner.not_running"))
    return 0 if here else NOT_RUNNING


def _is_here(meta: dict[str, Any]) -> bool:
    """Whether the runner that says this of itself is a living process of this machine."""
    pid = meta.get("pid")
    return meta.get("host") == platform.node() and isinstance(pid, int) and psutil.pid_exists(pid)


def _local(stamp: str) -> datetime:
    return datetime.fromisoformat(stamp).astimezone()


def _online(terminal: Terminal, state: State) -> str:
    """Whether the engine has seen this very runner of late."""
    try:
        runners = _ask_runners(terminal.config)
    except OperatorError as error:
        return terminal.text("runner.unknown", detail=terminal.text(error.key, **error.facts))
    pid = state.runner.pid if state.runner else None
    mine = next((one for one in runners if one["meta"].get("pid") == pid), None)
    if mine is None or mine["status"] != "online":
        return terminal.text("runner.offline")
    return _seen(terminal, mine)


def _seen(terminal: Terminal, one: dict[str, Any]) -> str:
    """What the engine knows of a runner online: when it was seen, and why it takes nothing, if so."""
    facts = {"id": one["id"], "seen": _local(one["last_seen_at"])}
    if fault := one["meta"].get("unfit"):
        return terminal.text("runner.online_unfit", detail=fault["detail"], **facts)
    return terminal.text("runner.online" if one["draining_since"] is None else "runner.online_draining", **facts)


def _ask_runners(config: Config) -> list[dict[str, Any]]:
    if speaks_http(config):
        answer: list[dict[str, Any]] = Client(config).ask("GET", "/ops/runner/status")
        return answer
    database = running_database(config, "elruso-status")
    if database is None:
        return []

    async def ask() -> bytes:
        async with database.pool(1) as pool:
            return await Views(pool).runners()

    found: list[dict[str, Any]] = msgspec.json.decode(asyncio.run(ask()))
    return found
