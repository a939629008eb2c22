"""Permissions and roles: the only table, for the API's endpoints, the panel's pages, and the commands that a PATCH of a
task's status maps to.

Routes name a permission, never roles, so an action needs the same role on every path. A runner's token may use its
permissions on its own runs only (api/holder.py).
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
    "mark done",
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
    "mark done": OPERATE,
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
"""`change tasks` is PATCH /ops/tasks/{id}, which also needs the permission of the command that it maps to: `claim`,
`report`, `mark done` (no run), `cancel`, `hand back` (ready) or `stop by hand` (blocked, failed). A runner may `hand
back` tasks it holds."""
