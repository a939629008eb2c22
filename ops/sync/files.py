"""Both files at once: which ones they are, and what pushing and pulling them comes to."""

from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from api.screening import screened
from events.connect import Database
from events.errors import SecretInText, Unavailable
from ops.errors import OperatorError
from ops.memory import REQUESTS, TASKS, memory_file, place_for
from ops.report import Line
from ops.sync.list_file import ListFile
from ops.sync.pull import pull_requests, pull_tasks
from ops.sync.push import push
from ops.vault.keyring import Keyring


class Files(Struct, frozen=True):
    """The memory files of a workspace, or those of a folder that was named."""

    workspace: Path | None
    folder: Path | None = None

    async def push(
        self, database: Database, keyring: Keyring, actor: str, wake: Callable[[str], None], dry_run: bool = False
    ) -> list[Line]:
        """Bring the files into the log; `wake` is told when there is something new.

        Raises what `push.push` raises, and OperatorError when a secret of the keyring stands in a file.
        """
        tasks, requests = self._read()
        for file in (tasks, requests):
            _refuse_secrets(file, keyring)
        pushed = await push(database, (tasks, requests), _names_in(keyring), actor, dry_run)
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


def _refuse_secrets(file: ListFile, keyring: Keyring) -> None:
    """What is pushed stands in the log for ever."""
    for item in file.items:
        try:
            screened(msgspec.json.encode(item), "refuse", keyring)
        except SecretInText as error:
            raise OperatorError("sync.secret", file=file.path, id=item.get("id", "?"), detail=error.detail) from error


def _names_in(keyring: Keyring) -> frozenset[str]:
    """The names of the values that are there; none when the vault cannot be opened."""
    try:
        return frozenset(keyring.contents().entries)
    except Unavailable:
        return frozenset()
