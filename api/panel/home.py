"""The first page: is it healthy, what goes on, and what needs the operator now."""

import asyncio
from typing import Any

from msgspec import Struct
from starlette.responses import Response

from api.errors import RouteUnknown
from api.panel.charts import chart_activity
from api.panel.moments import percent, span
from api.panel.paper import render
from api.panel.planner import look_at_planner
from api.panel.runners import fault_text
from api.panel.visit import Visit
from events.errors import NotFound
from events.log import last_seq
from projections.horizon import Holder
from projections.runs import RunQuery
from projections.tasks import TaskQuery

LATEST = 8
RUNNERS = 6
UNFIT_SHOWN = 3
COUNTED_MAX = 100  # pending directives that are counted
OLD_SECONDS = 24 * 3600.0  # the runbook's limit for a task that waits
FAIL_RATE = 0.2  # the runbook's limit for the share of failed runs
STATUSES = ("ready", "running", "blocked", "failed", "done", "cancelled")


class Need(Struct, frozen=True):
    """Something that waits for the operator: how grave, in a sentence, and where to deal with it."""

    grave: bool
    text: str
    path: str


async def show_home(visit: Visit) -> Response:
    """Counts, the last day, runners, what runs, what ended, and what needs the operator now."""
    board = visit.board
    seq = await last_seq(visit.deps.pool)
    metrics, system, runners, activity = await asyncio.gather(
        board.metrics(), board.system(), board.glance_at_runners(RUNNERS), board.activity()
    )
    running, latest, undecided, holders = await asyncio.gather(
        board.tasks(TaskQuery(status="running"), LATEST),
        board.runs(RunQuery(), LATEST),
        board.count_undecided(COUNTED_MAX),
        board.holders(),
    )
    requests = await visit.deps.credentials.list_requests()
    asked = [
        ("need.pending", undecided, "/panel/directives?status=PENDING"),
        (
            "need.requests",
            sum(each["status"] == "WAITING" and each["opened_at"] is not None for each in requests),
            "/panel/setup",
        ),
    ]
    needs = find_needs(visit, metrics, system, runners.lost)
    needs += [
        Need(
            True, visit.text("need.unfit", id=each.id, fault=fault_text(visit, each.code, each.path)), "/panel/runners"
        )
        for each in runners.unfit[:UNFIT_SHOWN]
    ]
    problem = visit.deps.credentials.file_problem()
    needs += [Need(True, visit.text("need.requests_file", detail=problem), "/panel/setup")] if problem else []
    needs += [Need(True, visit.text("need.holder", **_told(holder)), "/panel#live-needs") for holder in holders[:1]]
    needs += [Need(False, visit.text(key, count=count), path) for key, count, path in asked if count]
    return render(
        visit,
        "home.html",
        seq=seq,
        metrics=metrics,
        system=system,
        runners=runners.online,
        chart=chart_activity(activity),
        running=running[0],
        latest=latest[0],
        needs=needs,
        planner=await look_at_planner(visit),
        listener=visit.deps.listener.mode,
        statuses=STATUSES,
    )


def find_needs(visit: Visit, metrics: dict[str, Any], system: dict[str, Any], lost: int) -> list[Need]:
    """What needs the operator now, the gravest first. `lost` runners are gone with the tasks that they hold."""
    tasks, runs, oldest = metrics["tasks"], metrics["runs"], metrics["backlog"]["oldest_ready_age_seconds"]
    online = metrics["runners"]["online"]
    rate = runs["fail_rate_last_20"] or 0.0
    possible = [
        (
            not online and tasks["ready"],
            True,
            "need.no_runner",
            {"count": tasks["ready"]},
            "/panel/runners",
        ),
        (
            online and online == metrics["runners"]["draining"] and tasks["ready"],
            True,
            "need.draining",
            {"count": tasks["ready"], "online": online},
            "/panel/runners",
        ),
        (lost, True, "need.lost_runner", {"count": lost}, "/panel/runners"),
        (system["paused"] and tasks["ready"], True, "need.paused", {"count": tasks["ready"]}, "/panel#pause"),
        (tasks["blocked"], True, "need.blocked", {"count": tasks["blocked"]}, "/panel/tasks?status=blocked"),
        (tasks["failed"], True, "need.failed", {"count": tasks["failed"]}, "/panel/tasks?status=failed"),
        (
            rate > FAIL_RATE,
            True,
            "need.fail_rate",
            {"rate": percent(rate, visit.language)},
            "/panel/runs?status=failed",
        ),
        ((oldest or 0) > OLD_SECONDS, False, "need.old", {"age": span(oldest)}, "/panel/tasks?status=ready"),
        (visit.deps.listener.mode != "listening", False, "need.deaf", {}, "/panel/runners"),
    ]
    return [Need(grave, visit.text(key, **facts), path) for true, grave, key, facts, path in possible if true]


def _told(holder: Holder) -> dict[str, str]:
    name = holder.name if holder.pid is None else f"{holder.name} (pid {holder.pid})"
    return {"name": name, "age": span(holder.seconds), "remedy": holder.remedy}


async def show_nothing(visit: Visit, rest: str) -> Response:
    """There is no such page; `/panel/` with its slash is the first one."""
    if not rest:
        return visit.go("/panel")
    raise NotFound(f"there is no page {rest[:200]}")


async def show_unknown(visit: Visit) -> Response:
    """Nothing is served at this address, inside the panel or outside it. Raises RouteUnknown."""
    raise RouteUnknown(f"there is no page {visit.request.url.path[:200]}")


class PauseForm(Struct, frozen=True, forbid_unknown_fields=True):
    """Why nothing shall be handed out."""

    reason: str | None = None


async def pause(visit: Visit, form: PauseForm) -> Response:
    """Hand out no work until resumed."""
    await visit.deps.commands.pause(form.reason, visit.actor)
    return visit.go("/panel", visit.text("pause.paused"))


async def resume(visit: Visit) -> Response:
    """Hand out work again."""
    await visit.deps.commands.resume(visit.actor)
    return visit.go("/panel", visit.text("pause.resumed"))
