"""Looking up single tasks, many callers in one query.

After a group commit many requests want to show their task at the same moment; one question for all of them costs the
database and this process a fraction of one question each. Self-clocked: a caller that is alone is served at once.
"""

import asyncio

import msgspec
from msgspec import Raw, Struct

from projections.views import Views

BATCH = 500


class _Named(Struct):
    id: str


_rows = msgspec.json.Decoder(list[Raw])
_named = msgspec.json.Decoder(_Named)


class TaskLookup:
    """The task views that this process reads one by one."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._asked: list[tuple[str, asyncio.Future[bytes | None]]] = []
        self._reading: asyncio.Task[None] | None = None

    async def find(self, task_id: str) -> bytes | None:
        """One task as JSON, at least as new as the moment of the call, or None."""
        answer: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._asked.append((task_id, answer))
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_all(), name="lookup")
        return await answer

    async def _read_all(self) -> None:
        while self._asked:
            asked, self._asked = self._asked[:BATCH], self._asked[BATCH:]
            try:
                found = await self._read([task_id for task_id, _answer in asked])
            except Exception as error:
                _settle(asked, error)
            else:
                _settle(asked, found)
        self._reading = None

    async def _read(self, ids: list[str]) -> dict[str, bytes]:
        if len(ids) == 1:
            data = await self._views.task(ids[0])
            return {} if data is None else {ids[0]: data}
        rows = _rows.decode(await self._views.tasks_by_id(ids))
        return {_named.decode(row).id: bytes(row) for row in rows}


def _settle(asked: list[tuple[str, "asyncio.Future[bytes | None]"]], outcome: dict[str, bytes] | Exception) -> None:
    for task_id, answer in asked:
        if answer.done():  # its caller was cancelled
            continue
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome.get(task_id))
