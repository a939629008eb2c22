"""Bearer tokens: made once, shown once, stored as a digest, looked up from memory.

The database announces every change of a token (log.announce_credentials). Tokens are also read again once per
CACHE_SECONDS while requests arrive, so a revoked token stops working within that time even if the announcement is lost.
"""

import asyncio
import hashlib
import re
import secrets
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol, get_args

from msgspec import Struct

from events.errors import Conflict, InvalidInput, NotFound
from events.statements import load_statements

SQL = load_statements("api", "tokens.sql")

Role = Literal["viewer", "operator", "runner", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,99}")
RANDOM_BYTES = 32  # 43 characters
CACHE_SECONDS = 1.0
READ_SECONDS = 5.0  # for all who wait for it together, or each would wait for those before it


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
    expires_at: datetime | None = None
    digest: bytes = b""

    @property
    def is_valid(self) -> bool:
        """False once it was revoked or has expired."""
        return self.revoked_at is None and (self.expires_at is None or datetime.now(UTC) < self.expires_at)


class TokenStore:
    """The tokens of one database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._by_digest: dict[bytes, Token] = {}
        self._read_at = float("-inf")
        self._generation = 0
        self._reading = asyncio.Lock()

    async def create_token(self, name: str, role: Role, expires_in: timedelta | None = None) -> str:
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
        if not await self._pool.fetch(SQL["create_token"], name, role, digest(token), expires_in):
            raise Conflict(f"{name} has a token already; revoke it first, or choose another name")
        self.forget()
        return token

    async def revoke_token(self, name: str) -> None:
        """The token of this name is void from now on. Raises NotFound."""
        if not await self._pool.fetch(SQL["revoke_token"], name):
            raise NotFound(f"there is no valid token named {name}")
        self.forget()

    async def list_tokens(self) -> list[Token]:
        """All tokens, revoked and expired ones too, oldest first."""
        return list((await self._read()).values())

    async def any_tokens(self) -> bool:
        """True when a token was ever made. From then on every request needs one, even when all are revoked."""
        await self.refresh()
        return bool(self._by_digest)

    async def find_token(self, token: str) -> Token | None:
        """Whose token this is, or None if it is nobody's, revoked or expired."""
        return await self.find_by_digest(digest(token))

    async def find_by_digest(self, wanted: bytes) -> Token | None:
        """The valid token of this digest."""
        await self.refresh()
        found = self._by_digest.get(wanted)
        return found if found is not None and found.is_valid else None

    def allows(self, wanted: bytes) -> bool:
        """Whether the token of this digest is valid, according to the cache. Does not query the database.

        An empty digest stands for callers without a token, who are admitted until the first one is created.
        """
        found = self._by_digest.get(wanted)
        return not self._by_digest if wanted == b"" else found is not None and found.is_valid

    def forget(self) -> None:
        """Ask the database next time."""
        self._generation += 1
        self._read_at = float("-inf")

    async def refresh(self) -> None:
        """Read the tokens again unless the cache is fresh. Concurrent callers share one query."""
        if is_fresh(self._read_at):
            return
        async with asyncio.timeout(READ_SECONDS), self._reading:
            if is_fresh(self._read_at):
                return
            generation, asked_at = self._generation, time.monotonic()
            self._by_digest = await self._read()
            if generation == self._generation:  # else something changed meanwhile
                self._read_at = asked_at

    async def _read(self) -> dict[bytes, Token]:
        rows = await self._pool.fetch(SQL["list_tokens"])
        return {row["digest"]: Token(**row) for row in rows}


def is_fresh(read_at: float) -> bool:
    """Whether something cached at this time.monotonic() is fresh."""
    return time.monotonic() - read_at <= CACHE_SECONDS


def digest(secret: str) -> bytes:
    """The SHA-256 that is stored for a token or a session id."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
