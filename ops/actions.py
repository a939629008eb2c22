"""What an operator may start through the API: the same as the commands `db migrate`, `sync push`, `sync pull`."""

from collections.abc import Awaitable, Callable, Iterable

from api.actions import ActionResult
from events.connect import Database
from events.errors import ElRusoError, Unavailable
from ops.config import Config
from ops.errors import OperatorError
from ops.messages import translate
from ops.migrate import migrate, report
from ops.report import Line, tell
from ops.sync.files import Files
from ops.vault.keyring import Keyring
from projections.rebuild import rebuild


class LocalActions:
    """Runs them in this process, on its database and its workspace; answers in the language of the settings."""

    def __init__(self, config: Config, database: Database, keyring: Keyring, wake: Callable[[str], None]) -> None:
        self._keyring = keyring
        self._language = config.language
        self._files = Files(config.workspace)
        self._database = database
        self._wake = wake

    async def migrate(self) -> ActionResult:
        """As `elruso db migrate`."""

        async def work() -> list[Line]:
            return list(report(await migrate(self._database.connect, rebuild=rebuild)))

        return await self._run(work())

    async def sync_push(self, actor: str, dry_run: bool) -> ActionResult:
        """As `elruso sync push`."""
        return await self._run(self._files.push(self._database, self._keyring, actor, self._wake, dry_run))

    async def sync_pull(self, only_open: bool, dry_run: bool) -> ActionResult:
        """As `elruso sync pull`."""
        return await self._run(self._files.pull(self._database, only_open, dry_run))

    async def _run(self, work: Awaitable[Iterable[Line]]) -> ActionResult:
        try:
            lines = await work
        except OperatorError as error:
            return self._refused(self._text(error.key, **error.facts))
        except Unavailable:
            raise
        except ElRusoError as error:
            return self._refused(error.detail)
        return ActionResult(True, tell(lines, self._text), 0)

    def _refused(self, detail: str) -> ActionResult:
        return ActionResult(False, self._text("terminal.error", detail=detail), 1)

    def _text(self, key: str, **facts: object) -> str:
        return translate(key, self._language, **facts)
