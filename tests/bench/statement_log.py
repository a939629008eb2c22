"""Every statement that a database is sent, read from the server's own log."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from events.connect import Database
from events.statements import load_statements
from tests.bench.adapter import Worker
from tests.bench.machine import ROOT
from tests.bench.measure import pause
from tests.bench.server import OBSERVER, Bench

PACKAGES = ("events", "projections", "api", "runner", "ops")
LINE = re.compile(
    r"\S+ \S+ \S+ \[\d+\] (?P<application>\S*) LOG:  (?:statement|execute [^:]*): (?P<text>.*)", re.DOTALL
)
WRITTEN_SECONDS = 0.5  # until the server has written what it logs
BEGINNING = re.compile(r"^\d{4}-\d\d-\d\d ", re.MULTILINE)


class Statement(Struct, frozen=True):
    """One statement as it was sent. `name` is the one it has in its .sql file, or its first words."""

    application: str
    name: str
    text: str


class StatementLog:
    """What sessions of one database that connect after `prepare` send between `start` and `stop`.

    Also a meter of a drained backlog. Sessions that only observe are left out.
    """

    def __init__(self, bench: Bench) -> None:
        assert bench.server is not None, "the log of a given server cannot be read"
        self._bench = bench
        self._folder = bench.server.log
        self._offsets: dict[Path, int] = {}
        self.statements: list[Statement] = []

    async def prepare(self, database: Database) -> None:
        """Have the server log what is sent to this database."""
        name = urlsplit(database.url).path.lstrip("/")
        await self._bench.administer(f"ALTER DATABASE {name} SET log_statement = 'all'")

    async def start(self, workers: Sequence[Worker] = ()) -> None:
        """From here on."""
        self._offsets = {file: file.stat().st_size for file in self._files()}

    async def stop(self) -> None:
        """Up to here; fills `statements`."""
        await pause(WRITTEN_SECONDS)
        text = "".join(self._read(file) for file in self._files())
        self.statements = [statement for statement in parse(text) if statement.application != OBSERVER]

    async def finish(self) -> None:
        """Nothing is left to do."""

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob("*.log"), key=lambda file: file.stat().st_mtime)

    def _read(self, file: Path) -> str:
        with file.open(errors="replace") as log:
            log.seek(self._offsets.get(file, 0))
            return log.read()


def parse(text: str) -> Iterator[Statement]:
    """The statements in a piece of the log; an entry goes on over lines that begin with a tab."""
    starts = [found.start() for found in BEGINNING.finditer(text)]
    for start, end in pairwise([*starts, len(text)]):
        if found := LINE.match(text[start:end]):
            sent = found["text"].replace("\n\t", "\n").strip()
            yield Statement(
                found["application"], statement_names().get(_plain(sent)) or " ".join(sent.split()[:4]), sent
            )


@cache
def statement_names() -> Mapping[str, str]:
    """The name of every statement in our packages, by its text."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.sql")]
    loaded = [
        load_statements(".".join(file.relative_to(ROOT).parent.parts), file.name)
        for file in files
        if "migrations" not in file.parts
    ]
    return {_plain(text): name for statements in loaded for name, text in statements.items()}


def _plain(text: str) -> str:
    return " ".join(text.split())
