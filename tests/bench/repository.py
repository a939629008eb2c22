"""Starting and ending a run in a large repository, beside plain git doing the same: a worktree, a change, a commit."""

import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

from events.run_state import RunState
from runner.redact import Redactor
from runner.workspace import WorkspacePolicy, Workspaces
from tests.bench.measure import Row, by_turns
from tests.bench.plan import Plan
from tests.bench.report import Result
from tests.bench.server import Bench

CHANGED_FILES = 20
FOLDERS, SUBFOLDERS = 50, 20


class Sample(Struct, frozen=True):
    """Milliseconds from nothing to the first step, and from the last step to everything put away."""

    start: float
    end: float

    @property
    def both(self) -> float:
        """What a run costs besides its steps."""
        return self.start + self.end


async def run(_bench: Bench, plan: Plan) -> Result:
    """By turns: plain git, a run in a new working copy, a run in one that was used before. Needs no database."""
    with _project(plan.sizes.repository_files, plan.sizes.repository_commits) as project:
        home = project.parent
        cold = _workspaces(home / "cold", project, copies=0)
        warm = _workspaces(home / "warm", project, copies=1)
        numbers = iter(range(1, 1_000_000))
        await _measure_run(warm, next(numbers))  # makes the copy
        sides: dict[str, Callable[[], Awaitable[Sample]]] = {
            "git": lambda: _measure_git(project, next(numbers)),
            "cold": lambda: _measure_run(cold, next(numbers)),
            "warm": lambda: _measure_run(warm, next(numbers)),
        }
        samples = await by_turns(plan.runs, sides, plan.says("repository"))
        await cold.close()
        await warm.close()
    rows = [
        _row(f"{what}, {name} working copy", samples[side], samples["git"], value)
        for side, name in (("cold", "new"), ("warm", "reused"))
        for what, value in (("start", _start), ("end", _end), ("both", _both))
    ]
    title = f"a run in a repository of {plan.sizes.repository_files:,} files, {plan.sizes.repository_commits:,} commits"
    facts = {"files": plan.sizes.repository_files, "changed": CHANGED_FILES}
    return Result("repository", title, "git worktree add, add, commit, diff, worktree remove", rows, {}, facts)


def _start(sample: Sample) -> float:
    return sample.start


def _end(sample: Sample) -> float:
    return sample.end


def _both(sample: Sample) -> float:
    return sample.both


def _row(what: str, ours: list[Sample], baseline: list[Sample], value: Callable[[Sample], float]) -> Row:
    return Row(what, "ms", [value(each) for each in ours], [value(each) for each in baseline], better="lower")


async def _measure_run(places: Workspaces, number: int) -> Sample:
    began = time.perf_counter()
    async with places.open(f"T{number}", number) as workspace:
        opened = time.perf_counter()
        _change(workspace.directory, number)
        worked = time.perf_counter()
        changes = await workspace.snapshot("bench", Redactor())
        assert len(changes.files) == CHANGED_FILES
        await workspace.finish(RunState("done", f"T{number}", changes.commit_hash))
    return Sample((opened - began) * 1000, (time.perf_counter() - worked) * 1000)


async def _measure_git(project: Path, number: int) -> Sample:
    place = project.parent / f"plain-{number}"
    began = time.perf_counter()
    _git(project, "worktree", "add", "--quiet", "-b", f"plain/{number}", str(place))
    opened = time.perf_counter()
    _change(place, number)
    worked = time.perf_counter()
    _git(place, "add", "--all")
    _git(place, "commit", "--quiet", "--message=bench")
    _git(place, "diff", "--numstat", "HEAD^", "HEAD")
    _git(place, "diff", "HEAD^", "HEAD")
    _git(project, "worktree", "remove", "--force", str(place))
    return Sample((opened - began) * 1000, (time.perf_counter() - worked) * 1000)


def _change(directory: Path, number: int) -> None:
    chosen = random.Random(number).sample(sorted(directory.glob("d1/e*/*.txt")), CHANGED_FILES)
    for path in chosen:
        path.write_text(f"changed by {number}\n")


def _workspaces(home: Path, project: Path, copies: int) -> Workspaces:
    return Workspaces(home / "runs", project, dict(os.environ), WorkspacePolicy(copies=copies))


@contextmanager
def _project(files: int, commits: int) -> Iterator[Path]:
    """A repository made by fast-import, checked out, below a folder that is removed afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="elruso-bench-repository-"))
    try:
        project = folder / "project"
        project.mkdir()
        _git(project, "init", "--quiet", "--initial-branch=main")
        subprocess.run(
            ["git", "fast-import", "--quiet"], cwd=project, input=_history(files, commits).encode(), check=True
        )
        _git(project, "reset", "--quiet", "--hard")
        yield project
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _history(files: int, commits: int) -> str:
    """`files` files, spread over `commits` commits, for fast-import."""
    lines = []
    for file in range(files):
        content = f"file {file}\n"
        lines.append(f"blob\nmark :{file + 1}\ndata {len(content)}\n{content}")
    share = -(-files // commits)
    for commit in range(commits):
        mark = files + 1 + commit
        lines.append(f"commit refs/heads/main\nmark :{mark}\ncommitter A <a@localhost> {1_700_000_000 + commit} +0000")
        lines.append("data 1\nc")
        if commit:
            lines.append(f"from :{mark - 1}")
        added = range(commit * share, min(files, (commit + 1) * share))
        lines += [f"M 100644 :{file + 1} {_path(file)}" for file in added]
    return "\n".join(lines) + "\n"


def _path(file: int) -> str:
    return f"d{file % FOLDERS}/e{file // FOLDERS % SUBFOLDERS}/f{file}.txt"


def _git(directory: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Bench", "-c", "user.email=bench@localhost", "-c", "gc.auto=0")
    subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True)
