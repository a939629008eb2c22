"""The operating-system account PostgreSQL runs as: ours, or an unprivileged one when we are root."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
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
        self, arguments: Sequence[str | Path], folder: Path, environment: dict[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        """Run a program as this account in `folder`; output captured, never raises on its exit status."""
        return subprocess.run(
            [str(argument) for argument in arguments],
            cwd=folder,
            env=SERVER_ENVIRONMENT | (environment or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            **({"user": self.uid, "group": self.gid, "extra_groups": []} if self.switch else {}),
        )

    def can_write(self, folder: Path) -> bool:
        """Whether this account reaches `folder` and may write there; the kernel answers, not the mode bits."""
        return self.run(["test", "-w", folder], Path("/")).returncode == 0

    def own(self, path: Path) -> Path:
        """Give `path` to this account."""
        if self.switch:
            os.chown(path, self.uid, self.gid)
        return path


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
