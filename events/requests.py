"""The commands about requests for credentials: open, provide, withdraw. Part of `events.commands.Commands`."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from msgspec import Struct

from events.catalog import encode, type_name
from events.errors import IllegalTransition, NotFound
from events.request import TRANSITIONS, RequestDefinition, RequestProvided, RequestWithdrawn
from events.statements import load_statements

SQL = load_statements("events", "requests.sql")


class Wanted(Struct, frozen=True):
    """A request to be opened. Without a definition one that is open or provided already stays as it is."""

    id: str
    definition: RequestDefinition | None = None
    reason: str | None = None


class Requests:
    """`call` carries out a statement of requests.sql; `announce` is told the seq of what was written, and `made_ready`
    the rows that may have set tasks free."""

    def __init__(
        self,
        call: Callable[..., Awaitable[list[Any]]],
        announce: Callable[[int], None],
        made_ready: Callable[[Sequence[Any]], Awaitable[None]],
    ) -> None:
        self._call = call
        self._announce = announce
        self._made_ready = made_ready

    async def open(self, wanted: Sequence[Wanted], actor: str, *, again: bool = False) -> list[str]:
        """Asks for credentials. Which were opened, or opened again: those unknown, withdrawn, or defined otherwise.

        The same again appends nothing. A request that was provided is WAITING again when its definition changes, or
        when it is asked for `again`.
        """
        once = {each.id: each for each in wanted}
        definitions = [_json(each.definition) for each in once.values()]
        reasons = [each.reason for each in once.values()]
        rows = await self._call("open_requests", list(once), definitions, reasons, actor, again)
        self._tell(rows)
        return [row["id"] for row in rows]

    async def provide(
        self,
        request_id: str,
        provided: RequestProvided,
        actor: str,
        *,
        again: bool = False,
        definition: RequestDefinition | None = None,
    ) -> None:
        """Notes that the values are there. No-op when that is known, unless they are there `again`: new ones.

        `definition` opens a request that no event knows yet. Raises NotFound; IllegalTransition when it is withdrawn.
        """
        await self._change(request_id, provided, actor, again, definition)

    async def withdraw(
        self, request_id: str, reason: str | None, actor: str, definition: RequestDefinition | None = None
    ) -> None:
        """Nobody needs it any more. No-op when it is so. `definition` as in `provide`. Raises NotFound."""
        await self._change(request_id, RequestWithdrawn(reason), actor, False, definition)

    async def _change(
        self, request_id: str, event: Struct, actor: str, again: bool, definition: RequestDefinition | None
    ) -> None:
        name = type_name(event)
        data = encode(event).decode()
        rows = await self._call("change_request", request_id, name, data, actor, again, _json(definition))
        self._tell(rows)
        await self._made_ready([row for row in rows if row["frees"]])
        if not rows:
            await self._settle(request_id, name)

    async def _settle(self, request_id: str, event_type: str) -> None:
        """Nothing was written: fine when the request is so already, else a refusal."""
        rows = await self._call("request_state", request_id)
        if not rows:
            raise NotFound(f"there is no request {request_id}; open it first with POST /ops/requests")
        if rows[0]["status"] != TRANSITIONS[event_type].target:
            raise IllegalTransition(f"{event_type} is not possible: request {request_id} is {rows[0]['status']}")

    def _tell(self, rows: Sequence[Any]) -> None:
        if rows:
            self._announce(max(row["seq"] for row in rows))


def _json(definition: RequestDefinition | None) -> str | None:
    return None if definition is None else encode(definition).decode()
