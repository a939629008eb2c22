"""What the tests of the runner need: a reporter that remembers, a claim, a context, a command's output."""

import os
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from events.run_state import RunState
from events.task import TaskCreated, TaskDone, TaskStarted, TaskStep
from runner.outcome import Outcome
from runner.output import Stream
from runner.redact import Redactor
from runner.run import Context
from runner.workspace import Workspaces

SECRET = "correct-horse-battery"


class Claimed(Struct, frozen=True):
    """A claimed task without a database."""

    task_id: str
    run_id: int
    attempt: int
    definition: msgspec.Raw


class Recorder:
    """A Reporter that keeps everything; `refuse` is raised by the next output."""

    def __init__(self) -> None:
        self.starts: list[TaskStarted] = []
        self.steps: list[TaskStep] = []
        self.chunks: list[tuple[int, Stream, str]] = []
        self.ends: list[Outcome] = []
        self.refuse: Exception | None = None

    async def started(self, task_id: str, event: TaskStarted) -> None:
        self.starts.append(event)

    async def step(self, task_id: str, event: TaskStep) -> None:
        self.steps.append(event)

    async def output(self, run_id: int, step: int, stream: Stream, text: str) -> None:
        if self.refuse is not None:
            raise self.refuse
        self.chunks.append((step, stream, text))

    async def end(self, run_id: int, outcome: Outcome) -> None:
        self.ends.append(outcome)

    async def confirmed_end(self, run_id: int, outcome: Outcome) -> RunState | None:
        self.ends.append(outcome)
        status = "done" if isinstance(outcome.event, TaskDone) else "failed"
        return RunState(status, "T1", outcome.event.commit_hash)

    @property
    def text(self) -> str:
        return "".join(text for _, _, text in self.chunks)


def claim(task_id: str = "T1", run_id: int = 7, **definition: Any) -> Claimed:
    """A claimed task of the given definition."""
    created = msgspec.convert({"title": "a task"} | definition, TaskCreated)
    return Claimed(task_id, run_id, 1, msgspec.Raw(msgspec.json.encode(created)))


def shell(*commands: str, **definition: Any) -> Claimed:
    """A claimed shell task with one step per command."""
    steps = [{"name": f"step {number}", "cmd": command} for number, command in enumerate(commands, 1)]
    return claim(steps=steps, **definition)


def context(root: Path, repository: Path | None = None, **more: Any) -> Context:
    """A context with a Recorder, whose runs live below `root`."""
    settings: dict[str, Any] = {
        "reporter": Recorder(),
        "workspaces": Workspaces(root / "runs", repository, dict(os.environ)),
        "redactor": Redactor([SECRET]),
        "environment": dict(os.environ),
    }
    return Context(**(settings | more))
