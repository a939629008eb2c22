"""One row of a table of addresses, the API's or the panel's."""

from collections.abc import Awaitable, Callable
from functools import cached_property
from inspect import signature
from typing import Any, get_type_hints

from msgspec import Struct
from starlette.responses import Response
from starlette.routing import compile_path

from api.permissions import ROLES_OF, Permission, Roles
from api.screening import Policy

ANSWER_SECONDS = 20.0

Handler = Callable[..., Awaitable[Response]]


class Entry(Struct, frozen=True, dict=True):
    """A method and a path, who may use them, what they do, and what becomes of secrets in the body.

    `seconds`: how long its handler may take; None: it keeps a limit of its own, or waits for something else than the
    database.
    """

    method: str
    path: str
    permission: Permission
    handler: Handler
    secrets: Policy = "refuse"
    seconds: float | None = ANSWER_SECONDS

    @cached_property
    def roles(self) -> Roles:
        """Who may use it."""
        return ROLES_OF[self.permission]

    @cached_property
    def reads(self) -> dict[str, Any]:
        """The handler's parameters after its first, with their types."""
        hints = get_type_hints(self.handler, include_extras=True)
        first = next(iter(signature(self.handler).parameters))
        return {name: hint for name, hint in hints.items() if name not in (first, "return")}

    @cached_property
    def path_names(self) -> tuple[str, ...]:
        """The parameters that stand in the path."""
        return tuple(compile_path(self.path)[2])
