"""Actions: commands that run on this API's own machine."""

from starlette.responses import Response

from api.call import Call
from api.envelope import answer_value
from api.wire.action import Migrate, SyncPull, SyncPush


async def migrate(call: Call, body: Migrate) -> Response:
    """Bring the database up to date, as `elruso db migrate` does: {ok, output, exitCode}."""
    return answer_value(await call.deps.actions.migrate())


async def sync_push(call: Call, body: SyncPush) -> Response:
    """Bring TASKS.json and REQUESTS.json into the log, as `elruso sync push` does: {ok, output, exitCode}."""
    return answer_value(await call.deps.actions.sync_push(call.actor, body.dry_run))


async def sync_pull(call: Call, body: SyncPull) -> Response:
    """Write into TASKS.json and REQUESTS.json what the log says, as `elruso sync pull`: {ok, output, exitCode}."""
    return answer_value(await call.deps.actions.sync_pull(body.open, body.dry_run))
