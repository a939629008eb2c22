"""What a task may have of the vault, and what nobody may see of it."""

import json
import os
import random
import string
from collections.abc import Sequence
from pathlib import Path

import pytest

from events.errors import SecretNotGranted
from events.task import Step, TaskCreated, TaskDone, TaskFailed
from ops.vault.vault import Vault
from runner.execute import execute
from runner.handlers import Handlers, Task
from tests.runner.conftest import GitCommand
from tests.runner.recording import Recorder, claim, context, shell
from tests.runner.working import Ledger, runner_process
from tests.support.dump import dump
from tests.support.waiting import eventually

TOKEN = "npm-correct-horse-battery"


class Granting:
    """Grants one value."""

    def granted(self, names: Sequence[str]) -> dict[str, str]:
        """As a vault does."""
        if set(names) - {"NPM_TOKEN"}:
            raise SecretNotGranted(f"{names} not granted: elruso vault grant")
        return dict.fromkeys(names, TOKEN)


async def test_steps_get_what_their_task_names(tmp_path: Path) -> None:
    """A granted variable that params.secrets names is in the environment of every step; otherwise it is not."""
    setup = context(tmp_path, secrets=Granting())
    named = await execute(shell("echo ${#NPM_TOKEN}", params={"secrets": ["NPM_TOKEN"]}), setup)
    unnamed = await execute(shell("echo ${NPM_TOKEN-unset}"), setup)
    assert isinstance(named.event, TaskDone)
    assert isinstance(unnamed.event, TaskDone)
    assert isinstance(setup.reporter, Recorder)
    assert f"{len(TOKEN)}\nunset\n" == setup.reporter.text


@pytest.mark.parametrize(
    ("secrets", "complaint"),
    [(["NPM_TOKEN", "OPENAI_API_KEY"], "elruso vault grant"), ("NPM_TOKEN", "list of names"), ([1], "list of names")],
)
async def test_what_is_not_granted_ends_the_run_before_it_begins(
    tmp_path: Path, secrets: object, complaint: str
) -> None:
    """No step runs, the error says what the operator can do, and it is not tried again until he has done it."""
    setup = context(tmp_path, secrets=Granting())
    outcome = await execute(shell("echo never", params={"secrets": secrets}), setup)
    assert isinstance(outcome.event, TaskFailed)
    assert complaint in outcome.event.error
    assert not outcome.retry
    assert isinstance(setup.reporter, Recorder)
    assert "" == setup.reporter.text


async def test_without_a_vault_nothing_is_granted(tmp_path: Path) -> None:
    """A runner that was given none says so; what every step may see anyway needs no grant."""
    outcome = await execute(shell("true", params={"secrets": ["NPM_TOKEN"]}), context(tmp_path))
    assert isinstance(outcome.event, TaskFailed)
    assert "no vault" in outcome.event.error
    setup = context(tmp_path, granted={"NPM_TOKEN": "x"})
    assert isinstance((await execute(shell("true", params={"secrets": ["NPM_TOKEN"]}), setup)).event, TaskDone)


async def test_handlers_get_them_too(tmp_path: Path) -> None:
    """A python handler finds the values in task.secrets."""
    handlers, seen = Handlers(), []

    @handlers.task("publish")
    async def publish(task: Task) -> None:
        seen.append(dict(task.secrets))

    task = claim(task_type="python", params={"handler": "publish", "secrets": ["NPM_TOKEN"]})
    await execute(task, context(tmp_path, handlers=handlers, secrets=Granting()))
    assert [{"NPM_TOKEN": TOKEN}] == seen


async def test_an_agent_is_not_told(tmp_path: Path) -> None:
    """A secret that got into a task's text is not in the prompt."""
    redacted = context(tmp_path, agent="cat")
    outcome = await execute(claim(body="log in with correct-horse-battery"), redacted)
    assert isinstance(outcome.event, TaskDone)
    assert "log in with [redacted]" in (outcome.event.summary or "")


def secrets_of_all_kinds(seed: int) -> dict[str, str]:
    """Values of 6 to 80 characters, as people and machines make them."""
    chance = random.Random(seed)
    kinds = [
        string.ascii_letters,
        string.digits,
        string.punctuation,
        string.ascii_letters + " ",
        "áéñ€😀" + "ab",
        "ab\n",
    ]
    lengths = [6, 7, 11, 24, 80]
    made = {f"S{n}_{size}": "".join(chance.choices(kind, k=size)) for n, kind in enumerate(kinds) for size in lengths}
    return {name: value for name, value in made.items() if len(value.strip()) >= 6 and len(set(value)) > 1}


# Writes a value byte by byte, so that it comes through the pipe in pieces; then whole, on both streams, into files.
LEAK = """
import os, subprocess, sys
value = os.environ[sys.argv[1]].encode()
for place in range(len(value)):
    os.write(1, value[place:place + 1])
    if place % 3 == 0:
        subprocess.run(["true"])
os.write(1, b"\\n" + value[:-2] + value + value[2:] + b"\\n")
os.write(2, value + b"\\n")
open("config.txt", "wb").write(b"key = " + value + b"\\n" + value)
safe = value.replace(b"/", b"").replace(b"\\0", b"")
if safe == value:
    open(b"of-" + value, "wb").write(value)
os.write(1, value[:len(value) // 2])
os.write(2, value[len(value) // 2:])
"""


# A handler that prints what it was given, in pieces, and returns it.
PRINTING = """
import sys
from runner.handlers import Handlers

handlers = Handlers()

@handlers.task("print")
async def show(task):
    for value in task.secrets.values():
        print("printed:", value[:3], end="")
        print(value[3:], "and", value)
        sys.stderr.write(value + "\\n")
    return dict(task.secrets)
"""


async def test_no_stored_secret_is_in_the_database_or_the_log(
    database: str,
    tasks: Ledger,
    repository: Path,
    git: GitCommand,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Tasks print values in pieces and whole, on both streams, write them into files and names of files, and fail with
    them; afterwards neither a dump of the database nor the runner's log holds one of them. One of the values is stored
    while the runner runs."""
    home = tmp_path / "home"
    vault, secrets = Vault(home / "vault"), secrets_of_all_kinds(11)
    late = secrets.popitem()
    monkeypatch.setenv("ELRUSO_WORKSPACE", str(repository))
    monkeypatch.setenv("ELRUSO_LOG_LEVEL", "debug")
    monkeypatch.setenv("ELRUSO_COMMITTED_SECRETS", "allow")  # the steps commit them; the log must not show it
    script = tmp_path / "leak.py"
    script.write_text(LEAK)
    home.mkdir()
    (home / "printing.py").write_text(PRINTING)
    monkeypatch.chdir(home)
    monkeypatch.setenv("ELRUSO_HANDLERS", "printing")
    async with runner_process(database, home):
        vault.set(secrets, granted=True)
        await tasks.add(*[_leaking(name, script) for name in secrets])
        await eventually(lambda: tasks.count("done"), deadline=60, describe="a task is done")
        vault.set(dict([late]), granted=True)
        await tasks.add(_leaking(late[0], script), _leaking("NOT_THERE", script))
        params = {"handler": "print", "secrets": list(secrets)}
        await tasks.add(("printing", TaskCreated("a task", task_type="python", params=params)))
        total = len(secrets) + 2
        await eventually(lambda: _ended(tasks, total), deadline=90, describe="all tasks have ended")
        branch = f"refs/heads/task/t-{late[0]}"  # moves when the log has accepted the end
        await eventually(lambda: git("for-each-ref", branch) != "", describe="the branch of the last task")
    everything = await dump(database) + (home / "log").read_text()
    found = [
        name for name, value in (secrets | dict([late])).items() if any(form in everything for form in forms(value))
    ]
    assert [] == found
    assert "[redacted]" in everything
    assert "elruso vault set NOT_THERE --grant" in everything
    assert late[1] in git("show", f"task/t-{late[0]}:config.txt")
    assert os.environ["ELRUSO_WORKSPACE"] == str(repository)


def forms(value: str) -> set[str]:
    """A value as a log line or a dump may hold it: as it is, inside JSON, and either as COPY writes it."""
    plain = {value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    return plain | {form.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t") for form in plain}


def _leaking(name: str, script: Path) -> tuple[str, TaskCreated]:
    steps = [Step("leak", f'python3 {script} {name}; echo "it was ${name}" | tail -c 300')]
    return f"t-{name}", TaskCreated("a task", steps=steps, params={"secrets": [name]})


async def _ended(tasks: Ledger, done: int) -> bool:
    return await tasks.statuses() == {"done": done, "blocked": 1}
