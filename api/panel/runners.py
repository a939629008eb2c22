"""Runners: who is there, since when, and what each holds."""

import asyncio

from starlette.responses import Response

from api.panel.paper import render
from api.panel.visit import Visit
from events.log import last_seq
from projections.briefs import TaskBrief
from projections.tasks import TaskQuery

HELD_MAX = 200
OFFLINE_SHOWN = 50


async def list_runners(visit: Visit) -> Response:
    """All runners with what they hold; those long gone are counted, not listed."""
    seq = await last_seq(visit.deps.pool)
    runners, (running, _, _) = await asyncio.gather(
        visit.board.runners(), visit.board.tasks(TaskQuery(status="running"), HELD_MAX)
    )
    held: dict[str, list[TaskBrief]] = {}
    for task in running:
        held.setdefault(task.claimed_by or "", []).append(task)
    online = [runner for runner in runners if runner["status"] == "online"]
    offline = [runner for runner in runners if runner["status"] != "online"]
    return render(
        visit,
        "runners.html",
        seq=seq,
        online=online,
        offline=offline[:OFFLINE_SHOWN],
        left_out=max(0, len(offline) - OFFLINE_SHOWN),
        held=held,
        listener=visit.deps.listener.mode,
    )
