"""Bearer tokens: made once, shown once, stored as a digest, looked up from memory.

The database is asked at most every few seconds, and only when requests come in, so a token that was revoked by another
process stops working within CACHE_SECONDS; one revoked through this store stops at once.
"""

import hashlib
import re
import secrets
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, Protocol, get_args

from msgspec import Struct

from events.errors import Conflict, InvalidInput, NotFound
from events.statements import load_statements

SQL = load_statements("api", "tokens.sql")

Role = Literal["viewer", "operator", "runner", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}")
RANDOM_BYTES = 32  # 43 characters
CACHE_SECONDS = 5.0


class Pool(Protocol):
    """What the store needs of a connection pool."""

    async def fetch(self, query: str, *arguments: Any) -> Sequence[Any]:
        """All rows of a statement."""


class Token(Struct, frozen=True):
    """A token as it is known here: everything but the token itself."""

    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None = None


class TokenStore:
    """The tokens of one database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._by_digest: dict[bytes, Token] = {}
        self._read_at = float("-inf")

    async def create_token(self, name: str, role: Role) -> str:
        """A new token, `elr_<role>_<43 characters>`. This is the only time that it can be seen.

        Raises:
            InvalidInput: the name or the role is not one.
            Conflict: the name has a valid token.
        """
        if not NAME.fullmatch(name):
            raise InvalidInput(f"a token's name is 1 to 100 letters, digits or . _ @ -, not {name!r}")
        if role not in ROLES:
            raise InvalidInput(f"a token's role is one of {', '.join(ROLES)}, not {role!r}")
        token = f"elr_{role}_{secrets.token_urlsafe(RANDOM_BYTES)}"
        if not await self._pool.fetch(SQL["create_token"], name, role, _digest(token)):
            raise Conflict(f"{name} has a token already; revoke it first, or choose another name")
        self.forget()
        return token

    async def revoke_token(self, name: str) -> None:
        """The token of this name is void from now on. Raises NotFound."""
        if not await self._pool.fetch(SQL["revoke_token"], name):
            raise NotFound(f"there is no valid token named {name}")
        self.forget()

    async def list_tokens(self) -> list[Token]:
        """All tokens, revoked ones too, oldest first."""
        return list((await self._read()).values())

    async def any_tokens(self) -> bool:
        """True when a token was ever made. From then on every request needs one, even when all are revoked."""
        return bool(await self._known())

    async def find_token(self, token: str) -> Token | None:
        """Whose token this is, or None if it is nobody's or was revoked."""
        found = (await self._known()).get(_digest(token))
        return None if found is None or found.revoked_at else found

    def forget(self) -> None:
        """Ask the database next time."""
        self._read_at = float("-inf")

    async def _known(self) -> dict[bytes, Token]:
        if time.monotonic() - self._read_at > CACHE_SECONDS:
            asked_at = time.monotonic()
            self._by_digest = await self._read()
            self._read_at = asked_at
        return self._by_digest

    async def _read(self) -> dict[bytes, Token]:
        rows = await self._pool.fetch(SQL["list_tokens"])
        return {row["digest"]: Token(row["name"], row["role"], row["created_at"], row["revoked_at"]) for row in rows}


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
