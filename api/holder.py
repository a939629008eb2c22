"""A runner's token may act for its own runners only: under their ids, and on the runs that they hold (ADR 0020).

The runner that holds a run never changes, so a check before a write still holds at the write. Other roles, and local
clients before the first token, may act for any runner.
"""

from api.call import Call
from api.known import KnownRun, KnownTask
from api.permissions import ROLES_OF, Permission
from events.errors import Forbidden


def check_permission(call: Call, permission: Permission) -> None:
    """Raises Forbidden when the caller's role may not do this."""
    roles = ROLES_OF[permission]
    if call.caller.role not in roles:
        raise Forbidden(f"this needs the role {' or '.join(sorted(roles))}; {call.caller.name} is {call.caller.role}")


async def check_runner(call: Call, runner: str) -> None:
    """Check that the caller may use this runner id. Binds an unused id to the caller's token.

    Raises:
        Forbidden: the id belongs to another token, or was used without one.
    """
    caller = call.caller
    if caller.trusted:
        return
    owner = await call.live.runner_ids.bind(runner, caller.name)
    if owner != caller.name and caller.role == "runner":
        holder = "was used without a token" if owner is None else "belongs to another token"
        raise Forbidden(f"the runner id {runner} {holder}; choose another one (ELRUSO_RUNNER_ID)")


async def check_run(call: Call, run: KnownRun) -> None:
    """Raises Forbidden when the caller is a runner's token and none of its runners holds the run."""
    if not await _may_act_for(call, run.runner):
        raise Forbidden(f"run {run.id} is held by {run.runner}, no runner of the token {call.caller.name}")


async def check_task(call: Call, task: KnownTask) -> None:
    """Raises Forbidden when the caller is a runner's token and none of its runners holds the task."""
    if call.caller.role != "runner":
        return
    if task.run_id is None or task.claimed_by is None:
        raise Forbidden(f"task {task.id} is {task.status}: a runner may change only tasks it holds; ask an operator")
    if not await _may_act_for(call, task.claimed_by):
        raise Forbidden(f"task {task.id} is held by {task.claimed_by}, no runner of the token {call.caller.name}")


async def _may_act_for(call: Call, runner: str) -> bool:
    return call.caller.role != "runner" or await call.live.runner_ids.find(runner) == call.caller.name
