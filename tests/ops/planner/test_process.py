"""The planner in a process of its own, as an operator starts it: the runbook's lines, and kills in between."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
from msgspec import Struct

from tests.api.serving import data_of
from tests.ops.planner.planning import KEY
from tests.runner.working import runner_process
from tests.support.openai_server import OpenAiServer, proposes
from tests.support.waiting import eventually

ROOT = Path(__file__).parent.parent.parent.parent
HOLD = "SELECT pg_advisory_xact_lock(hashtext('elruso'), hashtext('decisions'))"
WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objsubid = 2"
COUNTS = "SELECT count(*) FILTER (WHERE kind = 'directive'), count(*) FILTER (WHERE kind = 'task') FROM log.events"
GREEN = {
    "title": "Green builds",
    "acceptance_criteria": ["make test exits 0"],
    "tasks_to_create": [
        {"title": "build", "steps": [{"name": "make", "cmd": "echo built > built.txt"}]},
        {"title": "test", "steps": [{"name": "test", "cmd": "echo tested"}], "depends_on": ["build"]},
    ],
}


class Engine(Struct):
    """`elruso serve`, in a process of its own."""

    process: asyncio.subprocess.Process
    client: httpx.AsyncClient

    @property
    def url(self) -> str:
        """Where it serves."""
        return str(self.client.base_url).rstrip("/")

    async def shell(self, line: str) -> str:
        """What a line of the runbook prints."""
        environment = {"PATH": os.environ["PATH"], "API_BASE_URL": self.url}
        process = await asyncio.create_subprocess_shell(line, stdout=subprocess.PIPE, env=environment)
        printed, _ = await process.communicate()
        return printed.decode()

    async def json(self, line: str) -> Any:
        """The same, decoded."""
        return msgspec.json.decode(await self.shell(line))


@asynccontextmanager
async def engine(url: str, home: Path, model: OpenAiServer, **variables: str) -> AsyncIterator[Engine]:
    """An engine on a free port; killed with the block."""
    place = {"DATABASE_URL": url, "ELRUSO_HOME": str(home), "PYTHONPATH": str(ROOT), "ELRUSO_PORT": "0"}
    place |= {"OPENAI_BASE_URL": model.url, "ELRUSO_LANG": "en"} | variables
    clean = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "ops", "serve"), env=clean | place, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    address = ""
    while not address:
        line = (await process.stderr.readline()).decode()
        assert line, "it ended before it served"
        address = line.partition("API at ")[2].strip()
    reading = asyncio.create_task(process.stderr.read())
    try:
        async with httpx.AsyncClient(base_url=address, timeout=60) as client:
            yield Engine(process, client)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


@pytest.mark.skipif(shutil.which("jq") is None or shutil.which("curl") is None, reason="needs curl and jq")
async def test_the_runbooks_flow(database: str, tmp_path: Path, model: OpenAiServer) -> None:
    """Without a key the next step is told; with it, and without a restart, its lines lead from GPT to runs."""
    model.will(proposes(GREEN))
    run = """curl -s -X POST "$API_BASE_URL/ops/gpt/run" -d '{"environment":"production"}' | jq ."""
    async with engine(database, tmp_path / "home", model) as served:
        refused = await served.json(run)
        assert (False, "openai_key_missing") == (refused["ok"], refused["error"])
        request = """curl -s "$API_BASE_URL/ops/requests" | jq '.data[] | select(.id=="REQ-009") | .status'"""
        assert '"WAITING"\n' == await served.shell(request)
        value = f"""-d '{{"values": {{"OPENAI_API_KEY": "{KEY}"}}}}'"""
        await served.shell(f'curl -s -X POST "$API_BASE_URL/ops/requests/REQ-009/value" {value}')
        assert '"PROVIDED"\n' == await served.shell(request)

        answer = await served.json(run)
        assert answer["ok"] is True
        assert {"directives_created", "tasks_created", "directives", "model", "usage"} <= answer["data"].keys()
        assert (1, 2, "gpt-4.1") == tuple(
            answer["data"][key] for key in ("directives_created", "tasks_created", "model")
        )
        assert [KEY] == model.keys
        assert "2\n" == await served.shell("""curl -s "$API_BASE_URL/ops/tasks?status=ready" | jq '.data | length'""")
        pending = """curl -s "$API_BASE_URL/ops/directives" | jq '.data[] | select(.status=="PENDING") | .title'"""
        assert '"Green builds"\n' == await served.shell(pending)

        async with runner_process(database, tmp_path / "runner"):
            runs = """curl -s "$API_BASE_URL/runs" | jq '.data[0:3]'"""

            async def done() -> bool:
                return ["done", "done"] == [each["status"] for each in await served.json(runs)]

            await eventually(done, deadline=30)
            line = """curl -s "$API_BASE_URL/ops/metrics" | jq "{tasks:.data.tasks, runners:.data.runners}" """
            tasks = (await served.json(line))["tasks"]
            assert (2, 0) == (tasks["done"], tasks["ready"])
        assert "" == await served.shell(pending)


async def test_killed_between_answer_and_commit(database: str, tmp_path: Path, model: OpenAiServer) -> None:
    """Nothing is created, nothing is half there, nobody is locked out; run again: created once."""
    model.will(proposes(GREEN))
    connection = await asyncpg.connect(database)
    async with engine(database, tmp_path / "home", model, OPENAI_API_KEY=KEY) as served, connection.transaction():
        await connection.execute(HOLD)
        run = asyncio.create_task(served.client.post("/ops/gpt/run", json={}))
        await eventually(lambda: connection.fetchval(WAITING), describe="the answer waits to be stored")
        served.process.kill()
        with pytest.raises(httpx.HTTPError):
            await run
    assert (0, 0) == tuple(await connection.fetchrow(COUNTS))

    async with engine(database, tmp_path / "home", model, OPENAI_API_KEY=KEY) as served:
        status = data_of(await served.client.get("/ops/gpt/status"))
        assert (None, None) == (status["running"], status["last"])
        done = data_of(await served.client.post("/ops/gpt/run", json={}))
    assert (1, 2) == (done["directives_created"], done["tasks_created"])
    assert (1, 2) == tuple(await connection.fetchrow(COUNTS))
    await connection.close()


async def test_two_engines_run_one_planner(database: str, tmp_path: Path, model: OpenAiServer) -> None:
    """The second process refuses with the first one's run, and sees how far that is; a kill sets it free at once."""
    model.will(proposes(GREEN, stalls=True))
    async with (
        engine(database, tmp_path / "a", model, OPENAI_API_KEY=KEY) as first,
        engine(database, tmp_path / "b", model, OPENAI_API_KEY=KEY) as second,
    ):
        run = asyncio.create_task(first.client.post("/ops/gpt/run", json={}))
        await model.saw(1)
        running = data_of(await second.client.get("/ops/gpt/status"))["running"]
        refused = await second.client.post("/ops/gpt/run", json={})
        assert 409 == refused.status_code
        assert running["run_id"] == refused.json()["meta"]["run_id"]

        first.process.kill()
        with pytest.raises(httpx.HTTPError):
            await run
        model.will(proposes(GREEN))

        async def runs() -> bool:
            return (await second.client.post("/ops/gpt/run", json={})).is_success

        await eventually(runs)


def test_the_command_line_shows_what_was_created(tmp_path: Path) -> None:
    """Without an API the command says which address does not answer, and what to start."""
    environment = {"HOME": str(tmp_path), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "ELRUSO_PORT": "1"}
    command = [sys.executable, "-P", "-m", "ops", "--lang", "es", "gpt", "run"]
    failed = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    assert 1 == failed.returncode
    assert "elruso up" in failed.stderr


async def test_the_command_line(database: str, tmp_path: Path, model: OpenAiServer) -> None:
    """`gpt compose`, `gpt run`, then `directive list`, `preview`, `apply --without`, `reject`."""
    model.will(proposes(GREEN))
    async with engine(database, tmp_path / "home", model, OPENAI_API_KEY=KEY, ELRUSO_APPROVAL="manual") as served:

        async def elruso(*arguments: str) -> str:
            environment = os.environ | {"ELRUSO_API": served.url, "PYTHONPATH": str(ROOT), "ELRUSO_LANG": "en"}
            command = [sys.executable, "-P", "-m", "ops", *arguments]
            process = await asyncio.create_subprocess_exec(
                *command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            printed, _ = await process.communicate()
            assert 0 == process.returncode, printed.decode()
            return printed.decode()

        assert "# State of the project" in await elruso("gpt", "compose")
        ran = await elruso("gpt", "run")
        assert "1 directive, 0 tasks · gpt-4.1, 1200 tokens, $0.0036" in ran
        directive = ran.split()[0]
        assert "Green builds" in await elruso("directive", "list")
        preview = await elruso("directive", "preview", directive)
        assert "1. " in preview
        assert "$ echo tested" in preview
        await elruso("directive", "apply", directive, "--without", f"{directive}-2")
        assert "APPLIED" in await elruso("directive", "list", "--status", "applied")
        tasks = data_of(await served.client.get("/ops/tasks"))
        assert [f"{directive}-1"] == [task["id"] for task in tasks]
        model.will(proposes({"title": "Unwanted"}))
        unwanted = (await elruso("gpt", "run")).split()[0]
        await elruso("directive", "reject", unwanted, "--reason", "no")
        assert '"rejection_reason": "no"' in await elruso("directive", "show", unwanted)


async def test_progress_is_shown_to_those_who_watch(database: str, tmp_path: Path, model: OpenAiServer) -> None:
    """On a terminal a line says how far the run is; what was created is on stdout, where a pipe can have it."""
    model.will(proposes(GREEN, stalls=True))
    async with engine(database, tmp_path / "home", model, OPENAI_API_KEY=KEY) as served:
        terminal, theirs = os.openpty()
        environment = os.environ | {"ELRUSO_API": served.url, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
        command = [sys.executable, "-P", "-m", "ops", "--lang", "es", "gpt", "run"]
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        seen = b""
        while b"esperando al modelo" not in seen:
            seen += await asyncio.to_thread(os.read, terminal, 4096)
        model.released.set()
        printed, _ = await process.communicate()
        os.close(terminal)

    assert 0 == process.returncode
    assert "Green builds" in printed.decode()
