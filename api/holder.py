"""A runner's token speaks for its own runners only: who it says it is, and whose run it reports.

The runner that holds a run never changes, so what is checked before a write still holds when it is written. Other roles
may speak for any runner, and so may the caller of this machine before the first token.
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
    """The caller calls itself by this runner id, which is its token's from now on.

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
    """Raises Forbidden when a runner's token speaks of another's run."""
    if not await _speaks_for(call, run.runner):
        raise Forbidden(
            f"run {run.id} is held by the runner {run.runner}, which is not of the token {call.caller.name}"
        )


async def check_task(call: Call, task: KnownTask) -> None:
    """Raises Forbidden when a runner's token speaks of a task that none of its runners holds."""
    if call.caller.role != "runner":
        return
    if task.run_id is None or task.claimed_by is None:
        raise Forbidden(f"task {task.id} is {task.status}: a runner decides about the runs it holds; ask an operator")
    if not await _speaks_for(call, task.claimed_by):
        raise Forbidden(f"task {task.id} is held by the runner {task.claimed_by}, not by one of {call.caller.name}")


async def _speaks_for(call: Call, runner: str) -> bool:
    return call.caller.role != "runner" or await call.live.runner_ids.find(runner) == call.caller.name
