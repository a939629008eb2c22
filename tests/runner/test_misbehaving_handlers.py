"""Handlers that misbehave in every way that Python has: their runs fail, and the runner goes on with the next task."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from msgspec import Struct

from events.task import TaskCreated
from ops.postgres.server import Server
from tests.runner import misbehaving
from tests.runner.working import ROOT, Ledger, ledger
from tests.support.postgres import create_database, drop_database, ensure_template
from tests.support.waiting import eventually, eventually_now

TIMEOUT = {"timeout_seconds": 0.3}
FORKED = ("done", "70")
# How a behaviour ends: what stands in the error of its run, or ("done", its result as JSON).
ENDS: dict[str, str | tuple[str, str | None]] = {
    "cancels itself": "was cancelled by something it called",
    "cancels itself and returns": ("done", "returned"),
    "cancels itself often": ("done", None),
    "has its slot cancelled when idle": ("done", None),
    "ignores its timeout": "and its handler ignores that it was cancelled",
    "returns after its timeout": "timeout of 0.3 s has passed",
    "blocks past its timeout": "timeout of 0.3 s has passed",
    "raises at its timeout": "timeout of 0.3 s has passed",
    "awaits a task that exits": "SystemExit: 4",
    "gathers an interrupt": "KeyboardInterrupt",
    "groups an interrupt": "KeyboardInterrupt",
    "leaves a task that exits": ("done", None),
    "leaves a task that never ends": ("done", None),
    "exits in a callback": ("done", None),
    "stops the loop": ("done", None),
    "closes the loop": "RuntimeError",
    "exits in a thread": "SystemExit: 5",
    "awaits garbage": "RuntimeError",
    "awaits what cannot be interrupted": "Odd: interrupted",
    "forks a child that returns": FORKED,
    "forks a child that raises": FORKED,
    "forks a child that awaits": FORKED,
    "forks in a task": FORKED,
    "forks in a thread": FORKED,
    "returns a set of objects": "not JSON",
    "returns a coroutine": "not JSON",
    "returns half a character": "not JSON",
    "returns a deep list": "not JSON",
    "returns a huge number": "not JSON",
    "returns too much": "bytes of JSON",
    "returns a strange dict": ("done", '{"a":1}'),
    "takes signals": ("done", None),
}
RAISES = [(what, later) for what in misbehaving.RAISED for later in (False, True)]


class Case(Struct, frozen=True):
    """What one task asks of which handler."""

    handler: str
    params: dict[str, Any]
    more: dict[str, Any] = {}

    def task(self) -> TaskCreated:
        """The task. It has one attempt, so one that a failure costs is all it has."""
        params = {"handler": self.handler, **self.params}
        return TaskCreated("a task", task_type="python", params=params, max_attempts=1, **self.more)


CASES = {
    "takes more": Case("takes more", {}),
    **{f"raises {what} {later}": Case("raises", {"what": what, "later": later}) for what, later in RAISES},
    **{what: Case("behaves", {"what": what}, TIMEOUT if "timeout" in what else {}) for what in ENDS},
}
FINE = Case("fine", {})


class Runner(Struct, frozen=True):
    """A real runner of one slot."""

    process: "subprocess.Popen[bytes]"
    log: Path


@contextmanager
def one_slot(url: str, home: Path) -> Iterator[Runner]:
    """`elruso runner run` with the misbehaving handlers; killed with the block."""
    own = {"DATABASE_URL": url, "ELRUSO_HOME": str(home), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "ops", "runner", "run", "--concurrency", "1", "--handlers", misbehaving.__name__]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, env=os.environ | own, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield Runner(process, home / "log")
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def ends(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, asyncpg.Record]:
    """How all cases ended, by task, in one runner; after each of them comes a task `next …` that is fine."""
    return asyncio.run(_run_all(postgres, tmp_path_factory.mktemp("home")))


async def _run_all(postgres: Server, home: Path) -> dict[str, asyncpg.Record]:
    await ensure_template(postgres)
    name = await create_database(postgres)
    pairs = [pair for what, case in CASES.items() for pair in ((what, case.task()), (f"next {what}", FINE.task()))]
    async with ledger(postgres.url(name)) as tasks:
        await tasks.add(*pairs)
        with one_slot(tasks.url, home) as runner:
            await eventually(lambda: _all_ended(runner, tasks, len(pairs)), deadline=90, describe=f"see {runner.log}")
        rows = await tasks.connection.fetch(
            "SELECT t.id, t.status, t.attempts, e.data->>'error' AS error, e.data->>'result' AS result "
            "FROM view.tasks t LEFT JOIN log.events e ON e.kind = 'task' AND e.id = t.id "
            "AND e.type IN ('task.done', 'task.failed')"
        )
    await drop_database(postgres, name)
    return {row["id"]: row for row in rows}


async def _all_ended(runner: Runner, tasks: Ledger, number: int) -> bool:
    """True as well when the runner has died: then tests of the tasks that it did not reach fail."""
    statuses = await tasks.statuses()
    return runner.process.poll() is not None or statuses.get("done", 0) + statuses.get("blocked", 0) == number


@pytest.mark.parametrize("what", CASES)
def test_the_next_task_runs_in_the_same_runner(ends: dict[str, asyncpg.Record], what: str) -> None:
    """The run ends as it deserves; a failure costs an attempt; the next task is done."""
    end, following = ends[what], ends[f"next {what}"]
    expected = _expected(what)
    if isinstance(expected, str):
        assert expected in str(end["error"]), dict(end)
    else:
        assert expected == (end["status"], end["result"]), dict(end)
    assert 1 == end["attempts"]
    assert ("done", "fine") == (following["status"], following["result"]), dict(following)


def _expected(what: str) -> str | tuple[str, str | None]:
    if what in ENDS:
        return ENDS[what]
    if what == "takes more":
        return "TypeError"
    kind = CASES[what].params["what"]
    special = {"StopIteration": "RuntimeError", "CancelledError": "was cancelled by something it called"}
    return special.get(kind) or type(misbehaving.RAISED[kind]()).__name__


def test_every_behaviour_has_an_expected_end() -> None:
    """None is left out."""
    assert set(misbehaving.BEHAVIOURS) == ENDS.keys() | {"blocks for long", "blocks a thread for long"}


@pytest.mark.parametrize("what", ["ignores its timeout", "blocks for long", "blocks a thread for long"])
async def test_sigterm_ends_a_runner_whatever_its_handlers_do(database: str, tmp_path: Path, what: str) -> None:
    """A handler that swallows its cancellation, or blocks, does not keep the runner from ending."""
    mark = tmp_path / "mark"
    with one_slot(database, tmp_path) as runner:
        async with ledger(database) as tasks:
            await tasks.add(("bad", Case("behaves", {"what": what, "mark": str(mark)}).task()))
            await eventually(mark.exists)
        eventually_now(lambda: _is_ended_by_sigterm(runner), deadline=20)


def _is_ended_by_sigterm(runner: Runner) -> bool:
    """One signal is enough, in time; a second one leaves it less."""
    if runner.process.poll() is None:
        runner.process.terminate()
    return runner.process.poll() is not None
