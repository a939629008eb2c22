"""What the planner knows of the project: the memory files, and what the views say now."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from events.directives import Definitions
from ops.memory import memory_file
from projections.views import Views

CONTEXT = "GPT_CONTEXT.md"
DECISIONS = "DECISIONS.md"
BACKLOG = 200  # ready tasks looked at
FEW = 30  # of everything else
RUNS = 20
FAILURES = 5  # runs whose steps are read


class KnownTask(Struct, frozen=True):
    """What of a task the model is told."""

    id: str
    title: str
    status: str
    phase: str | int | None = None
    priority: int = 100
    attempts: int = 0
    max_attempts: int = 4
    depends_on: list[str] = field(default_factory=list)
    last_error: str | None = None
    directive_id: str | None = None


class KnownRequest(Struct, frozen=True):
    """What of a request the model is told: never a value."""

    id: str
    status: str
    service: str | None = None
    purpose: str | None = None
    reason: str | None = None
    scopes: list[str] = field(default_factory=list)


class KnownPlan(Struct, frozen=True):
    """A task that a directive plans."""

    title: str


class KnownDirective(Struct, frozen=True):
    """What of a directive the model is told."""

    id: str
    title: str
    status: str
    tasks_to_create: list[KnownPlan] = field(default_factory=list)
    reason: str | None = None


class KnownStep(Struct, frozen=True):
    """A step of a failed run."""

    name: str
    exit_code: int | None = None
    cmd: str | None = None
    output_excerpt: str | None = None
    error: str | None = None


class KnownRun(Struct, frozen=True):
    """A run, with its steps if it failed."""

    id: str
    task_id: str
    status: str
    finished_at: str | None = None
    summary: str | None = None
    error: str | None = None
    steps: list[KnownStep] = field(default_factory=list)


class Material(Struct, frozen=True, kw_only=True):
    """Everything a prompt is made of; lists with the newest or most urgent first."""

    environment: str = "production"
    context: str = ""
    decisions: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    ready: list[KnownTask] = field(default_factory=list)
    running: list[KnownTask] = field(default_factory=list)
    blocked: list[KnownTask] = field(default_factory=list)
    failed: list[KnownTask] = field(default_factory=list)
    done: list[KnownTask] = field(default_factory=list)
    requests: list[KnownRequest] = field(default_factory=list)
    pending: list[KnownDirective] = field(default_factory=list)
    decided: list[KnownDirective] = field(default_factory=list)
    runs: list[KnownRun] = field(default_factory=list)


_tasks = msgspec.json.Decoder(list[KnownTask])
_requests = msgspec.json.Decoder(list[KnownRequest])
_directives = msgspec.json.Decoder(list[KnownDirective])
_runs = msgspec.json.Decoder(list[KnownRun])
_run = msgspec.json.Decoder(KnownRun)
_metrics = msgspec.json.Decoder(dict[str, Any])


async def gather(views: Views, workspace: Path | None, environment: str, defined: Definitions) -> Material:
    """Read it all, as it is now. `defined` are the requests of REQUESTS.json: nobody may have asked for them yet."""
    runs, latest, pending = await asyncio.gather(
        views.runs(limit=RUNS), views.directives(limit=FEW), views.directives(status="PENDING", limit=FEW)
    )
    ready, *others = await asyncio.gather(
        _find(views, "ready", BACKLOG),
        *(_find(views, status, FEW) for status in ("running", "blocked", "failed", "done")),
    )
    running, blocked, failed, done = others
    metrics, requests, looked_into = await asyncio.gather(
        views.metrics(), views.requests(), _with_steps(views, _runs.decode(runs.data))
    )
    return Material(
        environment=environment,
        context=await asyncio.to_thread(_read, workspace, CONTEXT),
        decisions=await asyncio.to_thread(_read, workspace, DECISIONS),
        metrics=_metrics.decode(metrics),
        ready=ready,
        running=running,
        blocked=blocked,
        failed=failed,
        done=done,
        requests=_with_defined(_requests.decode(requests), defined),
        pending=_directives.decode(pending.data),
        decided=[directive for directive in _directives.decode(latest.data) if directive.status != "PENDING"],
        runs=looked_into,
    )


async def _find(views: Views, status: str, limit: int) -> list[KnownTask]:
    return _tasks.decode((await views.tasks(status=status, limit=limit)).data)


def _with_defined(asked: list[KnownRequest], defined: Definitions) -> list[KnownRequest]:
    known = {request.id for request in asked}
    unasked = {name: each for name, each in defined.items() if name not in known}
    return asked + [
        KnownRequest(name, "WAITING", each.service, each.purpose, scopes=list(each.scopes))
        for name, each in unasked.items()
    ]


async def _with_steps(views: Views, runs: list[KnownRun]) -> list[KnownRun]:
    """The runs, the first failed ones with their steps."""
    failed = [run.id for run in runs if run.status == "failed"][:FAILURES]
    whole = {run_id: await views.run(int(run_id)) for run_id in failed}
    return [_run.decode(whole[run.id] or b"") if whole.get(run.id) else run for run in runs]


def _read(workspace: Path | None, name: str) -> str:
    """A memory file; empty when there is none."""
    try:
        return memory_file(workspace, name).read_text("utf-8", errors="replace")
    except OSError:
        return ""
