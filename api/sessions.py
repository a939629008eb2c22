"""Sessions of the panel: what a browser is given for its token at sign-in (docs/adr/0021).

A session's id is random and opens nothing but the panel, under the host and port of the sign-in. It is valid until it
ends by sign-out, its token ends, or SESSION_LIFETIME has passed. Looked up from memory, like tokens: the database is
asked once a CACHE_SECONDS for each session in use, and at once when it announces that one ended.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from api.auth import Identity
from api.tokens import RANDOM_BYTES, Pool, TokenStore, digest, is_fresh
from events.statements import load_statements

SQL = load_statements("api", "sessions.sql")

SESSION_LIFETIME = timedelta(days=7)
REMEMBERED = 10_000  # sessions in memory
USED_EVERY = timedelta(minutes=1)


class Session(Struct, frozen=True):
    """A session as the database has it. `digest`: of its id; `token`: the digest of the token that opened it."""

    digest: bytes
    token: bytes
    audience: str
    last_used_at: datetime
    expires_at: datetime

    @property
    def is_over(self) -> bool:
        """Whether it has expired."""
        return datetime.now(UTC) >= self.expires_at


class SessionStore:
    """The sessions of one database."""

    def __init__(self, pool: Pool, tokens: TokenStore) -> None:
        self._pool = pool
        self._tokens = tokens
        self._known: OrderedDict[bytes, tuple[float, Session | None]] = OrderedDict()
        self._generation = 0

    async def begin(self, token: str, audience: str) -> str:
        """A session for whoever showed this token; its id, which can be seen only now."""
        session_id = secrets.token_urlsafe(RANDOM_BYTES)
        await self._pool.fetch(SQL["open_session"], digest(session_id), digest(token), audience, SESSION_LIFETIME)
        return session_id

    async def find(self, session_id: str, audience: str) -> Identity | None:
        """Whose session this is, or None if there is none of this id for this host and port, or it is over."""
        if not session_id:
            return None
        wanted = digest(session_id)
        read_at, session = self._known.get(wanted, (float("-inf"), None))
        if not is_fresh(read_at):
            [session] = await self.read([wanted])
        if session is None or session.is_over or session.audience != audience:
            return None
        token = await self._tokens.find_by_digest(session.token)
        if token is None:
            return None
        if datetime.now(UTC) - session.last_used_at > USED_EVERY:
            await self._pool.fetch(SQL["use_session"], wanted)
        return Identity.of(token, wanted)

    async def end(self, session_id: str) -> None:
        """Sign out. Does nothing when there is no such session."""
        await self._pool.fetch(SQL["end_session"], digest(session_id))
        self.forget()

    def allows(self, session: bytes) -> bool:
        """Whether the session of this digest was there when the database was asked last, and has not expired."""
        _read_at, known = self._known.get(session, (0.0, None))
        return known is not None and not known.is_over

    async def read(self, digests: Sequence[bytes]) -> list[Session | None]:
        """The sessions of these digests, as the database has them now."""
        generation, asked_at = self._generation, time.monotonic()
        rows = await self._pool.fetch(SQL["list_sessions"], list(digests))
        found = {row["digest"]: Session(**row) for row in rows}
        for each in digests:
            fresh = generation == self._generation
            self._known[each] = (asked_at if fresh else float("-inf"), found.get(each))
            self._known.move_to_end(each)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return [found.get(each) for each in digests]

    def forget(self) -> None:
        """Ask the database next time."""
        self._generation += 1
        self._known = OrderedDict((each, (float("-inf"), known)) for each, (_at, known) in self._known.items())
