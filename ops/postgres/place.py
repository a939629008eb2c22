"""Where a cluster's files are put, so that the account it runs as can reach them."""

import secrets
import shutil
import socket
import tempfile
from contextlib import suppress
from pathlib import Path

from ops.errors import OperatorError
from ops.home import PASSABLE, home_mode
from ops.postgres.account import Account
from ops.postgres.binaries import SYSTEM_FOLDER

SOCKET_PREFIX = "elruso-"
SOCKET_PATH_BYTES = 100  # the kernel's limit is 104 on macOS and 108 on Linux, the closing NUL included


def make_folder(folder: Path) -> None:
    """Make a server's folder, if it is missing; root's server, which runs as another account, can pass through it."""
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(home_mode())


def place_files(folder: Path, account: Account) -> None:
    """Make `folder/files`, owned by `account`: a directory, or a link when another account cannot enter `folder`.

    The link leads to a new directory under SYSTEM_FOLDER. Whoever deletes `folder` starts afresh: no name that could
    be found again leads to the old data. The permissions of folders we did not make are never changed.
    """
    files = folder / "files"
    if files.exists():
        return
    files.mkdir(mode=0o700)
    if account.can_write(account.own(files)):
        return
    files.rmdir()
    elsewhere = SYSTEM_FOLDER / secrets.token_hex(8)
    if not SYSTEM_FOLDER.exists():
        SYSTEM_FOLDER.mkdir(parents=True, exist_ok=True)
        SYSTEM_FOLDER.chmod(PASSABLE)  # whatever the umask is
    elsewhere.mkdir(mode=0o700)
    if not account.can_write(account.own(elsewhere)):
        elsewhere.rmdir()
        raise OperatorError("postgres.unreachable", folder=folder, system=SYSTEM_FOLDER, uid=account.uid)
    files.symlink_to(elsewhere)


def remove_files(folder: Path) -> None:
    """Delete `folder`, and what its link leads to."""
    files = folder / "files"
    if files.exists():
        shutil.rmtree(files.resolve())
    shutil.rmtree(folder)


def socket_folder(files: Path, account: Account, remembered: str = "") -> Path:
    """A folder for the unix socket: beside the data, or under the temporary folder where that path is too long.

    `remembered` is the one of the last start. Processes that have its address find the restarted server there.
    """
    folder = files / "socket"
    if len(str(folder / ".s.PGSQL.65535").encode()) <= SOCKET_PATH_BYTES:
        account.make_folder(folder)
        return folder
    last = Path(remembered)
    if remembered and files not in last.parents:
        with suppress(OSError):  # it is still there, unless a clean stop or a cleaner of temporary files removed it
            last.mkdir(mode=0o700)
            account.own(last)
        if last.is_dir() and not last.is_symlink() and last.stat().st_uid == account.uid:
            return last
    return account.own(Path(tempfile.mkdtemp(prefix=SOCKET_PREFIX)))


def lead_to_socket(folder: Path, account: Account, old_port: int, port: int) -> None:
    """Let the socket's old address lead to the new one, for processes that used the server before it was restarted."""
    account.run(["ln", "-sfn", f".s.PGSQL.{port}", folder / f".s.PGSQL.{old_port}"])


def clear_socket_folder(remembered: str) -> None:
    """Delete a stopped server's socket folder if it is a temporary one of ours, and only its sockets, never more.

    What is remembered may be empty (a start that was interrupted), and a name in the temporary folder may by now be
    somebody else's folder.
    """
    folder = Path(remembered)
    if not folder.is_absolute() or not folder.name.startswith(SOCKET_PREFIX) or folder.is_symlink():
        return
    with suppress(OSError):
        for socket_file in folder.glob(".s.PGSQL.*"):
            socket_file.unlink()
        folder.rmdir()


def free_port() -> int:
    """A TCP port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether nobody listens on that port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
