"""Runners: who is there, and signs of life."""

from starlette.responses import Response

from api.call import Call
from api.envelope import answer, answer_value
from api.holder import check_runner
from api.routes.health import listener_mode
from api.wire.field import RunnerId
from api.wire.runner import Drain, Heartbeat, Release, Resume, RunnerFilter
from events.beats import Life
from events.runner import RunnerHeartbeat, RunnerStarted


async def list_runners(call: Call, query: RunnerFilter) -> Response:
    """Runners; online are those seen within the last minute. `meta.listener`: does the API hear wake-ups?

    A runner that stopped ten minutes ago, or was last seen a day ago, and holds nothing is listed with `past` only.
    """
    return answer(await call.deps.views.runners(past=query.past), meta=listener_mode(call))


async def heartbeat(call: Call, body: Heartbeat) -> Response:
    """A runner is alive, and keeps what it holds. Answers how much that is, and whether or when there is work.

    The runner id is the token's from its first use on. What an operator drained stays so, also through a "started".
    """
    await check_runner(call, body.runner_id)
    commands, lease, client_lease = call.deps.commands, call.deps.lease_seconds, call.deps.client_lease_seconds
    actor = call.caller.acting_as(body.runner_id)
    if body.status == "stopped":
        await commands.runner_stopped(body.runner_id, None, actor, lease)
        return answer_value({"runner_id": body.runner_id, "status": "stopped"})
    event = RunnerStarted(body.meta or {}) if body.status == "started" else RunnerHeartbeat(body.meta)
    beat = await commands.beat(Life(body.runner_id, event, actor, lease, True, client_lease))
    if beat.stuck:
        await commands.sweep(lease, client_lease=client_lease)
    return answer_value(
        {
            "runner_id": body.runner_id,
            "status": "online",
            "ready": beat.ready,
            "paused": beat.paused,
            "draining": beat.draining,
            "due_seconds": beat.due_seconds,
            "held": None if beat.held is None else [str(run_id) for run_id in beat.held],
        }
    )


async def drain_runner(call: Call, runner_id: RunnerId, body: Drain) -> Response:
    """Hand this runner nothing more: it finishes what it executes and stays idle until it is resumed."""
    await call.deps.commands.runners.drain(runner_id, body.reason, call.actor)
    return await _show(call, runner_id)


async def resume_runner(call: Call, runner_id: RunnerId, body: Resume) -> Response:
    """Hand this runner work again."""
    await call.deps.commands.runners.resume(runner_id, call.actor)
    return await _show(call, runner_id)


async def _show(call: Call, runner_id: str) -> Response:
    found = await call.deps.views.runner(runner_id)
    assert found is not None, "runners are never forgotten"
    return answer(found)


async def release(call: Call, body: Release) -> Response:
    """A runner gives back the tasks of the runs it names, or all that it holds, as a rule without an attempt."""
    await check_runner(call, body.runner_id)
    actor = call.caller.acting_as(body.runner_id)
    runs = None if body.runs is None else [int(run_id) for run_id in body.runs]
    released = await call.deps.commands.release(body.runner_id, runs, body.reason, actor)
    return answer_value({"runner_id": body.runner_id, "released": released})
