"""Sessions of the panel, which a browser receives in exchange for a token at sign-in (docs/adr/0021).

A session id is random and valid for the panel only, under the host and port of the sign-in. The session ends by signing
out, with its token, or after SESSION_LIFETIME. Sessions are cached like tokens: each one in use is read from the
database once per CACHE_SECONDS, and again when the database announces that a session ended.
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
CACHED_SESSIONS = 10_000
USED_EVERY = timedelta(minutes=1)  # how often the last use is stored


class Session(Struct, frozen=True):
    """A row of log.sessions. `digest`: of its id; `token`: digest of the token; `audience`: host and port."""

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
        """Open a session for this token; returns its id, which is not stored."""
        session_id = secrets.token_urlsafe(RANDOM_BYTES)
        await self._pool.fetch(SQL["open_session"], digest(session_id), digest(token), audience, SESSION_LIFETIME)
        return session_id

    async def find(self, session_id: str, audience: str) -> Identity | None:
        """The session's user; None: there is no valid session of this id for this host and port."""
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
        """Whether the session of this digest is valid, according to the cache. Does not query the database."""
        _read_at, known = self._known.get(session, (0.0, None))
        return known is not None and not known.is_over

    async def read(self, digests: Sequence[bytes]) -> list[Session | None]:
        """Read the sessions of these digests from the database, in this order; None: not found."""
        generation, asked_at = self._generation, time.monotonic()
        rows = await self._pool.fetch(SQL["list_sessions"], list(digests))
        found = {row["digest"]: Session(**row) for row in rows}
        for each in digests:
            fresh = generation == self._generation
            self._known[each] = (asked_at if fresh else float("-inf"), found.get(each))
            self._known.move_to_end(each)
        while len(self._known) > CACHED_SESSIONS:
            self._known.popitem(last=False)
        return [found.get(each) for each in digests]

    def forget(self) -> None:
        """Expire the cache."""
        self._generation += 1
        self._known = OrderedDict((each, (float("-inf"), known)) for each, (_at, known) in self._known.items())
