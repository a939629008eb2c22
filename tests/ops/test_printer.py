"""No command prints what a terminal would obey, whatever stands in titles, ids, errors, logs and file names."""

import asyncio
import io
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import structlog

from events.request import RequestDefinition
from events.requests import Wanted
from events.task import Step, TaskCreated
from ops.cli import elruso
from ops.config import Config
from ops.logs import configure_logs
from ops.terminal import Terminal
from ops.vault.vault import Vault
from tests.api.serving import Served, serving

ROOT = Path(__file__).parent.parent.parent
# Erase a line, set the title, fill the clipboard (as C0 and as C1), conceal, reorder, hide.
TRAP = "\x1b[2K\x1b]0;title\x07\x1b]52;c;ZXZpbA==\x07\x9b31m\x1b[8m\u202eevil\u2066\u200b\x08\r"
NAME = "\u202eevil\u200b\x9b"  # of what may hold no C0 control: ids
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
TASK, DIRECTIVE, RUNNER = f"t{NAME}", f"d{NAME}", f"r{NAME}"


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command below this one."""
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from leaves(below, (*path, name))
    else:
        yield path


# Each command with arguments that make it print what others wrote. Those that stay are given a value they refuse.
CALLS: dict[tuple[str, ...], list[list[str]]] = {
    ("up",): [["--port", TRAP], ["--handlers", TRAP, "--host", TRAP]],
    ("serve",): [["--port", TRAP], ["--host", TRAP]],
    ("runner", "run"): [["--concurrency", TRAP], ["--handlers", f"m{NAME}"]],
    ("runner", "start"): [["--concurrency", TRAP]],
    ("runner", "supervise"): [[TRAP]],
    ("runner", "status"): [[]],
    ("runner", "logs"): [["-n", "50"]],
    ("runner", "stop"): [[]],
    ("runner", "drain"): [[RUNNER, "--reason", TRAP], [f"x{TRAP}"]],
    ("runner", "resume"): [[RUNNER], [f"x{TRAP}"]],
    ("task", "add"): [[f"title {TRAP}", "--step", TRAP, "--id", f"new{NAME}"], ["--file", f"/no{NAME}"]],
    ("task", "list"): [[], ["--json"], ["--status", TRAP]],
    ("task", "show"): [[TASK], [f"x{TRAP}"]],
    ("task", "requeue"): [[TASK], [f"x{TRAP}"]],
    ("task", "cancel"): [[TASK, "--reason", TRAP], [f"x{TRAP}"]],
    ("directive", "list"): [[], ["--json"]],
    ("directive", "show"): [[DIRECTIVE], [f"x{TRAP}"]],
    ("directive", "preview"): [[DIRECTIVE], [DIRECTIVE, "--json"], [f"x{TRAP}"]],
    ("directive", "apply"): [[DIRECTIVE, "--without", f"x{NAME}"], [f"x{TRAP}"]],
    ("directive", "reject"): [[DIRECTIVE, "--reason", TRAP], [f"x{TRAP}"]],
    ("gpt", "run"): [["--environment", TRAP]],
    ("gpt", "compose"): [["--environment", TRAP]],
    ("sync", "push"): [["--dry-run", "--folder", "{folder}"], ["--folder", f"/no{NAME}"]],
    ("sync", "pull"): [["--dry-run", "--folder", "{folder}"]],
    ("vault", "set"): [[f"x{NAME}"]],
    ("vault", "list"): [[], ["--json"]],
    ("vault", "rm"): [[f"x{NAME}"]],
    ("vault", "grant"): [[f"x{NAME}"]],
    ("vault", "revoke"): [[f"x{NAME}"]],
    ("vault", "rotate"): [[TRAP]],
    ("vault", "env"): [[f"x{NAME}"]],
    ("token", "create"): [[f"n{NAME}", "--role", TRAP]],
    ("token", "revoke"): [[f"n{NAME}"]],
    ("token", "list"): [[]],
    ("db", "migrate"): [[TRAP]],
    ("db", "rebuild"): [[TRAP]],
    ("db", "backup"): [[f"/no{NAME}/x"]],
    ("db", "restore"): [[f"/no{NAME}"]],
    ("db", "psql"): [["--", "-c", "SELECT 1", "-d", f"no{NAME}"]],
    ("db", "url"): [[TRAP]],
    ("db", "stop"): [[TRAP]],
    ("audit",): [[], ["--json"]],
    ("tail",): [["--after", "0", "--no-follow"], ["--after", "0", "--no-follow", "--json"]],
    ("doctor",): [[]],
    ("bench",): [[f"x{NAME}"]],
}


def test_every_command_is_called() -> None:
    """A command that is added must be added here."""
    assert set(leaves(elruso)) == set(CALLS)


@pytest.fixture
async def hostile(database: str, tmp_path: Path) -> AsyncIterator[Served]:
    """An API full of traps: titles, ids, commands, reasons, runners, requests, and files beside it."""
    async with serving(database, approval="manual") as api:
        steps = [Step(f"s{TRAP}", f"echo {TRAP}")]
        task = TaskCreated(f"T{TRAP}", body=TRAP, phase=f"p{TRAP}", steps=steps)
        await api.commands.create_tasks([(TASK, task)], f"human:{NAME}")
        await api.commands.requests.open([Wanted("REQ-1", RequestDefinition(f"S{TRAP}", purpose=TRAP))], "human:x")
        planned = {
            **{"title": f"P{TRAP}", "body": TRAP, "steps": [{"name": f"s{TRAP}", "cmd": f"echo {TRAP}"}]},
            **{"params": {"secrets": ["K"], "x": TRAP}, "allowed_scope": [f"a{TRAP}"]},
            "acceptance": {"expected_files": [f"f{TRAP}"], "checks": [{"name": TRAP, "cmd": TRAP}]},
        }
        await api.post(
            "/ops/directives", {"id": DIRECTIVE, "title": f"D{TRAP}", "body": TRAP, "tasks_to_create": [planned]}
        )
        await api.post("/ops/runner/heartbeat", {"runner_id": RUNNER, "meta": {"host": TRAP}})
        (tmp_path / "home" / "logs").mkdir(parents=True)
        (tmp_path / "home" / "logs" / "runner.log").write_text(f"a line {TRAP}\n")
        (tmp_path / "lists").mkdir()
        (tmp_path / "lists" / "TASKS.json").write_text(json.dumps([{"id": f"n{NAME}", "title": TRAP, "steps": []}]))
        (tmp_path / "lists" / "REQUESTS.json").write_text(json.dumps([{"id": "REQ-2", "service": TRAP}]))
        Vault(tmp_path / "home" / "vault").set({"K": "a-value-of-k"}, True)
        yield api


async def call(api: Served, database: str, folder: Path, *calls: list[str]) -> list[str]:
    """What each of these commands prints, on both streams."""
    place = {"DATABASE_URL": database, "ELRUSO_HOME": str(folder / "home"), "ELRUSO_API": api.url, "ELRUSO_LANG": "en"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "tests.ops.forked_commands"),
        env=os.environ | place | {"PYTHONPATH": str(ROOT)},
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    asked = json.dumps([[word.replace("{folder}", str(folder / "lists")) for word in words] for words in calls])
    printed, _ = await process.communicate(asked.encode())
    found: list[str] = json.loads(printed)
    return found


@pytest.mark.timeout(300)
async def test_no_command_prints_what_a_terminal_obeys(hostile: Served, database: str, tmp_path: Path) -> None:
    """Neither answers nor errors; and what was hidden is named, so nothing was merely dropped."""
    calls = [(words, [*words, *arguments]) for words, many in CALLS.items() for arguments in many]
    outputs = await call(hostile, database, tmp_path, *(arguments for _, arguments in calls))
    await hostile.tokens.create_token("ana", "viewer")
    outputs += await call(hostile, database, tmp_path, ["token", "list"])
    for (words, arguments), printed in zip([*calls, (("token", "list"), [])], outputs, strict=True):
        assert not (found := OBEYED.findall(printed)), (arguments, found, printed)
        assert printed, arguments
        assert "Traceback" not in printed, printed
        if "--json" in arguments and words != ("tail",):
            json.loads(printed)
    marks = ("⟨U+001B⟩[2K", "⟨U+009B⟩", "⟨U+202E⟩evil")
    assert [] == [mark for mark in marks if mark not in "".join(outputs)]


async def test_a_preview_is_whole(database: str, tmp_path: Path) -> None:
    """Checks, prompt, secrets and what misleads are in the preview on a terminal."""
    tasks: list[dict[str, Any]] = [
        {
            "title": "Build",
            "steps": [{"name": "s", "cmd": "echo ok" + " " * 9000 + "; rm -rf ~\nsecond line"}],
            "acceptance": {"checks": [{"name": "c", "cmd": "make check"}], "expected_files": ["out.tar"]},
            "params": {"secrets": ["NPM_TOKEN"]},
        },
        {"title": "Think", "body": "The prompt of it."},
    ]
    async with serving(database, approval="manual") as api:
        await api.post("/ops/directives", {"id": "d", "title": "D", "tasks_to_create": tasks})
        [printed] = await call(api, database, tmp_path, ["directive", "preview", "d"])
    expected = ["$ echo ok⟨9000 spaces⟩; rm -rf ~\n       second line", "$ make check", "out.tar", "secrets: NPM_TOKEN"]
    assert [] == [
        text for text in [*expected, "The prompt of it.", "9000 spaces or tabs in a row"] if text not in printed
    ]


@pytest.mark.parametrize("form", ["console", "json"])
def test_a_log_line_is_one_line_and_harmless(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Values, keys, names of loggers and tracebacks; from structlog and from the standard library."""
    stream = io.StringIO()
    configure_logs(Config(log_format=form), stream)
    structlog.get_logger("x").warning(f"event {TRAP}", **{f"k{NAME}": f"v{TRAP}\nforged line", "deep": {TRAP: [TRAP]}})
    try:
        raise ValueError(TRAP)
    except ValueError:
        logging.getLogger(f"lib{NAME}").exception("failed %s", TRAP)
    logged = stream.getvalue()
    assert not OBEYED.findall(logged)
    assert "\nforged line" not in logged


def test_a_fact_forges_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A line feed in a title or an id shows as a sign; what a program printed keeps its lines."""
    Terminal().say("directive.applied", id="d\nError: the vault is empty")
    Terminal().say("backup.failed", output="one\ntwo")
    assert "Directive d ␊ Error: the vault is empty applied.\n" in capsys.readouterr().err


@pytest.mark.parametrize("watched", [True, False])
def test_values_for_a_shell_are_verbatim_in_a_pipe(watched: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """`eval "$(elruso vault env)"` gets each byte; a person at a terminal is shown what is in it."""
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: watched)
    monkeypatch.setattr(sys, "stdout", stream)
    Terminal().show_verbatim(f"export K='{TRAP}'")
    assert (f"export K='{TRAP}'\n" == stream.getvalue()) is not watched
    assert bool(OBEYED.search(stream.getvalue())) is not watched
