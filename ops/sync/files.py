"""Both files at once: which ones they are, and what pushing and pulling them comes to."""

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from events.connect import Database
from ops.memory import TASKS, find_memory, place_for
from ops.sync.list_file import ListFile
from ops.sync.pull import pull_tasks
from ops.sync.push import push
from ops.sync.report import Line


class Files(Struct, frozen=True):
    """The memory files of a workspace, or those of a folder that was named."""

    workspace: Path | None
    folder: Path | None = None

    async def push(
        self, database: Database, actor: str, wake: Callable[[str], None], dry_run: bool = False
    ) -> list[Line]:
        """Bring the files into the log; `wake` is told when there is something new. Raises what `push.push` raises."""
        pushed = await push(database, ListFile.read(self._find(TASKS), "tasks"), actor, dry_run)
        if pushed.last_seq:
            wake("*")
            wake(f"e:{pushed.last_seq}")
        return pushed.lines

    async def pull(self, database: Database, only_open: bool = False, dry_run: bool = False) -> list[Line]:
        """Bring the log into the files. Raises what `pull.pull_tasks` raises, and OperatorError."""
        file = ListFile.read(self._find(TASKS), "tasks")
        place = self._place(TASKS)
        pulled = await pull_tasks(database, file, only_open)
        written = not dry_run and file.write(pulled.items, place)
        closing = "sync.dry_run" if dry_run else "sync.written" if written else "sync.current"
        return [*pulled.lines, Line.of(closing, file=place)]

    def _find(self, name: str) -> Path:
        return find_memory(self.workspace, name) if self.folder is None else self.folder / name

    def _place(self, name: str) -> Path:
        return place_for(self.workspace, name) if self.folder is None else self.folder / name
