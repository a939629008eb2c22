"""ELRUSO_HOME: for its owner only, also where a lax umask or an older version left it open."""

import os
import tempfile
from pathlib import Path

ENTRIES = ("copies", "kept", "logs", "postgres-16", "postgres-18", "run", "runs", "trash", "up", "vault")
CLOSED = 0o700
PROBE_BYTES = 65_536
PASSABLE = 0o711  # root's PostgreSQL runs as another account, which passes through to its own files


def make_home_private(home: Path) -> None:
    """Create the home if it is missing, and take from others what rights they have in ours. Nothing is opened up.

    A folder that holds more than ours, such as a home in /tmp, keeps its mode; what is ours in it does not.
    """
    if not home.exists():
        home.mkdir(mode=home_mode(), parents=True)
        home.chmod(home_mode())  # whatever the umask is
    names = {entry.name for entry in home.iterdir()}
    if names and names <= set(ENTRIES):
        _restrict(home, home_mode())
    for name in names & set(ENTRIES):
        _restrict(home / name, home_mode() if name.startswith("postgres-") else CLOSED)
    for folder in ("logs", "run"):
        if folder in names:
            for file in (home / folder).iterdir():
                _restrict(file, 0o600 if file.is_file() else CLOSED)


def make_private(folder: Path) -> None:
    """Make a folder for its owner only, if it is missing."""
    folder.mkdir(mode=CLOSED, parents=True, exist_ok=True)


def check_space(folder: Path) -> None:
    """Write a little, and remove it. Raises OSError naming the folder: its disk is full, read-only or gone."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(folder)) from error


def open_private(path: str, flags: int) -> int:
    """An opener for `open`: what it creates is for its owner only."""
    return os.open(path, flags, 0o600)


def home_mode() -> int:
    """The rights to the home, and to the folder of the server in it."""
    return PASSABLE if os.geteuid() == 0 else CLOSED


def _restrict(path: Path, allowed: int) -> None:
    found = path.lstat()
    if path.is_symlink() or found.st_uid != os.geteuid():
        return
    if (found.st_mode & 0o777) & ~allowed:
        path.chmod(found.st_mode & allowed)
