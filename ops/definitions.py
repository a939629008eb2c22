"""REQUESTS.json: the credentials that the project needs, as its people wrote them down.

The file is an array of requests, or an object with the array under `requests`. It is read strictly: a misspelt field
would otherwise ask for nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from events.ids import REQUEST_ID
from events.limits import Line, VariableName
from events.request import RequestDefinition
from events.requests import Wanted
from ops.errors import OperatorError

Id = Annotated[str, Meta(pattern=REQUEST_ID)]

Status = Literal["WAITING", "PROVIDED", "WITHDRAWN"]
TOOL = "tool"
"""The type of a request for a program on the runners: it has no values, so its `scopes` may be anything."""


class Definition(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One request of the file. `scopes` are names of variables.

    `status` is what `sync pull` last wrote there, and `provided_at` what the first El Ruso did; the log knows better.
    """

    id: Id
    service: Line
    type: Line = "credential"
    scopes: list[VariableName] = field(default_factory=list)
    purpose: str | None = None
    where_to_set: str | None = None
    validation_cmd: str | None = None
    status: Status | None = None
    provided_at: str | None = None

    @property
    def asked(self) -> RequestDefinition:
        """The same as an event keeps it."""
        return RequestDefinition(
            service=self.service,
            type=self.type,
            scopes=list(self.scopes),
            purpose=self.purpose,
            where_to_set=self.where_to_set,
            validation_cmd=self.validation_cmd,
        )

    def wanted(self, reason: str | None = None) -> Wanted:
        """The same as `commands.requests.open` takes it."""
        return Wanted(self.id, self.asked, reason)


def read_definitions(path: Path) -> tuple[Definition, ...]:
    """The requests of the file, in its order; none when there is no such file.

    Raises OperatorError naming the file, the request and the field that will not do.
    """
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise OperatorError("definitions.unreadable", file=path, detail=error.strerror) from error
    return parse_definitions(text, path)


def parse_definitions(text: bytes, path: Path) -> tuple[Definition, ...]:
    """The requests in `text`; `path` is what refusals call it. Raises OperatorError."""
    definitions = tuple(_definition(plain, place, path) for place, plain in enumerate(_array(text, path), start=1))
    _refuse_twins([definition.id for definition in definitions], path)
    return definitions


def is_definition(plain: dict[str, Any]) -> bool:
    """Whether REQUESTS.json can hold this entry."""
    try:
        msgspec.convert(plain, Definition)
    except msgspec.ValidationError:
        return False
    return True


def _array(text: bytes, path: Path) -> list[dict[str, Any]]:
    try:
        plain = msgspec.json.decode(text)
        return msgspec.convert(plain["requests"] if isinstance(plain, dict) else plain, list[dict[str, Any]])
    except KeyError as error:
        raise OperatorError("definitions.malformed", file=path, detail="no `requests`") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise OperatorError("definitions.malformed", file=path, detail=error) from error


def _definition(plain: dict[str, Any], place: int, path: Path) -> Definition:
    fields = dict(plain)
    if fields.get("type") == TOOL:
        fields.pop("scopes", None)
    if fields.get("status") == "REJECTED":  # the first El Ruso's word
        fields["status"] = "WITHDRAWN"
    try:
        return msgspec.convert(fields, Definition)
    except msgspec.ValidationError as error:
        name = plain.get("id", f"#{place}")
        raise OperatorError("definitions.invalid", file=path, request=name, detail=error) from error


def _refuse_twins(ids: Sequence[str], path: Path) -> None:
    twins = sorted({each for each in ids if ids.count(each) > 1})
    if twins:
        raise OperatorError("definitions.twice", file=path, request=", ".join(twins))
