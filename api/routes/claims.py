"""Runners that speak HTTP ask for work."""

import asyncio
from collections.abc import Sequence

from starlette.requests import ClientDisconnect
from starlette.responses import Response

from api.call import Call
from api.claiming import claim_when_ready, hand_back, token_ended
from api.disconnect import leaving
from api.envelope import answer
from api.holder import check_runner
from api.known import know_system, read_task
from api.wire.task import Claim
from events.claims import Claimed
from events.runners import draining
from events.system import paused


async def claim_tasks(call: Call, body: Claim) -> Response:
    """Claim one task (or null), up to `limit` tasks, or a named one; wait for work up to `wait_seconds`."""
    await check_runner(call, body.runner_id)
    actor = call.caller.acting_as(body.runner_id)
    with leaving(call.request) as gone:
        claimed = await _claim(call, body, actor, gone)
        try:
            response = await _hand_out(call, body, claimed)
            if gone.done():
                raise ClientDisconnect
            if not call.live.revocation.is_valid(call.caller):
                raise token_ended(call.caller)
        except BaseException:
            await hand_back(call, claimed, actor)
            raise
    return response


async def _claim(call: Call, body: Claim, actor: str, gone: "asyncio.Task[None]") -> Sequence[Claimed]:
    if body.task_id is not None:
        return [await call.deps.commands.claim_task(body.runner_id, body.task_id, actor)]
    found = await claim_when_ready(call, body, actor, gone)
    if found.paused:
        raise paused((await know_system(call.deps.views)).reason)
    if found.draining:
        raise draining(body.runner_id)
    return found.tasks


async def _hand_out(call: Call, body: Claim, claimed: Sequence[Claimed]) -> Response:
    tasks = [bytes(task.shown or await read_task(call.live.tasks, task.task_id)) for task in claimed]
    if body.limit is not None:
        return answer(b"[" + b",".join(tasks) + b"]")
    return answer(tasks[0] if tasks else b"null")
