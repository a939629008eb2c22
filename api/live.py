"""What lives as long as one application: those who look, wait and watch, and the word that it is over."""

import asyncio

from api.broadcast import Broadcast
from api.deps import ApiDeps
from api.lookup import TaskLookup
from api.waiting import WaitingLine
from projections.board import Board


class Live:
    """Made with the application; `close` ends every wait and every stream at once, so that a shutdown is prompt."""

    def __init__(self, deps: ApiDeps) -> None:
        limits = deps.limits
        self.closing = asyncio.Event()
        self.tasks = TaskLookup(deps.views)
        self.board = Board(deps.pool, deps.views)
        self.waiting = WaitingLine(deps.listener)
        self.broadcast = Broadcast(deps.pool, deps.listener, limits.viewers, limits.viewer_events)

    def close(self) -> None:
        """No more waiting. Does nothing the second time."""
        self.closing.set()
        self.broadcast.close()
