"""One story told to a stack: tasks on a branch, a fault on the way, recovery, and everything that must hold then."""

import asyncio
import itertools
import secrets
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from tests.faults.points import Found, Point, Story
from tests.faults.stack import LEASE_SECONDS, Stack
from tests.support.operator_repository import (
    OperatorState,
    broken_objects,
    differences,
    operator_state,
    run_git,
)
from tests.support.processes import command_of, is_alive, kill, parent_of, processes_with
from tests.support.waiting import eventually as await_condition
from tests.support.waiting import outlast

OUTAGE_SECONDS = LEASE_SECONDS + 1.0
SETTLE_SECONDS = 90.0
CLEAN_SECONDS = 30.0
MOST_ATTEMPTS = 30  # a busy machine costs some: with so short a lease a slow heartbeat takes a run away
FINAL = {"done", "failed", "blocked", "cancelled"}
LINE = "mas"


eventually = partial(await_condition, poll_seconds=0.05)  # a check asks the database, or looks at every process


class Verdict(Struct):
    """What became of one point. `reached`: the fault happened; `symptoms`: what did not hold, one sentence each."""

    point: Point | None
    reached: bool = False
    symptoms: list[str] = field(default_factory=list)
    seconds: float = 0.0
    runner_log: str = ""
    calls: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """The point with its symptoms."""
        return "\n    ".join([str(self.point or "no fault"), *self.symptoms])


class Scenario:
    """Plays points on one stack, one after another, each with tasks and a branch of its own."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._names = itertools.count(1)

    async def discover(self, story: Story) -> tuple[Found, Verdict]:
        """Play a story undisturbed, twice; the shorter way counts: no statement to prepare, no branch to wait for."""
        calls, messages, symptoms = [], [], []
        for _ in range(2):
            verdict = await self._play(story, None)
            calls.append(len(self._stack.git.calls()))
            messages.append(len(self._stack.proxy.messages))
            symptoms += verdict.symptoms
        return Found(story, min(calls), min(messages)), Verdict(None, symptoms=symptoms)

    async def play(self, point: Point) -> Verdict:
        """Play one point; a stack that is not itself afterwards is repaired by the next one."""
        await self._stack.ensure_running()
        return await self._play(point.story, point)

    async def _play(self, story: Story, point: Point | None) -> Verdict:
        self._stack.git.reset()
        self._stack.proxy.reset()
        logged = len(self._stack.log_of("runner"))
        verdict = await Stage(self._stack, story, f"p{next(self._names)}").play(point)
        verdict.runner_log = self._stack.log_of("runner")[logged:]
        verdict.calls = [f"{call.number} {call.arguments}" for call in self._stack.git.calls()]
        return verdict


class Stage:
    """One story on its branch."""

    def __init__(self, stack: Stack, story: Story, name: str) -> None:
        self._stack = stack
        self._story = story
        self._branch = f"branch-{name}"
        self._gate = stack.gates / name
        name = f"{name}-{secrets.token_hex(3)}"
        self._tasks = [f"{name}-a", f"{name}-b"] if story == "chain" else [f"{name}-f"]
        self._base = run_git(stack.project, "rev-parse", "HEAD")
        self._before: OperatorState = operator_state(stack.project)

    async def play(self, point: Point | None) -> Verdict:
        """Create the tasks, strike, recover, look."""
        verdict = Verdict(point)
        clock = asyncio.get_running_loop()
        begun = clock.time()
        self._gate.mkdir()
        if point is None or not point.is_in_step:
            self._open_gate()
        try:
            if point is not None:
                self._arm(point)
            await self._create(with_daemon=point is not None and point.is_in_step)
            if point is not None:
                await self._wait_and_strike(point, verdict)
            verdict.symptoms += await self._look()
        except AssertionError as problem:
            verdict.symptoms.append(str(problem))
        finally:
            self._disarm()
            await self._stack.stop_relief()
            await self._end_what_remains()
        verdict.seconds = clock.time() - begun
        return verdict

    # ------------------------------------------------------------------ the story

    async def _create(self, with_daemon: bool) -> None:
        daemon = f"setsid sleep 300 >{self._gate}/daemon 2>&1 & " if with_daemon else ""
        step = (
            f"{daemon}echo {LINE} >> a.txt; touch {self._gate}/in.$ELRUSO_RUN_ID; "
            f"until [ -e {self._gate}/open ]; do sleep 0.05; done"
        )
        previous: list[str] = []
        for task_id in self._tasks:
            commands = [step, "exit 3"] if self._story == "failing" else [step, f"grep -qx {LINE} a.txt"]
            definition: dict[str, Any] = {
                "id": task_id,
                "title": "append one line",
                "branch": self._branch,
                "depends_on": previous,
                "max_attempts": 1 if self._story == "failing" else MOST_ATTEMPTS,
                "steps": [{"name": f"step {number}", "cmd": cmd} for number, cmd in enumerate(commands, 1)],
            }
            await self._stack.create_task(definition)
            previous = [task_id]

    def _open_gate(self) -> None:
        (self._gate / "open").touch()

    def _runs_inside(self) -> list[int]:
        return [int(file.suffix[1:]) for file in self._gate.glob("in.*")]

    async def _is_settled(self) -> bool:
        statuses = await self._stack.statuses(*self._tasks)
        return len(statuses) == len(self._tasks) and set(statuses.values()) <= FINAL

    # ------------------------------------------------------------------ the fault

    def _arm(self, point: Point) -> None:
        if point.place == "git-before":
            self._stack.git.arm(point.number, "before")
        elif point.place == "git-after":
            self._stack.git.arm(point.number, "after")
        elif point.place == "message":
            self._stack.proxy.arm(point.number)

    def _is_held(self) -> bool:
        return bool(self._stack.git.is_holding or self._stack.proxy.held.is_set() or self._is_in_step())

    def _is_in_step(self) -> bool:
        return bool(self._runs_inside()) and not (self._gate / "open").exists()

    async def _wait_and_strike(self, point: Point, verdict: Verdict) -> None:
        async def comes_by() -> bool:
            return self._is_held() or await self._is_settled()

        await eventually(comes_by, SETTLE_SECONDS, "a run that reaches the point or ends")
        verdict.reached = self._is_held()
        if verdict.reached:
            inside = self._runs_inside()
            await self._strike(point)
            if point.place == "step" and point.takes_the_run_away:
                verdict.symptoms += await self._overlaps(inside)
        self._disarm()

    async def _strike(self, point: Point) -> None:
        """The fault, and whatever an operator or his supervisor starts again after it."""
        stack, fault = self._stack, point.fault
        begun = len(await stack.runs(*self._tasks))
        if fault in ("runner", "runner-late"):
            await stack.kill_runner()
            if fault == "runner":
                stack.git.release(passed=False)
            await self._outlast(point)
            await stack.start_runner()
            if fault == "runner-late":
                await self._let_next_attempt_begin(begun)
        elif fault == "git":
            stack.git.release(passed=False)
        elif fault in ("step", "shell"):
            self._kill_step(only_shell=fault == "shell")
        elif fault.startswith("postmaster"):
            await stack.kill_postmaster()
            await self._outlast(point)
            await stack.start_postgres()
        elif fault.startswith("api"):
            await stack.kill_api()
            await self._outlast(point)
            await stack.start_api()
        else:
            await self._disconnect(point, begun)

    async def _disconnect(self, point: Point, begun: int) -> None:
        proxy = self._stack.proxy
        if point.fault == "silence":
            proxy.silence()
        else:
            proxy.cut()
        await self._outlast(point)
        if point.fault == "takeover":
            await self._stack.start_relief()
            await self._let_next_attempt_begin(begun)
        proxy.mend()

    async def _outlast(self, point: Point) -> None:
        if point.place == "step-end":
            self._open_gate()
        if point.fault.endswith("-long") or point.fault == "silence":
            await outlast(OUTAGE_SECONDS)

    async def _let_next_attempt_begin(self, begun: int) -> None:
        """Until a run after the first `begun` is claimed, or none will be, or the held git ended with its runner."""

        async def has_begun() -> bool:
            if len(await self._stack.runs(*self._tasks)) > begun or await self._is_settled():
                return True
            return self._stack.git.is_holding and not is_alive(self._stack.git.held_pid)

        await eventually(has_begun, SETTLE_SECONDS, "a next attempt")

    def _kill_step(self, only_shell: bool) -> None:
        marked = self._processes_of(self._runs_inside())
        for pid in marked:
            if not only_shell or parent_of(pid) not in marked:
                kill(pid)

    async def _overlaps(self, inside: list[int]) -> list[str]:
        """Before the steps may go on: a run that the log has taken away must be gone when the next one works."""

        async def has_next() -> bool:
            return len(await self._stack.runs(self._tasks[0])) > len(inside) or await self._is_settled()

        try:
            await eventually(has_next, OUTAGE_SECONDS + LEASE_SECONDS, "a next attempt")
        except AssertionError:
            return []  # the run is still the holder, and goes on
        lost = [run for run in inside if run != (await self._stack.runs(self._tasks[0]))[-1]]
        return await self._end_of_processes(lost)

    def _disarm(self) -> None:
        self._open_gate()
        self._stack.git.release()
        self._stack.proxy.release()
        self._stack.proxy.mend()

    # ------------------------------------------------------------------ what must hold

    async def _look(self) -> list[str]:
        symptoms = []
        try:
            await eventually(self._is_settled, SETTLE_SECONDS)
        except AssertionError:
            symptoms.append(f"no end within {SETTLE_SECONDS:g} s: {await self._stack.statuses(*self._tasks)}")
        symptoms += await self._log_symptoms()
        symptoms += await self._end_of_processes(await self._stack.runs(*self._tasks))
        remaining: list[str] = []

        async def is_clean() -> bool:
            remaining[:] = await self._git_symptoms()
            return not remaining

        try:
            await eventually(is_clean, CLEAN_SECONDS)
        except AssertionError:
            symptoms += remaining
        return symptoms

    async def _log_symptoms(self) -> list[str]:
        events = await self._stack.events(*self._tasks)
        symptoms = []
        for task_id in self._tasks:
            types = [kind for task, kind, _ in events if task == task_id]
            ended = types.count("done")
            expected = 0 if self._story == "failing" else 1
            if ended != expected:
                last = next((data.get("error") for _, kind, data in reversed(events) if kind == "failed"), None)
                symptoms.append(f"{task_id}: {ended} task.done instead of {expected}; last error: {last}")
            if types.count("claimed") != types.count("requeued") + 1:
                symptoms.append(f"{task_id}: {types.count('claimed')} runs, {types.count('requeued')} taken back")
        return symptoms

    async def _git_symptoms(self) -> list[str]:
        events = await self._stack.events(*self._tasks)
        ends = [data for _, kind, data in events if kind == "done"]
        return await asyncio.to_thread(self._compare_git, ends)

    def _compare_git(self, ends: list[dict[str, Any]]) -> list[str]:
        project, branch = self._stack.project, f"refs/heads/{self._branch}"
        symptoms = differences(self._before, operator_state(project), {branch}) + broken_objects(project)
        said = [end.get("commit_hash") for end in ends]
        tip = run_git(project, "for-each-ref", "--format=%(objectname)", branch)
        commits = run_git(project, "rev-list", "--reverse", f"{self._base}..{tip}").split() if tip else []
        if commits != said:
            symptoms.append(f"the log ends runs with the commits {said}, the branch has {commits}")
        lines = run_git(project, "show", f"{tip}:a.txt").split() if commits else []
        if lines != [LINE] * len(ends):
            symptoms.append(f"a.txt has {lines.count(LINE)} lines after {len(ends)} task.done")
        return symptoms + [f"{path} is left" for path in leftovers(self._stack.home)]

    async def _end_of_processes(self, runs: list[int]) -> list[str]:
        """Nothing of these runs may live on."""
        try:
            await eventually(lambda: not self._processes_of(runs), CLEAN_SECONDS)
        except AssertionError:
            return [f"process {pid} lives on: {command_of(pid)}" for pid in self._processes_of(runs)]
        return []

    def _processes_of(self, runs: list[int]) -> list[int]:
        """The marks that a runner puts into the environment of steps. Run ids are a database's own: tasks are not."""
        return processes_with(ELRUSO_TASK_ID=self._tasks, ELRUSO_RUN_ID=[str(run) for run in runs])

    async def _end_what_remains(self) -> None:
        for pid in self._processes_of(await self._stack.runs(*self._tasks)):
            kill(pid)


def leftovers(home: Path) -> list[Path]:
    """Run directories that are not removed: runs/TASK.RUN, as runner/run_directory.py names them."""
    runs = home / "runs"
    return [path for path in runs.glob("*.*") if path.is_dir() and path.suffix[1:].isdigit()] if runs.is_dir() else []
