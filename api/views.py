"""The read side, as far as the API needs it. Data are JSON bytes, to be passed on as they are."""

from typing import Protocol

from msgspec import Struct


class Page(Struct, frozen=True):
    """A part of a list: a JSON array, how long the whole list is (None: not counted), where the next part begins."""

    data: bytes
    total: int | None = None
    next: str | None = None


class Views(Protocol):
    """What is known. Methods that look for one thing return None when it does not exist."""

    async def metrics(self) -> bytes:
        """The numbers of GET /ops/metrics."""

    async def runners(self) -> bytes:
        """All runners, as an array."""

    async def system(self) -> bytes:
        """Paused or not, since when, why, by whom."""

    async def tasks(
        self, *, status: str | None, phase: str | None, directive_id: str | None, limit: int, cursor: str | None
    ) -> Page:
        """Tasks in order of creation. Raises InvalidInput for a cursor that is none."""

    async def task(self, task_id: str) -> bytes | None:
        """One task with all its fields."""

    async def tasks_by_id(self, task_ids: list[str]) -> bytes:
        """These tasks, in the order of the ids, as an array."""

    async def runs(self, *, status: str | None, task_id: str | None, limit: int, cursor: str | None) -> Page:
        """Runs, newest first. Raises InvalidInput for a cursor that is none."""

    async def run(self, run_id: int) -> bytes | None:
        """One run with its steps and file changes."""

    async def output(self, run_id: int, *, step: int | None, after: int, limit: int) -> Page:
        """A run's output in pieces: {number, step, stream, at, data}."""

    async def artifact(self, run_id: int, kind: str) -> str | None:
        """A run's "patch" or "diffstat"."""
