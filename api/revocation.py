"""End open streams and waiting claims when their credential ends (ADR 0021).

The end of a token or session takes effect on requests under way: event streams, live updates of the panel, waiting
claims. The database announces it to all processes (log.announce_credentials). Expiry and lost announcements are
detected within TICK_SECONDS.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from msgspec import Struct

from api.auth import Identity
from api.sessions import SessionStore
from api.tokens import TokenStore
from events.database_errors import DRIVER_ERRORS
from events.hint import Hint
from events.listener import Listener
from events.outage import Outage

TICK_SECONDS = 0.5


class Hold(Struct, frozen=True, eq=False):
    """A request under way, and the callback that ends it."""

    caller: Identity
    end: Callable[[], None]


class RevocationWatch:
    """Tracks the long-lived requests of this process, and ends those whose credential has ended."""

    def __init__(self, tokens: TokenStore, sessions: SessionStore, listener: Listener) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._listener = listener
        self._holds: dict[int, Hold] = {}
        self._any_holds = asyncio.Event()
        self._announced = asyncio.Event()
        self._unsure = False
        self._outage = Outage("revocation")
        self._watching: asyncio.Task[None] | None = None
        self._unsubscribe = listener.subscribe(self._on_hint)

    def close(self) -> None:
        """Stop watching."""
        self._unsubscribe()
        if self._watching is not None:
            self._watching.cancel()

    def is_valid(self, caller: Identity) -> bool:
        """Whether the caller's credential is valid, according to the caches. Does not query the database."""
        allowed = self._tokens.allows(caller.token)
        return allowed and (caller.session is None or self._sessions.allows(caller.session))

    @contextmanager
    def hold(self, caller: Identity, end: Callable[[], None]) -> Iterator[None]:
        """Call `end`, in the event loop, if the caller's credential ends while the block runs."""
        hold = Hold(caller, end)
        self._holds[id(hold)] = hold
        self._any_holds.set()
        if self._watching is None:
            self._watching = asyncio.create_task(self._watch(), name="revocation")
        if not self.is_valid(caller):
            end()
        try:
            yield
        finally:
            self._holds.pop(id(hold), None)
            if not self._holds:
                self._any_holds.clear()

    def _on_hint(self, hint: Hint) -> None:
        if hint.credentials:
            self._tokens.forget()
            self._sessions.forget()
            self._announced.set()
        elif hint.anything:  # an announcement may have been lost
            self._unsure = True

    async def _watch(self) -> None:
        while True:
            await self._any_holds.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    await self._announced.wait()
            if self._announced.is_set() or self._unsure or self._listener.mode == "polling":
                await self._refresh()
            for key, hold in list(self._holds.items()):
                if not self.is_valid(hold.caller):
                    self._holds.pop(key, None)
                    hold.end()

    async def _refresh(self) -> None:
        self._announced.clear()
        self._unsure = False
        self._tokens.forget()
        try:
            await self._tokens.refresh()
            sessions = {hold.caller.session for hold in self._holds.values() if hold.caller.session is not None}
            if sessions:
                await self._sessions.read(list(sessions))
        except DRIVER_ERRORS as error:
            self._unsure = True
            self._outage.fail(self, error)
        else:
            self._outage.recover(self)
