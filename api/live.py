"""What lives as long as one application: those who look, wait and watch, and the word that it is over."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from api.broadcast import Broadcast
from api.deps import ApiDeps
from api.lookup import TaskLookup
from api.revocation import RevocationWatch
from api.runner_ids import RunnerIds
from api.sessions import SessionStore
from api.sharing import SharedAnswers
from api.waiting import WaitingLine
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
        self.broadcast = Broadcast(deps.pool, deps.listener, limits.viewers, limits.viewer_events)

    def start(self, chore: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
        """Do something that outlives the request that asked for it, but not the application."""
        task = asyncio.create_task(chore)
        self._chores.add(task)
        task.add_done_callback(self._note_end)
        return task

    def _note_end(self, task: "asyncio.Task[Any]") -> None:
        self._chores.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("chore.failed", error=str(error) or type(error).__name__)

    def close(self) -> None:
        """No more waiting. Does nothing the second time."""
        self.closing.set()
        self.broadcast.close()
        self.revocation.close()
        for task in self._chores:
            task.cancel()
