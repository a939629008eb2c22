"""One run, from a claimed task to its outcome."""

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from events import catalog
from events.errors import InvalidInput, LeaseLost
from events.task import TaskDone, TaskFailed
from runner.execute import execute
from runner.handlers import Handlers, Task
from runner.outcome import Outcome
from runner.process_group import is_alive
from runner.run import Context
from runner.workspace.fitness import Unfit
from tests.runner.conftest import GitCommand
from tests.runner.recording import SECRET, Claimed, Recorder, claim, context, shell
from tests.runner.working import is_alive as process_is_alive
from tests.support.waiting import eventually


def done(outcome: Outcome) -> TaskDone:
    """The event of a run that must have succeeded."""
    assert isinstance(outcome.event, TaskDone), outcome.event
    return outcome.event


def failed(outcome: Outcome) -> TaskFailed:
    """The event of a run that must have failed."""
    assert isinstance(outcome.event, TaskFailed), outcome.event
    return outcome.event


def recorder(of: Context) -> Recorder:
    """What was reported."""
    assert isinstance(of.reporter, Recorder)
    return of.reporter


# ------------------------------------------------------------------------------------------------ shell


async def test_a_shell_task_is_done(tmp_path: Path, repository: Path, git: GitCommand) -> None:
    """Three steps leave a commit on the task's branch, three reported steps and their output."""
    setup = context(tmp_path, repository)
    outcome = await execute(shell("echo one", "echo two > new", "cat new >&2"), setup)
    event, seen = done(outcome), recorder(setup)
    assert (event.run_id, event.branch, event.summary) == (7, "task/T1", "3 steps; 1 file changed, +1 -0")
    assert event.commit_hash == git("rev-parse", "task/T1")
    assert "Task: T1\nRun: 7" in git("log", "-1", "--format=%B", "task/T1")
    assert [(file.path, file.added) for file in event.file_changes] == [("new", 1)]
    assert [(start.run_id, start.branch) for start in seen.starts] == [(7, "task/T1")]
    assert [(step.number, step.exit_code, step.output_excerpt) for step in seen.steps] == [
        (1, 0, "one\n"),
        (2, 0, ""),
        (3, 0, "two\n"),
    ]
    assert seen.chunks == [(1, "stdout", "one\n"), (3, "stderr", "two\n")]
    assert "+two" in outcome.patch
    assert "new | 1 +" in outcome.diffstat


async def test_the_first_failure_stops(tmp_path: Path, repository: Path, git: GitCommand) -> None:
    """Later steps do not run; the error quotes the last line; the changes are told and the branch stays put."""
    setup = context(tmp_path, repository)
    outcome = await execute(shell("echo x > new", "echo no such luck; exit 3", "echo never"), setup)
    event = failed(outcome)
    assert outcome.retry
    assert event.error == "step 2 (step 2): exit code 3: no such luck"
    assert [file.path for file in event.file_changes] == ["new"]
    assert git("show", f"{event.commit_hash}:new") == "x"
    assert git("for-each-ref", "refs/heads/task") == ""
    assert [step.exit_code for step in recorder(setup).steps] == [0, 3]


async def test_steps_know_their_task_and_nothing_else(tmp_path: Path) -> None:
    """A step sees its task and run and what was granted, but not the runner's own secrets."""
    parent = dict(os.environ) | {"DATABASE_URL": "postgres://runner"}
    setup = context(tmp_path, environment=parent, granted={"API_KEY": "granted-key"})
    await execute(shell("echo $ELRUSO_TASK_ID $ELRUSO_RUN_ID $API_KEY [$DATABASE_URL]"), setup)
    assert recorder(setup).text == "T1 7 granted-key []\n"


async def test_no_secret_reaches_a_report(tmp_path: Path, repository: Path) -> None:
    """Commands, output, excerpts, errors, patches and titles are redacted."""
    setup = context(tmp_path, repository)
    outcome = await execute(shell(f"echo {SECRET} | tee leaked; exit 1", title=f"use {SECRET}"), setup)
    seen = recorder(setup)
    told = [msgspec.json.encode([outcome, seen.steps]).decode(), seen.text]
    assert not [text for text in told if SECRET in text]
    assert "[redacted]" in seen.text


async def test_ten_megabytes_of_output_are_a_bounded_report(tmp_path: Path) -> None:
    """The event carries 4 KiB and the true size, the log about 1 MiB."""
    setup = context(tmp_path)
    done(await execute(shell("head -c 10000000 /dev/zero"), setup))
    [step] = recorder(setup).steps
    assert (step.output_bytes, step.truncated) == (10_000_000, True)
    assert len((step.output_excerpt or "").encode()) <= 4096
    assert len(recorder(setup).text.encode()) < 1_100_000
    assert "\0" not in recorder(setup).text


async def test_a_step_that_forks_and_hangs_ends(tmp_path: Path) -> None:
    """A child that ignores SIGTERM and holds stdout open neither hangs the run nor survives it, nor do its children."""
    pids = tmp_path / "pids"
    stubborn = (
        f"(trap '' TERM; sleep 60 & echo $$ $BASHPID $! > {pids}; wait) & until [ -s {pids} ]; do sleep 0.01; done"
    )
    done(await asyncio.wait_for(execute(shell(stubborn), context(tmp_path)), 30))
    group, *family = map(int, pids.read_text().split())
    assert not is_alive(group)
    assert [] == [pid for pid in family if process_is_alive(pid)]


async def test_a_step_that_takes_too_long_fails(tmp_path: Path) -> None:
    """A step's own timeout is its failure, without an exit code."""
    setup = context(tmp_path)
    slow = [{"name": "slow", "cmd": "sleep 60", "timeout_seconds": 0.2}]
    outcome = await execute(claim(steps=slow), setup)
    assert failed(outcome).error == "step 1 (slow): timed out after 0.2 s"
    assert [(step.exit_code, step.error) for step in recorder(setup).steps] == [(None, "timed out after 0.2 s")]


async def test_the_timeout_of_the_task_covers_all_steps(tmp_path: Path) -> None:
    """Steps that are quick enough one by one fail together when the task's time is used up."""
    outcome = await execute(shell("sleep 0.1", "sleep 60", timeout_seconds=0.4), context(tmp_path))
    assert failed(outcome).error == "step 2 (step 2) was stopped: the task's timeout of 0.4 s has passed"
    assert outcome.retry


async def test_cancellation_leaves_nothing(tmp_path: Path, repository: Path, git: GitCommand) -> None:
    """A cancelled run is cancelled; its processes, its worktree and its unfinished work are gone."""
    pid = tmp_path / "pid"
    script = f"echo x > new; echo $$ > {pid}; sleep 60 & sleep 60"
    running = asyncio.create_task(execute(shell(script), context(tmp_path, repository)))
    await eventually(lambda: pid.exists() and pid.read_text().endswith("\n"), describe="the step's pid")
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not is_alive(int(pid.read_text()))
    assert git("for-each-ref", "refs/heads/task") == ""
    assert list((tmp_path / "runs").iterdir()) == []


async def test_a_lost_lease_stops_the_run(tmp_path: Path, repository: Path, git: GitCommand) -> None:
    """When the reporter says that the run was taken away, its step dies and there is no outcome."""
    setup = context(tmp_path, repository)
    recorder(setup).refuse = LeaseLost("run 7 is over")
    with pytest.raises(LeaseLost):
        await execute(shell("echo hello; sleep 60"), setup)


async def test_many_runs_at_once(tmp_path: Path, repository: Path) -> None:
    """Eight tasks in one repository are all done."""
    setup = context(tmp_path, repository)
    tasks = [shell(f"echo {n} > file{n}", task_id=f"T{n}", run_id=n) for n in range(1, 9)]
    outcomes = await asyncio.gather(*(execute(task, setup) for task in tasks))
    assert [done(outcome).file_changes[0].path for outcome in outcomes] == [f"file{n}" for n in range(1, 9)]


# ------------------------------------------------------------------------------------- what must come of it


async def test_accepted_work_is_done(tmp_path: Path, repository: Path) -> None:
    """Expected files exist and checks pass; a check is reported as a step, and what it leaves is not the work."""
    setup = context(tmp_path, repository)
    acceptance = {"expected_files": ["new"], "checks": [{"name": "x", "cmd": "grep -q x new && touch trace"}]}
    event = done(await execute(shell("echo x > new", acceptance=acceptance), setup))
    assert [step.name for step in recorder(setup).steps] == ["step 1", "check: x"]
    assert [file.path for file in event.file_changes] == ["new"]


@pytest.mark.parametrize(
    ("acceptance", "complaint"),
    [
        ({"expected_files": ["README.md", "missing"]}, "expected files are missing: missing"),
        ({"expected_files": ["outside"]}, "expected files are missing: outside"),
        ({"checks": [{"name": "no", "cmd": "exit 4"}]}, "step 2 (check: no): exit code 4"),
    ],
)
async def test_work_that_is_not_accepted_fails(
    tmp_path: Path, repository: Path, git: GitCommand, acceptance: dict[str, Any], complaint: str
) -> None:
    """A missing file, a link that leads out and a failing check each fail the run; the branch stays put."""
    setup = context(tmp_path, repository)
    outcome = await execute(shell("ln -s /etc/passwd outside", acceptance=acceptance), setup)
    assert failed(outcome).error == complaint
    assert outcome.retry
    assert git("for-each-ref", "refs/heads/task") == ""


async def test_a_change_outside_the_scope_fails(tmp_path: Path, repository: Path, git: GitCommand) -> None:
    """The offending files are named, also untracked ones and both ends of a rename."""
    task = shell("echo x > src/fine; echo y > stray; mv README.md src/R.md", allowed_scope=["src/**"])
    error = failed(await execute(task, context(tmp_path, repository))).error
    assert error == "changed files outside allowed_scope (src/**): README.md, stray"
    assert git("for-each-ref", "refs/heads/task") == ""


@pytest.mark.parametrize(
    "wrong",
    [{"allowed_scope": ["../other"]}, {"allowed_scope": ["/etc"]}, {"acceptance": {"expected_files": ["../x"]}}],
)
async def test_paths_that_lead_out_fail_before_any_step(
    tmp_path: Path, repository: Path, wrong: dict[str, Any]
) -> None:
    """A scope or an expected file outside the workspace is refused at once, and not tried again."""
    setup = context(tmp_path, repository)
    outcome = await execute(shell("touch ran", **wrong), setup)
    assert "inside the workspace" in failed(outcome).error
    assert not outcome.retry
    assert recorder(setup).steps == []


async def test_a_workspace_without_git_is_a_clear_error(tmp_path: Path) -> None:
    """The error says what to do; it is the runner's and not the task's; nothing is left behind."""
    plain = tmp_path / "plain"
    plain.mkdir()
    with pytest.raises(Unfit, match=f"{plain} is not a git repository: run `git init`"):
        await execute(shell("touch here"), context(tmp_path, plain))
    assert (list(plain.iterdir()), list((tmp_path / "runs").iterdir())) == ([], [])


async def test_without_a_workspace_steps_run_in_a_directory_of_their_own(tmp_path: Path) -> None:
    """The scratch directory is empty at first and shared by the steps of one run."""
    setup = context(tmp_path)
    event = done(await execute(shell("ls -A; echo x > file", "cat file"), setup))
    assert recorder(setup).text == "x\n"
    assert (event.branch, event.commit_hash, [file.path for file in event.file_changes]) == (None, None, ["file"])


# ------------------------------------------------------------------------------------------- the other kinds


async def test_nothing_to_execute_is_no_success(tmp_path: Path) -> None:
    """A task without steps, on a runner without an agent, fails for good and says what is missing."""
    for task in (claim(), claim(task_type="shell"), claim(task_type="agent"), claim(task_type="python")):
        outcome = await execute(task, context(tmp_path))
        assert "needs" in failed(outcome).error
        assert not outcome.retry


async def test_a_task_without_steps_is_a_prompt_for_the_agent(tmp_path: Path, repository: Path) -> None:
    """The agent gets title, body, params, scope and acceptance on stdin and works in the worktree."""
    setup = context(tmp_path, repository, agent="cat > prompt.md; echo thinking; echo I did it")
    task = claim(
        title="Write a poem",
        body="About trains.",
        params={"lines": 4},
        allowed_scope=["*.md"],
        acceptance={"expected_files": ["prompt.md"], "checks": [{"name": "long", "cmd": "test -s prompt.md"}]},
    )
    outcome = await execute(task, setup)
    assert done(outcome).summary == "thinking\nI did it; 1 file changed, +13 -0"
    for part in ("# Write a poem", "About trains.", '"lines": 4', "*.md", "must exist: prompt.md", "test -s prompt.md"):
        assert part in outcome.patch


async def test_an_agent_that_cannot_be_found_fails(tmp_path: Path) -> None:
    """The shell's own words are in the error."""
    outcome = await execute(claim(task_type="agent"), context(tmp_path, agent="no-such-agent --print"))
    assert "exit code 127" in failed(outcome).error


async def test_echo_returns_its_params(tmp_path: Path) -> None:
    """An echo task is done with its params as the result, and touches no disk."""
    event = done(await execute(claim(task_type="echo", params={"a": [1, SECRET]}), context(tmp_path)))
    assert (event.result, event.summary) == ({"a": [1, "[redacted]"]}, "a task")
    assert not (tmp_path / "runs").exists()


async def test_an_unreadable_definition_fails_for_good(tmp_path: Path) -> None:
    """A definition of a shape this runner does not know is an outcome, not a crash."""
    outcome = await execute(Claimed("T1", 7, 1, msgspec.Raw(b'{"title": 1}')), context(tmp_path))
    assert "cannot be read" in failed(outcome).error
    assert not outcome.retry


# ------------------------------------------------------------------------------------------------ python

handlers = Handlers()


@handlers.task("noop")
async def noop(task: Task) -> None:
    """Do nothing."""


@handlers.task("describe")
async def describe(task: Task) -> dict[str, Any]:
    """Tell what was given."""
    return {"id": task.id, "run": task.run_id, "params": task.params, "directory": task.directory is not None}


@handlers.task("write", workspace=True)
async def write(task: Task) -> str:
    """Change a file of the workspace."""
    assert task.directory is not None
    (task.directory / "written").write_text("x\n")
    return "\0 written"


@handlers.task("raise")
async def fail(task: Task) -> None:
    """Fail as the params say."""
    raised: BaseException = {
        "value": ValueError(f"bad {SECRET}"),
        "input": InvalidInput("never"),
        "exit": SystemExit(3),
        "cancelled": asyncio.CancelledError(),
        "timeout": TimeoutError("mine"),
    }[task.params["how"]]
    raise raised


@handlers.task("return")
async def give_back(task: Task) -> Any:
    """Return something that is no JSON."""
    return {"object": object(), "surrogate": "\ud800", "huge": "x" * 300_000}[task.params["what"]]


@handlers.task("sleep")
async def wait_for_ever(task: Task) -> None:
    """Never return."""
    await asyncio.Event().wait()


def python(name: str, root: Path, repository: Path | None = None, **definition: Any) -> tuple[Claimed, Context]:
    """A claimed task for a handler, and a context that knows the handlers of this module."""
    params = {"handler": name} | definition.pop("params", {})
    return claim(task_type="python", params=params, **definition), context(root, repository, handlers=handlers)


async def test_a_handler_is_called(tmp_path: Path, repository: Path) -> None:
    """It is given the task and returns the result, and takes no workspace."""
    event = done(await execute(*python("describe", tmp_path, repository)))
    assert event.result == {"id": "T1", "run": 7, "params": {"handler": "describe"}, "directory": False}
    assert event.branch is None
    assert not (tmp_path / "runs").exists()


async def test_a_handler_with_a_workspace_gets_one(tmp_path: Path, repository: Path, git: GitCommand) -> None:
    """Registered with workspace=True it works in a worktree; a NUL in its result is made harmless."""
    event = done(await execute(*python("write", tmp_path, repository)))
    assert event.result == "\ufffd written"
    assert git("show", "task/T1:written") == "x"


async def test_acceptance_gives_any_handler_a_workspace(tmp_path: Path, repository: Path) -> None:
    """A task that says which files must exist is looked at in a worktree."""
    task, setup = python("describe", tmp_path, repository, acceptance={"expected_files": ["nothing"]})
    assert failed(await execute(task, setup)).error == "expected files are missing: nothing"


@pytest.mark.parametrize(
    ("how", "error", "retry"),
    [
        ("value", "ValueError: bad [redacted]", True),
        ("input", "InvalidInput: never", False),
        ("exit", "SystemExit: 3", True),
        ("cancelled", "handler raise was cancelled by something it called", True),
        ("timeout", "TimeoutError: mine", True),
    ],
)
async def test_whatever_a_handler_raises_is_its_failure(tmp_path: Path, how: str, error: str, retry: bool) -> None:
    """Even SystemExit and a stray cancellation end the run and not the runner; the traceback is in the output."""
    task, setup = python("raise", tmp_path, params={"how": how}, timeout_seconds=30)
    outcome = await execute(task, setup)
    assert (failed(outcome).error, outcome.retry) == (error, retry)
    assert how == "cancelled" or "Traceback" in recorder(setup).text
    assert SECRET not in recorder(setup).text


@pytest.mark.parametrize("what", ["object", "surrogate", "huge"])
async def test_a_result_that_cannot_be_stored_fails_for_good(tmp_path: Path, what: str) -> None:
    """What is no JSON, no UTF-8, or too large is refused before it reaches anybody's batch."""
    task, setup = python("return", tmp_path, params={"what": what})
    outcome = await execute(task, setup)
    assert "the handler returned" in failed(outcome).error
    assert not outcome.retry


async def test_a_handler_that_takes_too_long_fails(tmp_path: Path) -> None:
    """The task's timeout cancels the handler."""
    outcome = await execute(*python("sleep", tmp_path, timeout_seconds=0.1))
    assert failed(outcome).error == "the task's timeout of 0.1 s has passed"


async def test_a_cancelled_handler_is_cancelled(tmp_path: Path) -> None:
    """Cancelling the run cancels its handler and comes through."""
    running = asyncio.create_task(execute(*python("sleep", tmp_path, timeout_seconds=30)))
    await asyncio.wait({running}, timeout=0.05)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_an_unknown_handler_may_be_known_elsewhere(tmp_path: Path) -> None:
    """The error lists the known ones; another runner may take the next attempt."""
    outcome = await execute(*python("unheard-of", tmp_path))
    assert "no handler 'unheard-of' on this runner (it knows describe, noop, raise" in failed(outcome).error
    assert outcome.retry


async def test_a_no_op_handler_is_cheap(tmp_path: Path) -> None:
    """A no-op run never gives the event loop a turn: what runs by the thousand costs no task switch."""
    with pytest.raises(StopIteration) as ended:
        execute(*python("noop", tmp_path)).send(None)
    done(ended.value.value)


# ------------------------------------------------------------------------------------------------ limits


async def test_long_names_are_reported(tmp_path: Path, repository: Path) -> None:
    """A path of 2 800 characters and a check whose name has 1 000: all that is reported keeps to the log's limits."""
    folders = "/".join([name * 200 for name in "abcdefghijklmn"])
    step = f"mkdir -p {folders} && echo deep > {folders}/file"
    setup = context(tmp_path, repository)
    outcome = await execute(shell(step, acceptance={"checks": [{"name": "n" * 1000, "cmd": "true"}]}), setup)
    [change] = done(outcome).file_changes
    assert f"{folders}/file" == change.path
    for event in (outcome.event, *recorder(setup).steps):
        msgspec.json.decode(catalog.encode(event), type=type(event))  # within every limit
