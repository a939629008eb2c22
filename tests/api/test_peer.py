"""Before the first token a step of a task is no administrator, however it hides; its operator is. Linux."""

import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from api.peer import Subreaper, TcpSocket, find_socket, look_for_holders
from events.task import Step, TaskCreated
from runner.runner_mark import process_namespace
from tests.api.serving import Served
from tests.runner.working import ledger, runner_process
from tests.support.waiting import eventually

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere steps cannot be told from others")

FORM = "-H 'Origin: {api}' -H 'Sec-Fetch-Site: same-origin'"
REQUESTS = {
    "create a task": '-X POST {api}/ops/tasks -d \'{{"id": "evil", "title": "evil"}}\'',
    "change a task": '-X PATCH {api}/ops/tasks/t -d \'{{"status": "cancelled"}}\'',
    "cancel a task": "-X POST {api}/ops/tasks/t/cancel -d '{{}}'",
    "store a secret": '-X POST {api}/ops/requests/REQ-009/value -d \'{{"values": {{"OPENAI_API_KEY": "sk-evil"}}}}\'',
    "pause": "-X POST {api}/ops/system/pause -d '{{}}'",
    "claim": '-X POST {api}/ops/tasks/claim -d \'{{"runner_id": "evil"}}\'',
    "read tasks": "{api}/ops/tasks",
    "read the log": "{api}/ops/events",
    "read metrics": "{api}/metrics",
    "panel": "{api}/panel",
    "panel form": f"-X POST {{api}}/panel/tasks/t/cancel {FORM} -d ''",
}
# Each runs $CALL, which writes the status of one request to $F.
WAYS = {
    "plainly": "sh $CALL",
    "in a session of its own": "setsid -w sh $CALL",
    "double fork": "(setsid sh -c '(sleep 0.1; sh $CALL) &' &); until [ -s $F ]; do sleep 0.02; done",
    "empty environment": "env -i PATH=$PATH F=$F sh $CALL",
    "nohup": "nohup sh $CALL </dev/null >/dev/null 2>&1 & wait",
    "as another user": "$OTHER curl -s -o /dev/null -w '%{http_code}' $API/ops/tasks >$F",
    "mapped to IPv6": "sed 's|http://127.0.0.1|-gH Host:localhost http://[::ffff:127.0.0.1]|' $CALL | sh",
}


OPERATOR = {"create a task": "201", "pause": "200", "read tasks": "200", "read metrics": "200", "panel": "200"}
FAMILIES = [
    (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
    (socket.AF_INET6, "::1", "::1"),
    (socket.AF_INET6, "::", "::ffff:127.0.0.1"),
]


class Scene:
    """A served API with a runner beside it, and what steps do there."""

    def __init__(self, api: Served, database: str, folder: Path) -> None:
        self.api = api
        self.folder = folder
        self._database = database

    async def status_in_step(self, script: str) -> str:
        """Run a script as a step; what it wrote to $F."""
        file = self.folder / "status"
        task = TaskCreated("a task", steps=[Step("one", f"export F={file}; {script}")])
        async with ledger(self._database) as tasks:
            await tasks.add(("step", task))
            async with runner_process(self._database, self.folder / "home"):
                await eventually(lambda: _ended(tasks, "step"), describe="the end of the task")
        return file.read_text() if file.exists() else ""


async def _ended(tasks: object, task_id: str) -> bool:
    status = await tasks.connection.fetchval("SELECT status FROM view.tasks WHERE id = $1", task_id)  # type: ignore[attr-defined]
    return status in ("done", "failed")


@pytest.fixture
async def scene(api: Served, database: str, tmp_path: Path) -> Scene:
    """An API without tokens, a scheduled task `t` in it, and no runner yet."""
    await api.post("/ops/tasks", {"id": "t", "title": "t", "next_run_at": "2100-01-01T00:00:00Z"})
    return Scene(api, database, tmp_path)


def curl(request: str, api: str) -> str:
    """A command that writes the status of a request to $F."""
    return f"curl -s -o /dev/null -w '%{{http_code}}\\n' {request.format(api=api)} >>$F"


async def test_a_step_may_do_nothing_that_needs_a_role(scene: Scene) -> None:
    """Every request of a step is refused: what creates, changes, stores and claims, what reads, and the panel."""
    lines = [request.format(api=scene.api.url) for request in REQUESTS.values()]
    code = "grep -o inside_run body | head -1"
    script = "\n".join(f"curl -s -o body -w '%{{http_code}}\\n' {line} >>$F; {code} >>$F" for line in lines)
    assert ["403", "inside_run"] * len(REQUESTS) == (await scene.status_in_step(script)).split()
    assert {"t", "step"} == {task["id"] for task in await scene.api.get("/ops/tasks")}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_no_way_of_detaching_helps(scene: Scene, way: str) -> None:
    """Sessions, double forks, an empty environment, another user and another address are refused all the same."""
    call, other = scene.folder / "call", "setpriv --reuid 65534 --clear-groups" if os.getuid() == 0 else ""
    more = f"API={scene.api.url} OTHER='{other}'"
    call.write_text(curl("{api}/ops/tasks", scene.api.url))
    assert ["403"] == (await scene.status_in_step(f"export CALL={call} {more}; {way}")).split()


async def test_a_step_cannot_send_and_go_away(scene: Scene) -> None:
    """A request whose sender has closed its connection before it is read creates nothing."""
    body = '{"id": "evil", "title": "evil"}'
    head = f"POST /ops/tasks HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n"
    script = f"exec 3<>/dev/tcp/127.0.0.1/{scene.api.port}; printf '{head}{body}' >&3; exec 3>&-; exit 0"
    await scene.status_in_step(script)
    assert {"t", "step"} == {task["id"] for task in await scene.api.get("/ops/tasks")}


async def test_the_operator_works_while_steps_run(scene: Scene, database: str) -> None:
    """The runbook's curl lines work from outside while a step runs, and so does the panel."""
    async with ledger(database) as tasks, runner_process(database, scene.folder / "home"):
        await tasks.shell(1, f"touch {scene.folder}/runs; sleep 600", prefix="long")
        await eventually((scene.folder / "runs").exists, describe="a step that runs")
        script = "\n".join(curl(REQUESTS[name], scene.api.url) for name in OPERATOR)
        environment = os.environ | {"F": str(scene.folder / "outside")}
        process = await asyncio.create_subprocess_exec("/bin/bash", "-c", script, env=environment)
        await process.wait()
        assert list(OPERATOR.values()) == (scene.folder / "outside").read_text().split()
        assert 200 == (await scene.api.client.get("/ops/tasks")).status_code


async def test_a_step_with_a_token_has_its_role(scene: Scene) -> None:
    """Once there are tokens they decide, for steps as for everybody."""
    viewer = await scene.api.tokens.create_token("v", "viewer")
    bearer = f"-H 'Authorization: Bearer {viewer}'"
    requests = [
        f"{bearer} {{api}}/ops/tasks",
        f"-X POST {bearer} {{api}}/ops/system/pause -d '{{{{}}}}'",
        "{api}/ops/tasks",
    ]
    statuses = await scene.status_in_step("\n".join(curl(request, scene.api.url) for request in requests))
    assert ["200", "403", "401"] == statuses.split()


async def test_the_refusal_says_what_to_do(scene: Scene) -> None:
    """What a step is told names the reason and the next step, in the panel in Spanish, too."""
    api = scene.api.url
    script = f"curl -s {api}/ops/tasks >$F; curl -s -H 'Accept-Language: es' {api}/panel >>$F"
    said = await scene.status_in_step(script)
    assert '"error":"inside_run"' in said
    assert "elruso vault set ELRUSO_TOKEN" in said
    assert "desde dentro de una ejecución esto necesita un token" in said


def test_a_socket_is_found_by_its_ends() -> None:
    """Inode and user of a connection are those of its descriptor, for IPv4, IPv6 and mapped IPv4."""
    for family, host, target in FAMILIES:
        with (
            socket.create_server((host, 0), family=family, dualstack_ipv6=host == "::") as listening,
            socket.create_connection((target, listening.getsockname()[1])) as client,
            listening.accept()[0] as accepted,
        ):
            found = find_socket(accepted.getpeername()[:2], accepted.getsockname()[:2])
            assert TcpSocket(str(os.fstat(client.fileno()).st_ino), os.getuid()) == found


THREAD = """
import ctypes, os, socket, sys, threading

def hold():
    assert ctypes.CDLL(None).unshare(0x400) == 0  # CLONE_FILES
    held = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    print(os.fstat(held.fileno()).st_ino, flush=True)
    sys.stdin.read()

threading.Thread(target=hold).start()
"""


async def test_a_thread_cannot_hide_a_descriptor() -> None:
    """One with a table of its own is not in that of its process; an API that is not root would look past it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", THREAD, str(server.getsockname()[1])),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert child.stdout is not None
        inode = (await child.stdout.readline()).decode().strip()
        namespace = process_namespace()
        seen = look_for_holders(f"socket:[{inode}]", [Subreaper(namespace, os.getpid())], namespace)
        await child.communicate(b"")
    assert seen.inside
