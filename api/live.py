"""What lives as long as one application: those who look, wait and watch, and the word that it is over."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import structlog

from api.auth import Identity
from api.broadcast import Broadcast
from api.deps import ApiDeps
from api.lookup import TaskLookup
from api.revocation import RevocationWatch
from api.runner_ids import RunnerIds
from api.sessions import SessionStore
from api.sharing import SharedAnswers
from api.slots import Slots
from api.waiting import WaitingLine
from events.errors import explain
from projections.board import Board

log = structlog.get_logger(__name__)


class Live:
    """Made with the application; `close` ends every wait and every stream at once, so that a shutdown is prompt."""

    def __init__(self, deps: ApiDeps) -> None:
        limits = deps.limits
        self.closing = asyncio.Event()
        self._chores: set[asyncio.Task[Any]] = set()
        self.tasks = TaskLookup(deps.views)
        self.answers = SharedAnswers(deps.views.state)
        self.board = Board(deps.pool, deps.views)
        self.runner_ids = RunnerIds(deps.pool)
        self.sessions = SessionStore(deps.pool, deps.tokens)
        self.revocation = RevocationWatch(deps.tokens, self.sessions, deps.listener)
        self.waiting = WaitingLine(deps.listener)
        self.broadcast = Broadcast(deps.pool, deps.listener, limits.viewer_events)
        self.streams = Slots("event streams", limits.streams)
        self.waits = Slots("waiting claims", limits.waiting_claims)

    @contextmanager
    def hold_stream(self, caller: Identity, local_name: str, end: Callable[[], None]) -> Iterator[None]:
        """Count an event stream while the block runs, and call `end` if its credential ends. Raises Busy."""
        with self.streams.take(caller, local_name), self.revocation.hold(caller, end):
            yield

    def start(self, chore: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Do something that outlives the request that asked for it, but not the application."""
        task = asyncio.create_task(chore)
        self._chores.add(task)
        task.add_done_callback(self._note_end)
        return task

    def _note_end(self, task: "asyncio.Task[Any]") -> None:
        self._chores.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("chore.failed", error=explain(error))

    def close(self) -> None:
        """No more waiting. Does nothing the second time."""
        self.closing.set()
        self.broadcast.close()
        self.revocation.close()
        for task in self._chores:
            task.cancel()
