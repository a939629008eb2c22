"""Runners: who is there, since when, and what each holds."""

import asyncio
from typing import Annotated, Any

from msgspec import Meta, Struct
from starlette.responses import Response

from api.panel.paper import address, render
from api.panel.texts import MESSAGES
from api.panel.visit import Visit
from api.wire.field import Line, RunnerId
from events.log import last_seq
from projections.briefs import TaskBrief
from projections.tasks import TaskQuery

HELD_MAX = 200
PER_PAGE = 60  # of those that are online
OFFLINE_SHOWN = 50


class RunnerView(Struct, frozen=True, forbid_unknown_fields=True):
    """Behind how many of those that are online the page begins; `past`: with those of past starts."""

    after: Annotated[int, Meta(ge=0, le=1000)] = 0
    past: bool = False


async def list_runners(visit: Visit, query: RunnerView) -> Response:
    """A page of the runners that are online with what they hold, by name; those long gone are counted, not listed."""
    seq = await last_seq(visit.deps.pool)
    runners, (running, _, _) = await asyncio.gather(
        visit.board.runners(past=query.past), visit.board.tasks(TaskQuery(status="running"), HELD_MAX)
    )
    held: dict[str, list[TaskBrief]] = {}
    for task in running:
        held.setdefault(task.claimed_by or "", []).append(task)
    online = sorted((each for each in runners if each["status"] == "online"), key=lambda each: str(each["id"]))
    end = query.after + PER_PAGE
    offline = [runner for runner in runners if runner["status"] != "online"]
    return render(
        visit,
        "runners.html",
        seq=seq,
        online=online[query.after : end],
        next=len(online) > end and address("/panel/runners", after=end, past=query.past and "1"),
        first=query.after and address("/panel/runners", past=query.past and "1"),
        past=query.past,
        drain_state=drain_state,
        fault_text=fault_text,
        offline=offline[:OFFLINE_SHOWN],
        left_out=max(0, len(offline) - OFFLINE_SHOWN),
        held=held,
        listener=visit.deps.listener.mode,
    )


def drain_state(runner: dict[str, Any]) -> str:
    """ "draining" while a runner that shall claim no more still holds tasks, then "drained"; else "online"."""
    if runner["draining_since"] is None:
        return "online"
    return "draining" if runner["running"] else "drained"


def fault_text(visit: Visit, code: object, path: object) -> str:
    """What makes a runner unfit, in the reader's language."""
    key = f"fault.{code}"
    return visit.text(key if key in MESSAGES else "fault.other", path=str(path or "?"))


class DrainForm(Struct, frozen=True, forbid_unknown_fields=True):
    """Why the runner shall claim no more."""

    reason: Line | None = None


async def drain(visit: Visit, runner_id: RunnerId, form: DrainForm) -> Response:
    """Hand this runner nothing more."""
    await visit.deps.commands.runners.drain(runner_id, form.reason, visit.actor)
    return visit.go("/panel/runners", visit.text("runner.drains", id=runner_id))


async def resume(visit: Visit, runner_id: RunnerId) -> Response:
    """Hand this runner work again."""
    await visit.deps.commands.runners.resume(runner_id, visit.actor)
    return visit.go("/panel/runners", visit.text("runner.resumed", id=runner_id))
