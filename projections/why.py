"""Why is a task not running?

The answer is a list of reasons, the decisive one first; each has a code, the facts behind it, and a sentence. A task
that nothing holds back has the reason `next` or `ahead`: it is a runner's turn.
"""

from datetime import datetime
from typing import Any

import msgspec
from asyncpg import Pool, Record
from msgspec import Struct, field

from events.rfc3339 import rfc3339
from events.statements import load_statements
from projections.runners import ONLINE_SECONDS

AHEAD_MAX = 1000  # tasks that are counted ahead of this one
PARENTS_MAX = 20

_sql = load_statements("projections", "why.sql")

SENTENCES = {
    "paused": "the system was paused by {by}; resume it with POST /ops/system/resume",
    "waiting": "it waits for {count} task(s) that are not done",
    "scheduled": "it is scheduled: it does not start before {until}",
    "resting": "attempt {attempts} of {max_attempts} failed; the next one is due at {until}",
    "no_runner": "no runner is online; start one with `elruso runner start`",
    "draining": "all runners online ({count}) are draining; resume one (POST /runners/{{id}}/resume) or start another",
    "unfit": "no runner online can work: {runner} is unfit, {problem}; it resumes by itself once that is fixed",
    "ahead": "{count} task(s) are ahead of it",
    "next": "nothing holds it back; the next runner with a free slot takes it",
    "running": "it is running: run {run_id} on {runner}",
    "silent": "its runner {runner} is unseen for {seconds} s; the sweep takes the task back when its lease ends",
    "blocked": "it is blocked: {error}; requeue it when that is mended",
    "blocked_by_parent": "it is blocked because of task {parent}: {error}; requeueing that one frees it",
    "failed": "its last run failed: {error}; requeue it to try again",
    "done": "it is done",
    "cancelled": "it was cancelled; requeue it to run it after all",
}


class Parent(Struct, frozen=True):
    """A task that another one waits for."""

    id: str
    title: str
    status: str


class Reason(Struct, frozen=True):
    """One thing that decides whether a task runs. `detail` says it in a sentence."""

    code: str
    detail: str
    facts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, code: str, **facts: Any) -> "Reason":
        """The reason with its sentence."""
        return cls(code, SENTENCES[code].format(**facts), facts)


class Why(Struct, frozen=True):
    """The whole answer. `waits_for` names parents that are not done, PARENTS_MAX of them at most."""

    task_id: str
    status: str
    reasons: list[Reason]
    waits_for: list[Parent]


async def explain_task(pool: Pool, task_id: str, online_seconds: float = ONLINE_SECONDS) -> Why | None:
    """Why this task is not running (or that it is), or None when there is no such task."""
    task = await pool.fetchrow(_sql["look_at_task"], task_id, online_seconds, AHEAD_MAX)
    if task is None:
        return None
    parents: list[Parent] = []
    if task["waiting_on"] and task["status"] in ("ready", "blocked"):
        rows = await pool.fetch(_sql["list_unfinished_parents"], task_id, PARENTS_MAX)
        parents = [Parent(*row.values()) for row in rows]
    reasons = _why_waiting(task) if task["status"] == "ready" else [_why_not_ready(task)]
    return Why(task_id, task["status"], reasons, parents)


def _why_waiting(task: Record) -> list[Reason]:
    """Everything that keeps a ready task from its runner."""
    reasons = []
    if task["waiting_on"]:
        reasons.append(Reason.of("waiting", count=task["waiting_on"]))
    if task["paused"]:
        facts = {"reason": task["pause_reason"], "since": _stamp(task["paused_at"])}
        reasons.append(Reason.of("paused", by=task["paused_by"], **facts))
    if task["rests"]:
        reasons.append(_why_not_due(task))
    if not task["online"]:
        reasons.append(Reason.of("no_runner"))
    elif not task["idle"] and task["unfit"]:
        reasons.append(Reason.of("unfit", count=task["unfit"], **msgspec.json.decode(task["fault"])))
    elif task["online"] == task["draining"]:
        reasons.append(Reason.of("draining", count=task["draining"]))
    if not task["waiting_on"] and not task["rests"] and task["ahead"]:
        reasons.append(Reason.of("ahead", count=task["ahead"], or_more=task["ahead"] >= AHEAD_MAX))
    return reasons or [Reason.of("next")]


def _why_not_due(task: Record) -> Reason:
    """After a failed attempt a task rests; without one, somebody wanted it to start later."""
    until = _stamp(task["next_run_at"])
    if not task["attempts"]:
        return Reason.of("scheduled", until=until)
    facts = {"attempts": task["attempts"], "max_attempts": task["max_attempts"], "error": task["last_error"]}
    return Reason.of("resting", until=until, **facts)


def _why_not_ready(task: Record) -> Reason:
    match task["status"]:
        case "running":
            seconds = task["unseen_seconds"]
            if seconds is not None and seconds > ONLINE_SECONDS:
                return Reason.of("silent", runner=task["claimed_by"], seconds=round(seconds), run_id=task["run_id"])
            return Reason.of(
                "running", run_id=task["run_id"], runner=task["claimed_by"], since=_stamp(task["claimed_at"])
            )
        case "blocked" if task["blocked_parent"]:
            return Reason.of("blocked_by_parent", parent=task["blocked_parent"], error=task["last_error"] or "?")
        case "blocked" | "failed":
            return Reason.of(task["status"], error=task["last_error"] or "no reason was given")
        case _:
            return Reason.of(task["status"], at=_stamp(task["finished_at"]))


def _stamp(at: datetime | None) -> str | None:
    return rfc3339(at) if at else None
