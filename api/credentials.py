"""What the API must know of credentials: it never holds a value, it passes it on.

Whoever starts the API gives it two objects: a `Screen` that knows the secrets, and the `Credentials` desk.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from msgspec import Struct

from events.requests import Wanted


class Screen(Protocol):
    """Knows every secret of this process."""

    def find_in(self, text: str) -> str | None:
        """The name of a stored secret whose value stands in the text, or None."""

    def redact(self, text: str) -> str:
        """The text with every secret replaced."""


class Weakness(Struct, frozen=True):
    """What speaks against a value that was stored all the same: it is too short to be hidden in output (`short`), an
    everyday word that would be hidden everywhere (`everyday`), or stands in the project's own files (`in_project`)."""

    name: str
    reason: Literal["short", "everyday", "in_project"]
    detail: str
    facts: dict[str, Any] = {}


class Stored(Struct, frozen=True):
    """What became of values: `saved`, and whether running processes use them from now on (`env_runtime`; not those
    whose environment has a value of its own). `missing` are the variables that still have none, `warnings` say which
    values are weak."""

    saved: bool
    env_runtime: bool
    status: str
    missing: list[str]
    warnings: list[Weakness] = []


class Verdict(Struct, frozen=True):
    """What the validation command of a request said."""

    ok: bool
    message: str


class Change(Struct, frozen=True):
    """What an operator wants to be so. `granted`: tasks that name its variables get them."""

    status: Literal["WAITING", "PROVIDED", "WITHDRAWN"] | None = None
    reason: str | None = None
    granted: bool | None = None


class Credentials(Protocol):
    """The desk where credentials are asked for and handed in. Raises ElRusoError; an unknown request is NotFound."""

    async def list_requests(self) -> list[dict[str, Any]]:
        """Every request, defined or asked for, in the order of the ids."""

    def file_problem(self) -> str | None:
        """Why the file that defines requests cannot be read; None: it can."""

    async def find_request(self, request_id: str) -> dict[str, Any]:
        """One of them."""

    async def open(self, wanted: Sequence[Wanted], actor: str) -> list[str]:
        """Ask for credentials; which of them were not asked for already."""

    async def change(self, request_id: str, change: Change, actor: str) -> None:
        """Make it so."""

    async def store(self, request_id: str, values: Mapping[str, str], granted: bool | None, actor: str) -> Stored:
        """Put values into the vault and note that they are there."""

    async def has_value(self, request_id: str) -> bool:
        """Whether every variable of the request has a value."""

    async def validate(self, request_id: str) -> Verdict:
        """Try the values out."""
