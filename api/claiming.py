"""A claim that waits until there is work, its time is up, its client has gone, or the server stops."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

from api.auth import Identity
from api.call import Call
from api.wire.task import Claim
from events.claims import ClaimAnswer, Claimed, Wish
from events.errors import Unauthorized
from projections.new_task import show_handed

HAND_BACK_REASON = "the client had gone before its claim was answered"
DUE_SECONDS_MIN = 0.05  # a task that is due but in another's hands is not worth a busy loop


async def claim_when_ready(call: Call, wanted: Claim, actor: str, gone: asyncio.Task[None]) -> ClaimAnswer:
    """Claims at once; finding nothing, looks again whenever something may have become ready.

    `gone` is done when the client has gone (api/disconnect.py).
    """
    wish = Wish(wanted.runner_id, wanted.limit or 1, actor, shown=True)
    until = time.monotonic() + min(wanted.wait_seconds, call.deps.limits.wait_seconds)
    closing = asyncio.create_task(call.live.closing.wait())
    revoked: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    may_claim = partial(call.live.revocation.is_valid, call.caller)
    try:
        with (
            call.live.revocation.hold(call.caller, partial(revoked.set_result, None)),
            call.live.waiting.join(wish, may_claim) as baton,
            ExitStack() as slot,
        ):
            waits = False
            while True:
                if not may_claim():
                    raise token_ended(call.caller)
                with baton.turn():
                    answer = await call.deps.commands.claim(wish.runner, wish.limit, wish.actor, shown=True)
                seconds = until - time.monotonic()
                if answer.tasks or answer.paused or answer.draining:
                    baton.hand_over()  # there may be more, or the others should be told as well
                    return answer
                if seconds <= 0 or closing.done() or gone.done():
                    return answer
                if not waits:
                    slot.enter_context(call.live.waits.take(call.caller, wish.runner))
                    waits = True
                if answer.due_seconds is not None:
                    seconds = min(seconds, max(answer.due_seconds, DUE_SECONDS_MIN))
                await baton.wait(seconds, gone, closing, revoked)
                if baton.handed is not None:
                    return ClaimAnswer([show_handed(baton.handed)])
                if not baton.is_here and (closing.done() or gone.done()):
                    return answer
    finally:
        closing.cancel()


def token_ended(caller: Identity) -> Unauthorized:
    """The error for a caller whose token ended while it waited."""
    return Unauthorized(f"the token {caller.name} was revoked or has expired")


async def hand_back(call: Call, claimed: Sequence[Claimed], actor: str) -> None:
    """Give back what nobody will execute. Not to be interrupted: it runs on when the caller is cancelled."""
    runs = [(task.task_id, task.run_id) for task in claimed]
    if runs:
        await asyncio.shield(call.deps.commands.hand_back(runs, HAND_BACK_REASON, actor))
