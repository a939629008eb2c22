"""What a newcomer types in the first hour, and what the command line answers: whole ids, the truth, a next step."""

import io
import os
import platform
import sys
from pathlib import Path

import pytest

from ops.terminal import Terminal
from tests.api.serving import serving
from tests.ops.planner.planning import planning
from tests.ops.test_printer import call
from tests.support.openai_server import openai_server

LONG = "a-task-with-a-long-id-" + "x" * 120


async def test_a_table_in_a_pipe_is_whole(database: str, tmp_path: Path) -> None:
    """Each row is one line, with every id, title and error as it is, however long."""
    async with serving(database) as api:
        await api.post("/ops/tasks", {"id": LONG, "title": "T " + "y" * 300})
        await api.post("/ops/tasks", {"id": "b", "title": "日本 U"})
        [printed] = await call(api, database, tmp_path, ["task", "list"])
    head, *rows = printed.splitlines()
    assert ["id", "status", "phase", "priority", "attempts", "title", "last_error"] == head.split()
    assert {LONG: "y" * 300, "b": "U"} == {row.split()[0]: row.split()[-1] for row in rows}
    assert not any(row.endswith(" ") for row in rows)


@pytest.mark.parametrize("watched", [True, False])
def test_a_terminal_wraps_titles_and_keeps_ids(watched: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is room for the id it is whole; the title goes on below."""
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: watched)
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setenv("COLUMNS", "60")
    Terminal().show_table([("id", "ellipsis"), ("title", "fold")], [["x" * 40, "y" * 60]])
    assert "x" * 40 in stream.getvalue()
    assert (3 if watched else 2) <= len(stream.getvalue().splitlines())


async def test_what_was_ready_already_is_said(database: str, tmp_path: Path) -> None:
    """A requeue that changes nothing says so, and until when the task waits."""
    async with serving(database) as api:
        await api.post("/ops/tasks", {"id": "later", "title": "L", "next_run_at": "2126-01-01T00:00:00Z"})
        await api.post("/ops/tasks", {"id": "now", "title": "N"})
        await api.post("/ops/tasks", {"id": "gone", "title": "G"})
        await api.commands.cancel("gone", None, "human:ana")
        later, now, gone = await call(
            api, database, tmp_path, *(["task", "requeue", task] for task in ("later", "now", "gone"))
        )
    assert "Nothing has changed: task later was ready already and waits until 212" in later
    assert "Nothing has changed: task now was ready already." in now
    assert "Task gone is ready again." in gone


async def test_a_task_is_checked_before_it_is_made(database: str, tmp_path: Path) -> None:
    """A type that nothing executes, a shell task without steps, a python task without its handler."""
    wrong = {
        ("--type", "nope"): "'shell', 'agent', 'python', 'echo'",
        ("--type", "shell"): "--step",
        ("--type", "python"): "handler=",
        ("--param", "name"): "the = is missing",
    }
    async with serving(database) as api:
        printed = await call(api, database, tmp_path, *(["task", "add", "T", *words] for words in wrong))
        assert [] == await api.get("/ops/tasks")
    assert [] == [words for words, said in zip(wrong.values(), printed, strict=True) if words not in said]


async def test_an_error_of_the_engine_is_in_the_operators_language(database: str, tmp_path: Path) -> None:
    """The log has it in English; what a command printed stays as it is."""
    async with serving(database) as api:
        await api.post("/ops/tasks", {"id": "t", "title": "T"})
        run = (await api.claim("r"))["run_id"]
        await api.patch(f"/runs/{run}", {"status": "failed", "error": "step 1 (test): exit code 3: boom"})
        english, spanish = await call(api, database, tmp_path, ["task", "list"], ["--lang", "es", "task", "list"])
    assert "step 1 (test): exit code 3: boom" in english
    assert "paso 1 (test): código de salida 3: boom" in spanish


async def test_the_result_of_a_run_is_shown(database: str, tmp_path: Path) -> None:
    """`task show` has what the handler returned."""
    async with serving(database) as api:
        await api.post("/ops/tasks", {"id": "t", "title": "T"})
        run = (await api.claim("r"))["run_id"]
        await api.patch(f"/runs/{run}", {"status": "done", "result": {"hello": "Ana"}})
        [printed] = await call(api, database, tmp_path, ["task", "show", "t"])
    assert '"hello": "Ana"' in printed


async def test_a_runner_in_the_foreground_is_found(database: str, tmp_path: Path) -> None:
    """`runner status` names the runner of `elruso up`: online, of this machine, alive. `stop` leaves it alone.

    Why it takes nothing is said, too; and where the API refuses to tell, that.
    """
    here = {"host": platform.node(), "pid": os.getpid()}
    async with serving(database) as api:
        for runner, meta in {
            "mine": here,
            "other": {"host": "elsewhere", "pid": os.getpid()},
            "dead": {"host": platform.node(), "pid": 4_190_000},
        }.items():
            await api.post("/ops/runner/heartbeat", {"runner_id": runner, "meta": meta})
        status, stop = await call(api, database, tmp_path, ["runner", "status"], ["runner", "stop"])
        await api.post("/runners/mine/drain")
        [draining] = await call(api, database, tmp_path, ["runner", "status"])
        fault = {"code": "missing", "detail": "/work is not there", "path": "/work"}
        await api.post("/ops/runner/heartbeat", {"runner_id": "mine", "meta": {**here, "unfit": fault}})
        [unfit] = await call(api, database, tmp_path, ["runner", "status"])
        await api.tokens.create_token("ana", "admin")
        [refused] = await call(api, "", tmp_path, ["runner", "status"])
    assert "draining: it takes nothing more" in draining
    assert "it cannot work: /work is not there" in unfit
    assert "export ELRUSO_TOKEN=" in refused
    assert "not running" not in refused
    for printed in (status, stop):
        assert f"in the foreground, by `elruso up` or `runner run` (PID {os.getpid()})" in printed
        assert "yes, mine, seen 20" in printed
        assert "other" not in printed
        assert "dead" not in printed


async def test_after_the_first_token_the_next_step_is_said(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By `token create`, and by each command that the API then refuses: a variable, no header."""
    async with serving(database) as api:
        made, second, refused = await call(
            api,
            database,
            tmp_path,
            ["token", "create", "ana", "--role", "admin"],
            ["token", "create", "eva", "--role", "viewer"],
            ["task", "list"],
        )
        monkeypatch.setenv("ELRUSO_TOKEN", made.split()[0])
        [allowed] = await call(api, database, tmp_path, ["task", "list"])
        monkeypatch.setenv("ELRUSO_TOKEN", "elr_wrong")
        [wrong] = await call(api, database, tmp_path, ["task", "list"])
    assert ("export ELRUSO_TOKEN=" in made, "export ELRUSO_TOKEN=" in second) == (True, False)
    assert ("export ELRUSO_TOKEN=" in refused, "header" in refused) == (True, False)
    assert "No tasks." in allowed
    assert "does not know the token in ELRUSO_TOKEN" in wrong


async def test_a_backup_replaces_no_file_unasked(database: str, tmp_path: Path) -> None:
    """A file that exists stays as it is; with --force it is replaced."""
    file = tmp_path / "backup"
    file.write_text("yesterday's")
    async with serving(database) as api:
        await api.post("/ops/tasks", {"id": "t", "title": "T"})
        [refused] = await call(api, database, tmp_path, ["db", "backup", str(file)])
        assert "yesterday's" == file.read_text()
        [done] = await call(api, database, tmp_path, ["db", "backup", str(file), "--force"])
    assert "--force to replace it" in refused
    assert "Backup in" in done
    assert file.read_bytes().startswith(b"PGDMP")


async def test_a_planner_without_a_key_names_a_page_that_exists(database: str, tmp_path: Path) -> None:
    """And the command that stores it, in the operator's language."""
    async with openai_server() as model, planning(database, model) as desk:
        desk.secrets.values.clear()
        [printed] = await call(desk.api, database, tmp_path, ["--lang", "es", "gpt", "run"])
        assert "Guárdala: elruso vault set OPENAI_API_KEY" in printed
        assert f"{desk.api.url}/panel/setup" in printed
        assert 303 == (await desk.api.client.get("/panel/setup")).status_code
