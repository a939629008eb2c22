"""A runner whose workspace, home or disk is unfit claims nothing, says so, and charges nothing to its tasks."""

import asyncio
import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from api.wire.runner import Release
from events.connect import Database
from events.releases import UNFIT
from events.task import Step, TaskCreated
from projections.why import Why, explain_task
from runner.git import GitFailed
from runner.http_link import HttpLink
from runner.postgres_link import PostgresLink
from runner.redact import Redactor
from runner.run import Context, RunFailed
from runner.worker import Worker
from runner.workspace import Workspaces
from runner.workspace.fitness import Fitness, Unfit
from tests.api.serving import serving
from tests.runner.working import Ledger, Working, settings
from tests.support.waiting import eventually


@asynccontextmanager
async def working_in(url: str, home: Path, repository: Path | None, **more: Any) -> AsyncIterator[Working]:
    """A runner whose runs work in this repository. `url`: of the database, or of an API."""
    environment = dict(os.environ)
    workspaces = Workspaces(home / "runs", repository, environment)
    context = Context(workspaces=workspaces, redactor=Redactor([]), environment=environment)
    chosen = settings(**more)
    opening = HttpLink(url, None, chosen) if url.startswith("http") else PostgresLink(Database(url), chosen)
    async with opening as link:
        worker = Worker(link, context, chosen)
        work = Working(worker, asyncio.create_task(worker.run()))
        try:
            yield work
        finally:
            await work.stop()


async def test_a_workspace_that_vanishes_blocks_nothing(
    database: str, tasks: Ledger, tmp_path: Path, repository: Path
) -> None:
    """While it is away the runner is unfit and says so; when it is back all tasks are done, at their first attempt."""
    away = tmp_path / "away"
    steps = [
        Step("wait", f"until [ -e {tmp_path}/go ]; do sleep 0.02; done"),
        Step("work", "echo $ELRUSO_TASK_ID > new"),
    ]
    await tasks.add(*[(f"t{number}", TaskCreated("a task", steps=steps)) for number in range(20)])
    async with working_in(database, tmp_path / "home", repository, concurrency=4, lease_seconds=30):
        await eventually(lambda: _started(tasks, 4))
        _swap(repository, away)
        (tmp_path / "go").touch()
        fault = await eventually(lambda: _fault(tasks), describe="the runner says that it is unfit")
        assert ("missing", str(repository)) == (fault["code"], fault["path"])
        why = await eventually(lambda: _why_unfit(tasks), describe="why says so")
        assert str(repository) in why.reasons[0].detail
        assert set() == (await tasks.statuses()).keys() - {"ready", "running"}
        _swap(away, repository)
        await eventually(lambda: _all_done(tasks, 20), deadline=60)
        await eventually(lambda: _is_fit(tasks), describe="the runner says that it is fit again")
    assert 1 == await tasks.connection.fetchval("SELECT max(attempts) FROM view.tasks")
    reasons = "SELECT DISTINCT data->>'reason' LIKE $1 || '%' FROM log.events WHERE type = 'task.requeued'"
    assert [True] == [row[0] for row in await tasks.connection.fetch(reasons, UNFIT)]


def _swap(here: Path, there: Path, leaves: bool = False) -> None:
    """Move a workspace, over an empty folder; `leaves` such a folder in its place."""
    here.rename(there)
    if leaves:
        here.mkdir()


async def _started(tasks: Ledger, number: int) -> bool:
    return bool(
        number == await tasks.connection.fetchval("SELECT count(*) FROM view.running WHERE started_at IS NOT NULL")
    )


async def _fault(tasks: Ledger) -> Any:
    text = await tasks.connection.fetchval("SELECT meta->'unfit' FROM view.runners")
    return text and msgspec.json.decode(text)


async def _is_fit(tasks: Ledger) -> bool:
    return await _fault(tasks) is None


async def _why_unfit(tasks: Ledger) -> Why | None:
    ready = await tasks.connection.fetchval(
        "SELECT id FROM view.tasks WHERE status = 'ready' ORDER BY created_seq LIMIT 1"
    )
    async with Database(tasks.url).pool(1) as pool:
        why = ready and await explain_task(pool, ready)
    return why if why and why.reasons[0].code == "unfit" else None


async def _all_done(tasks: Ledger, number: int) -> bool:
    return {"done": number} == await tasks.statuses()


@pytest.mark.parametrize("way", ["postgres", "http"])
async def test_a_runner_that_begins_unfit_claims_nothing(
    database: str, tasks: Ledger, tmp_path: Path, repository: Path, way: str
) -> None:
    """One whose workspace is no repository leaves the tasks alone, and begins once that is mended."""
    away = tmp_path / "away"
    _swap(repository, away, leaves=True)
    await tasks.shell(3, "echo > new")
    async with serving(database) as api, working_in(api.url if way == "http" else database, tmp_path, repository):
        await eventually(lambda: _fault(tasks))
        assert {"ready": 3} == await tasks.statuses()
        _swap(away, repository)
        await eventually(lambda: _all_done(tasks, 3), deadline=60)
        await eventually(lambda: _is_fit(tasks))
    assert 3 == await tasks.connection.fetchval("SELECT count(*) FROM log.events WHERE type = 'task.claimed'")


async def test_a_task_that_fails_in_a_fit_workspace_is_charged(
    database: str, tasks: Ledger, tmp_path: Path, repository: Path
) -> None:
    """A failure that is the task's own costs an attempt, also when the task says that the disk is full."""
    await tasks.shell(1, "echo No space left on device >&2; exit 1")
    async with working_in(database, tmp_path / "home", repository):
        await eventually(lambda: _failed(tasks))
    assert "exit code 1" in await tasks.connection.fetchval("SELECT last_error FROM view.tasks")


async def _failed(tasks: Ledger) -> bool:
    return "failed" in await tasks.types("t1")


async def test_a_task_that_makes_every_runner_unfit_is_charged_in_the_end(database: str, tasks: Ledger) -> None:
    """Three times in a row are free; then each costs an attempt."""
    await tasks.shell(1, "true")
    await tasks.commands.runner_started("r", {}, "runner:r", 60)
    attempts = []
    for number in range(5):
        await tasks.connection.execute("UPDATE view.scheduled SET due_at = now()")
        [claimed] = (await tasks.commands.claim("r", 1, "runner:r")).tasks
        await tasks.commands.release("r", [claimed.run_id], f"{UNFIT}: fault {number}", "runner:r")
        attempts.append(await tasks.connection.fetchval("SELECT attempts FROM view.tasks"))
    assert [0, 0, 0, 1, 2] == attempts


Break = Callable[[Path, Path], None]


def _no_home(home: Path, _: Path) -> None:
    home.mkdir()
    (home / "runs").touch()


def _no_workspace(_: Path, repository: Path) -> None:
    repository.rename(repository.with_name("away"))


def _file_for_a_workspace(_: Path, repository: Path) -> None:
    _no_workspace(_, repository)
    repository.touch()


def _no_git_directory(_: Path, repository: Path) -> None:
    shutil.rmtree(repository / ".git")


def _no_commit(_: Path, repository: Path) -> None:
    _no_git_directory(_, repository)
    subprocess.run(["git", "init", "--quiet"], cwd=repository, check=True)


def _broken_head(_: Path, repository: Path) -> None:
    (repository / ".git" / "HEAD").write_text("nonsense")


BREAKS: dict[Break, str] = {
    _no_home: "missing",
    _no_workspace: "missing",
    _file_for_a_workspace: "missing",
    _no_git_directory: "not_a_repository",
    _no_commit: "not_a_repository",
    _broken_head: "not_a_repository",
}


async def test_many_may_check_at_once(tmp_path: Path, repository: Path) -> None:
    """Runs that fail together share a check, or begin their own after it."""
    fitness = Fitness(tmp_path / "runs", repository, dict(os.environ))
    _no_workspace(tmp_path, repository)
    judged = await asyncio.gather(*(fitness.judge(RunFailed("exit code 1")) for _ in range(20)), return_exceptions=True)
    assert {Unfit} == {type(each) for each in judged}


@pytest.mark.parametrize("fault", BREAKS, ids=lambda fault: str(fault.__name__))
async def test_each_fault_is_found(tmp_path: Path, repository: Path, fault: Break) -> None:
    """A fit place has no fault; a broken one has the fault's code, and a path that is there to be mended."""
    home = tmp_path / "home"
    fitness = Fitness(home / "runs", repository, dict(os.environ))
    assert await fitness.check() is None
    shutil.rmtree(home)
    fault(home, repository)
    found = await fitness.check()
    assert found is not None
    assert BREAKS[fault] == found.code, found


async def test_a_fault_can_be_written_to_the_log(tmp_path: Path) -> None:
    """A path of any bytes, and a message of any length, end as text that the log can hold."""
    missing = tmp_path / os.fsdecode(b"caf\xe9 \xff")
    found = await Fitness(tmp_path / "runs", missing, dict(os.environ)).check()
    assert found is not None
    assert "missing" == found.code
    assert str(tmp_path) in found.path
    found.detail.encode()
    found.path.encode()
    with pytest.raises(Unfit) as unfit:
        await Fitness(tmp_path / "runs", None, {}).judge(GitFailed("Input/output error\0\udcff\n" * 1000))
    reason = unfit.value.detail
    assert (
        reason == msgspec.convert({"runner_id": "r", "reason": reason}, Release).reason
    )  # as a runner over HTTP sends it


@contextmanager
def _small_disk(path: Path, options: str) -> Iterator[None]:
    """A file system of its own at `path`, if this machine lets us mount one."""
    path.mkdir(exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", str(path)], capture_output=True)
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.mark.parametrize(("options", "code"), [("size=64k", "full"), ("size=64m,ro", "read_only")])
async def test_a_disk_that_takes_nothing_is_found(options: str, code: str) -> None:
    """A full disk, and one that was mounted read-only."""
    home = Path(tempfile.mkdtemp(prefix="elruso-"))
    try:
        with _small_disk(home, options):
            found = await Fitness(home / "runs", None, dict(os.environ)).check()
    finally:
        os.rmdir(home)  # noqa: PTH106
    assert found is not None
    assert code == found.code, found


async def test_a_full_disk_for_temporary_files_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each step's input is a temporary file: without room for it no step can start."""
    small = Path(tempfile.mkdtemp(prefix="elruso-"))
    with _small_disk(small, "size=64k"):
        monkeypatch.setattr(tempfile, "tempdir", str(small))
        (small / "filling").write_bytes(b"x" * 64 * 1024)
        found = await Fitness(tmp_path / "runs", None, dict(os.environ)).check()
    os.rmdir(small)  # noqa: PTH106
    assert found is not None
    assert ("full", str(small)) == (found.code, found.path), found


@pytest.mark.parametrize(
    "failure",
    [
        *(OSError(number, os.strerror(number)) for number in (errno.EIO, errno.ENOSPC, errno.ESTALE, errno.EROFS)),
        GitFailed("git fetch: fatal: write error: No space left on device"),
        GitFailed("git rev-parse: fatal: Input/output error"),
    ],
    ids=str,
)
async def test_machine_faults_are_not_the_task_s(tmp_path: Path, failure: Exception) -> None:
    """An error that no task can cause counts as the machine's, even if it has passed by the time of the check."""
    with pytest.raises(Unfit, match=UNFIT):
        await Fitness(tmp_path / "runs", None, {}).judge(failure)


@pytest.mark.parametrize(
    "failure",
    [
        RunFailed("step 1 (one): exit code 1: No space left on device"),
        GitFailed('git add: error: open("x"): Permission denied'),
        PermissionError(errno.EACCES, "Permission denied"),
        ValueError("wrong"),
    ],
    ids=str,
)
async def test_task_faults_stay_the_task_s(tmp_path: Path, failure: Exception) -> None:
    """What a task can cause is its own fault in a place that is fit."""
    await Fitness(tmp_path / "runs", None, {}).judge(failure)
