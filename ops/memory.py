"""The operator's memory files: those of the workspace's `ops/` folder, else the ones that come along with us.

They are written to the workspace, or, in a checkout without one, among our own.
"""

from importlib.resources import files
from pathlib import Path

from ops.errors import OperatorError

REQUESTS = "REQUESTS.json"
TASKS = "TASKS.json"

OURS = Path(str(files("ops")))


def memory_file(workspace: Path | None, name: str) -> Path:
    """Where the memory file of that name is read: in the workspace if it is there, else among our own."""
    if workspace is not None and (workspace / "ops" / name).is_file():
        return workspace / "ops" / name
    return OURS / name


def place_for(workspace: Path | None, name: str) -> Path:
    """Where the memory file of that name is written. Raises OperatorError where there is no place for it."""
    if workspace is not None:
        return workspace / "ops" / name
    if not (OURS.parent / "schema.sql").is_file():  # installed from a wheel
        raise OperatorError("memory.no_place", name=name)
    return OURS / name
