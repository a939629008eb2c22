"""The first El Ruso's runbook, line by line, with its own runner at work and a model that proposes tasks."""

import asyncio
import os
from pathlib import Path

from tests.contract.test_runner import one_round
from tests.ops.planner.planning import planning
from tests.support.openai_server import openai_server, proposes

RUNBOOK = Path(__file__).parent / "runbook.sh"
DIRECTIVE = {
    "title": "Ordenar",
    "tasks_to_create": [
        {"title": "escribir", "task_type": "shell", "steps": [{"name": "s", "cmd": "echo hola"}]},
        {"title": "fallar", "task_type": "shell", "steps": [{"name": "s", "cmd": "false"}], "max_attempts": 1},
    ],
}


async def test_every_line_of_the_runbook(database: str) -> None:
    """The planner proposes, the runner claims and reports, and each line answers what the runbook says it shows."""
    async with openai_server() as model, planning(database, model) as desk:
        model.will(proposes(DIRECTIVE))
        posted = await desk.api.client.post("/ops/gpt/run", content=b'{"environment":"production"}')
        assert (1, 2) == (posted.json()["data"]["directives_created"], posted.json()["data"]["tasks_created"])
        await one_round(desk.api, "old-1")
        failed = await one_round(desk.api, "old-1")
        assert ("blocked", "boom") == (failed["status"], failed["last_error"])
        done = next(run["id"] for run in await desk.api.get("/runs") if run["status"] == "done")
        environment = {"PATH": os.environ["PATH"], "API_BASE_URL": desk.api.url}
        process = await asyncio.create_subprocess_exec(
            *("bash", str(RUNBOOK), done, failed["id"]), env=environment, stdout=asyncio.subprocess.PIPE
        )
        printed = (await process.communicate())[0].decode()
        assert 0 == process.returncode, printed
    parts = [part.partition("\n") for part in printed.removeprefix("== ").split("\n== ")]
    told = {name: answer for name, _, answer in parts}
    assert '[{"status":"blocked","count":1},{"status":"done","count":1}]' == told["statuses"]
    assert ("0", "", '["ready",0]') == (told["ready"], told["running"], told["requeue"])
    assert ('"online": 1' in told["metrics"], "old-1") == (True, told["online"])
    assert 2 == told["runs"].count('"started_at":"20')
    assert '"step_name":"s"' in told["steps"]
    assert ("boom", "4\n") == (told["errors"], told["seconds"])
    assert "✓ API healthy" in told["health"]
