"""A PostgreSQL server as its users see it."""

from pathlib import Path
from urllib.parse import quote

import msgspec

SUPERUSER = "postgres"
ROLE = "elruso"  # owns the database of the same name; everything of ours connects as this role
DATABASE = "elruso"


class Server(msgspec.Struct, frozen=True):
    """Addresses and files of one server. The password holds for both roles; whoever may read it is the operator."""

    major: int
    port: int
    socket: Path
    password: str
    files: Path

    @property
    def data(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.files / "data"

    @property
    def log(self) -> Path:
        """The folder of the server's logs, one file for each weekday."""
        return self.files / "log"

    def url(self, database: str = DATABASE, role: str = ROLE) -> str:
        """The address over the unix socket: the fastest, for processes on this machine that may enter its folder."""
        return (
            f"postgresql://{role}:{quote(self.password)}@/{quote(database)}?host={quote(str(self.socket))}"
            f"&port={self.port}"
        )

    def tcp_url(self, database: str = DATABASE, role: str = ROLE) -> str:
        """The address on 127.0.0.1, which every client understands."""
        return f"postgresql://{role}:{quote(self.password)}@127.0.0.1:{self.port}/{quote(database)}"
