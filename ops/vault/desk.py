"""The desk where credentials are asked for and handed in: the vault, the log and REQUESTS.json in one.

What REQUESTS.json says of a request goes before what the log says; a request that only the log knows is shown as it
stands there, one that only the file knows is WAITING.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from api.credentials import Change, Stored, Verdict
from events.commands import Commands
from events.errors import Conflict, ElRusoError, InvalidInput, NotFound, Unavailable, Unprocessable
from events.request import RequestDefinition, RequestProvided
from events.requests import Wanted
from ops.config import Config, inherited_environment
from ops.definitions import Definition, read_definitions
from ops.errors import OperatorError
from ops.memory import REQUESTS, memory_file
from ops.vault.keyring import Keyring
from ops.vault.validation import validate
from ops.vault.weakness import weakness_of
from projections.views import Views

VAULT = "vault"
"""Where values are put that come over this desk: the `place` of request.provided."""

DEFINED = tuple(field.name for field in msgspec.structs.fields(RequestDefinition))
UNKNOWN: dict[str, Any] = dict.fromkeys(
    (*DEFINED, "reason", "place", "opened_at", "provided_at", "provided_by", "changed_at", "changed_by"), None
)
NOT_THE_VAULTS_FAULT = {"bad_name", "empty_value", "binary_value", "long_value", "unknown_name"}

Definitions = Callable[[], Sequence[Definition]]


def definitions_of(config: Config) -> Definitions:
    """Reads REQUESTS.json of the settings' workspace, each time it is asked."""
    return lambda: read_definitions(memory_file(config.workspace, REQUESTS))


class Desk:
    """Implements api.credentials.Credentials. `seconds` is how long a validation may take; values that stand in files
    of the `workspace` are warned of."""

    def __init__(
        self,
        keyring: Keyring,
        commands: Commands,
        views: Views,
        definitions: Definitions,
        seconds: float = 20.0,
        workspace: Path | None = None,
    ) -> None:
        self._keyring = keyring
        self._commands = commands
        self._views = views
        self._definitions = definitions
        self._seconds = seconds
        self._workspace = workspace

    # ------------------------------------------------------------------ what is asked for

    async def list_requests(self) -> list[dict[str, Any]]:
        """Every request, defined or asked for, in the order of the ids; without REQUESTS.json if it is unreadable.

        Each: what `view.requests` says, with the definition, `has_value`, and `granted`: the names that tasks may have.
        """
        rows: dict[str, dict[str, Any]] = {row["id"]: row for row in msgspec.json.decode(await self._views.requests())}
        defined = {} if self.file_problem() else self._defined()
        for id, definition in defined.items():  # noqa: A001
            row = rows.setdefault(id, {"id": id, "status": "WAITING", **UNKNOWN, "version": 0})
            row |= {name: getattr(definition.asked, name) for name in DEFINED}
        overriding = self._keyring.overriding()
        return [self._shown(rows[id], overriding) for id in sorted(rows)]  # noqa: A001

    async def find_request(self, request_id: str) -> dict[str, Any]:
        """One of them. Raises NotFound; Unprocessable if it is not in the log and REQUESTS.json is unreadable."""
        for row in await self.list_requests():
            if row["id"] == request_id:
                return row
        self._defined()
        raise NotFound(f"there is no request {request_id}; GET /ops/requests lists them")

    def file_problem(self) -> str | None:
        """Why REQUESTS.json cannot be read; None: it can."""
        try:
            self._defined()
        except Unprocessable as refusal:
            return refusal.detail
        return None

    async def open(self, wanted: Sequence[Wanted], actor: str) -> list[str]:
        """Ask for credentials; which of them were not asked for already.

        Raises InvalidInput when one has no definition, here or in REQUESTS.json.
        """
        defined = self._defined()
        complete = []
        for each in wanted:
            definition = defined[each.id].asked if each.id in defined else each.definition
            if definition is None:
                raise InvalidInput(f"REQUESTS.json does not define {each.id}; say at least its `service` and `scopes`")
            complete.append(Wanted(each.id, definition, each.reason))
        return await self._commands.requests.open(complete, actor)

    async def change(self, request_id: str, change: Change, actor: str) -> None:
        """Make it so. Raises NotFound; IllegalTransition; InvalidInput when nothing is there to be granted."""
        request = await self.find_request(request_id)
        requests, definition = self._commands.requests, self._asked(request_id)
        if change.granted is not None:
            await self._grant(request, change.granted)
        match change.status:
            case "WAITING":
                await requests.open([Wanted(request_id, definition, change.reason)], actor, again=True)
            case "PROVIDED":
                await requests.provide(request_id, RequestProvided(), actor, definition=definition)
            case "WITHDRAWN":
                await requests.withdraw(request_id, change.reason, actor, definition)

    # ------------------------------------------------------------------ values

    async def store(self, request_id: str, values: Mapping[str, str], granted: bool | None, actor: str) -> Stored:
        """Put values into the vault, all or none; note that they are there when none is missing any more.

        Raises NotFound; Conflict for a request that was withdrawn; InvalidInput for names that it does not ask for and
        values that cannot be kept; Unavailable when the vault cannot be opened.
        """
        request = await self.find_request(request_id)
        if request["status"] == "WITHDRAWN":
            raise Conflict(f"request {request_id} was withdrawn; open it again with POST /ops/requests")
        scopes = request["scopes"] or []
        strange = sorted(values.keys() - set(scopes)) if scopes else []
        if strange:
            raise InvalidInput(f"request {request_id} asks for {', '.join(scopes)}, not for {', '.join(strange)}")
        await self._keep(lambda: self._keyring.vault.set(values, granted))
        missing = self._missing(scopes)
        if not missing:
            provided = RequestProvided(sorted(values), VAULT)
            await self._commands.requests.provide(
                request_id, provided, actor, again=True, definition=self._asked(request_id)
            )
        overridden = any(self._keyring.is_overridden(name) for name in values)
        weak = [await weakness_of(name, value, self._workspace) for name, value in values.items()]
        warnings = [weakness for weakness in weak if weakness is not None]
        return Stored(True, not overridden, "WAITING" if missing else "PROVIDED", missing, warnings)

    async def has_value(self, request_id: str) -> bool:
        """Whether every variable of the request has a value. Raises NotFound."""
        return bool((await self.find_request(request_id))["has_value"])

    async def validate(self, request_id: str) -> Verdict:
        """Run the validation command with the values of the vault, or those of our environment. Raises NotFound."""
        request = await self.find_request(request_id)
        scopes = request["scopes"] or []
        missing = self._missing(scopes)
        if missing:
            return Verdict(False, f"{', '.join(missing)} has no value yet: POST /ops/requests/{request_id}/value")
        if not request["validation_cmd"]:
            return Verdict(True, "the values are there; REQUESTS.json gives no validation_cmd to try them with")
        entries = self._keyring.contents().entries
        values = {name: entries[name].value if name in entries else self._keyring.get(name) or "" for name in scopes}
        environment = inherited_environment()
        return await validate(request["validation_cmd"], values, environment, self._keyring.redactor, self._seconds)

    # ------------------------------------------------------------------ when the vault was changed by other ways

    async def settle(self, actor: str) -> list[str]:
        """Note as provided what waits although the vault has had all its values since it was opened; which ones.

        So a value stored on the command line counts, and so does one whose event was lost with the process.
        """
        settled = []
        for request in await self.list_requests():
            names = request["scopes"] or []
            if request["status"] == "WAITING" and names and self._stored_since(names, request["opened_at"]):
                provided, definition = RequestProvided(sorted(names), VAULT), self._asked(request["id"])
                await self._commands.requests.provide(request["id"], provided, actor, definition=definition)
                settled.append(request["id"])
        return settled

    async def reopen(self, removed: Sequence[str], actor: str) -> list[str]:
        """Ask again for what was provided by the vault and has lost one of these names; which ones."""
        gone = set(removed)
        lost = [
            each
            for each in await self.list_requests()
            if each["status"] == "PROVIDED" and each["place"] == VAULT and gone & set(each["scopes"] or [])
        ]
        reason = f"{', '.join(sorted(gone))} was removed from the vault"
        return await self._commands.requests.open(
            [Wanted(each["id"], None, reason) for each in lost], actor, again=True
        )

    # ------------------------------------------------------------------ inside

    def _defined(self) -> dict[str, Definition]:
        try:
            return {definition.id: definition for definition in self._definitions()}
        except OperatorError as error:
            raise Unprocessable(str(error)) from error

    def _asked(self, request_id: str) -> RequestDefinition | None:
        definition = self._defined().get(request_id)
        return definition.asked if definition else None

    def _shown(self, row: dict[str, Any], overriding: frozenset[str]) -> dict[str, Any]:
        scopes = row["scopes"] = row["scopes"] or []
        entries = self._keyring.contents().entries
        granted = [name for name in scopes if name in entries and entries[name].granted]
        missing = [name for name in scopes if name not in entries and name not in overriding]
        has_value = not missing if scopes else row["status"] == "PROVIDED" and row["place"] == VAULT
        return row | {"has_value": has_value, "granted": granted}

    def _missing(self, scopes: Sequence[str]) -> list[str]:
        entries, overriding = self._keyring.contents().entries, self._keyring.overriding()
        return [name for name in scopes if name not in entries and name not in overriding]

    def _stored_since(self, names: Sequence[str], opened_at: str | None) -> bool:
        entries = self._keyring.contents().entries
        if not entries.keys() >= set(names):
            return False
        return opened_at is None or max(entries[name].set_at for name in names) > datetime.fromisoformat(opened_at)

    async def _grant(self, request: Mapping[str, Any], granted: bool) -> None:
        stored = [name for name in request["scopes"] if name in self._keyring.contents().entries]
        if not stored:
            raise InvalidInput(f"request {request['id']} has no value in the vault that could be granted")
        await self._keep(lambda: self._keyring.vault.grant(stored, granted))

    async def _keep(self, change: Callable[[], None]) -> None:
        """Change the vault beside the event loop: it waits for the disk, and for other processes."""
        try:
            await asyncio.to_thread(change)
        except OperatorError as error:
            raise _refusal(error) from error


def _refusal(error: OperatorError) -> ElRusoError:
    """The same for those who speak HTTP."""
    fault = error.key.removeprefix("vault.")
    return InvalidInput(str(error)) if fault in NOT_THE_VAULTS_FAULT else Unavailable(str(error))
