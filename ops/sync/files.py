"""Both files at once: which ones they are, and what pushing and pulling them comes to."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from events.connect import Database
from ops.memory import REQUESTS, TASKS, memory_file, place_for
from ops.report import Line
from ops.sync.list_file import ListFile
from ops.sync.pull import pull_requests, pull_tasks
from ops.sync.push import push


class Files(Struct, frozen=True):
    """The memory files of a workspace, or those of a folder that was named."""

    workspace: Path | None
    folder: Path | None = None

    async def push(
        self, database: Database, actor: str, wake: Callable[[str], None], dry_run: bool = False
    ) -> list[Line]:
        """Bring the files into the log; `wake` is told when there is something new. Raises what `push.push` raises."""
        tasks, requests = self._read()
        pushed = await push(database, tasks, requests, actor, dry_run)
        if pushed.last_seq:
            wake("*")
            wake(f"e:{pushed.last_seq}")
        return pushed.lines

    async def pull(self, database: Database, only_open: bool = False, dry_run: bool = False) -> list[Line]:
        """Bring the log into the files. Raises what `pull.pull_tasks` raises, and OperatorError."""
        tasks, requests = self._read()
        places = (self._place(REQUESTS), self._place(TASKS))
        pulled = (await pull_requests(database, requests), await pull_tasks(database, tasks, only_open))
        lines: list[Line] = []
        for file, place, news in zip((requests, tasks), places, pulled, strict=True):
            written = not dry_run and file.write(news.items, place)
            closing = "sync.dry_run" if dry_run else "sync.written" if written else "sync.current"
            lines += [*news.lines, Line.of(closing, file=place)]
        return lines

    def _read(self) -> tuple[ListFile, ListFile]:
        return ListFile.read(self._find(TASKS), "tasks"), ListFile.read(self._find(REQUESTS), "requests")

    def _find(self, name: str) -> Path:
        return memory_file(self.workspace, name) if self.folder is None else self.folder / name

    def _place(self, name: str) -> Path:
        return place_for(self.workspace, name) if self.folder is None else self.folder / name
