"""Which roles may do what: the one table behind the API's endpoints, the panel's pages, and the commands that a status
asked for by PATCH is translated into.

A row of a route table names a permission, never roles; so the same action asks for the same role, however it is asked
for. What a runner's token may do, it may do to its own runs only (api/holder.py).
"""

from typing import Literal

from api.tokens import Role

Roles = frozenset[Role]

ANYONE: Roles = frozenset()
"""No token needed."""
READ: Roles = frozenset({"viewer", "operator", "runner", "admin"})
OPERATE: Roles = frozenset({"operator", "admin"})
ADMINISTER: Roles = frozenset({"admin"})
RUN: Roles = frozenset({"runner", "admin"})
OPERATE_OR_RUN: Roles = OPERATE | RUN

Permission = Literal[
    "none",
    "read",
    "create tasks",
    "requeue",
    "hand back",
    "cancel",
    "prioritize",
    "stop by hand",
    "change tasks",
    "claim",
    "report",
    "heartbeat",
    "drain",
    "pause",
    "propose",
    "decide",
    "run planner",
    "compose prompt",
    "ask for credentials",
    "change credentials",
    "sync",
    "migrate",
]

ROLES_OF: dict[Permission, Roles] = {
    "none": ANYONE,
    "read": READ,
    "create tasks": OPERATE,
    "requeue": OPERATE,
    "hand back": OPERATE_OR_RUN,
    "cancel": OPERATE,
    "prioritize": OPERATE,
    "stop by hand": OPERATE_OR_RUN,
    "change tasks": OPERATE_OR_RUN,
    "claim": RUN,
    "report": RUN,
    "heartbeat": RUN,
    "drain": OPERATE,
    "pause": OPERATE,
    "propose": OPERATE,
    "decide": OPERATE,
    "run planner": OPERATE,
    "compose prompt": OPERATE,
    "ask for credentials": OPERATE,
    "change credentials": ADMINISTER,
    "sync": OPERATE,
    "migrate": ADMINISTER,
}
"""`change tasks` is PATCH /ops/tasks/{id}, which then asks for the permission of the command that it means: `cancel`,
`claim`, `report`, `requeue`, or `stop by hand` (blocked, failed). `hand back` is `requeue` of one's own run."""
