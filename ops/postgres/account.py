"""The operating-system account PostgreSQL runs as: ours, or an unprivileged one when we are root."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

OWN_ACCOUNT = "elruso"

# A server needs nothing of its starter's environment; C keeps its messages in English, where we read them.
SERVER_ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C", "TZ": "UTC"}


class Account(msgspec.Struct, frozen=True):
    """An account that owns a server's files. `switch` says whether programs must change to it first."""

    uid: int
    gid: int
    switch: bool

    def run(
        self,
        arguments: Sequence[str | Path],
        folder: Path = Path("/"),
        environment: Mapping[str, str] | None = None,
        text: str = "",
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program as this account in `folder`, with `text` on stdin; never raises on its exit status."""
        return subprocess.run(
            [str(argument) for argument in arguments],
            cwd=folder,
            env=SERVER_ENVIRONMENT | dict(environment or {}),
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            user=self.uid if self.switch else None,
            group=self.gid if self.switch else None,
            extra_groups=[] if self.switch else None,
        )

    def write(self, path: Path, text: str) -> None:
        """Write a private file as this account. Root itself writes nothing in folders that an account could change:
        a link planted there would lead root's hand anywhere."""
        self._must(["sh", "-c", 'umask 077 && cat >"$0"', path], text)

    def make_folder(self, path: Path) -> None:
        """Make a private folder as this account, if it is missing."""
        self._must(["mkdir", "-p", "-m", "700", path])

    def can_write(self, folder: Path) -> bool:
        """Whether this account reaches `folder` and may write there; the kernel answers, not the mode bits."""
        return self.run(["test", "-w", folder]).returncode == 0

    def can_run(self, program: Path) -> bool:
        """Whether this account reaches `program` and it runs, its libraries found."""
        try:
            return self.run([program, "--version"]).returncode == 0
        except OSError:
            return False

    def own(self, path: Path) -> Path:
        """Give `path` to this account."""
        if self.switch:
            os.chown(path, self.uid, self.gid)
        return path

    def _must(self, arguments: Sequence[str | Path], text: str = "") -> None:
        outcome = self.run(arguments, text=text)
        if outcome.returncode != 0:
            raise OSError(f"{arguments[-1]}: {outcome.stdout.strip()}")


def choose_account() -> Account:
    """The account for a new cluster: ours; for root `postgres`, else a system account of our own, else `nobody`."""
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), switch=False)
    entry = _entry("postgres") or _entry(OWN_ACCOUNT) or _create_own() or pwd.getpwnam("nobody")
    return Account(entry.pw_uid, entry.pw_gid, switch=True)


def owner_of(path: Path) -> Account:
    """The account an existing cluster belongs to, whatever we would choose today."""
    found = path.stat()
    return Account(found.st_uid, found.st_gid, switch=found.st_uid != os.geteuid())


def _entry(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _create_own() -> pwd.struct_passwd | None:
    if shutil.which("useradd") is None:
        return None
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", OWN_ACCOUNT]
    subprocess.run(command, capture_output=True, check=False)
    return _entry(OWN_ACCOUNT)
