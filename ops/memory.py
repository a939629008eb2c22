"""The operator's memory files: TASKS.json, REQUESTS.json, GPT_CONTEXT.md, DECISIONS.md.

They are read from `ops/` in the workspace; what is missing there is taken from this folder, which ships a first version
of each. They are written to the workspace, or, in a checkout without one, here.
"""

from importlib.resources import files
from pathlib import Path

from ops.errors import OperatorError

TASKS = "TASKS.json"
REQUESTS = "REQUESTS.json"

SHIPPED = Path(str(files("ops")))


def find_memory(workspace: Path | None, name: str) -> Path:
    """The memory file of that name that counts; it may not exist."""
    own = None if workspace is None else workspace / "ops" / name
    return own if own and own.is_file() else SHIPPED / name


def place_for(workspace: Path | None, name: str) -> Path:
    """Where the memory file of that name is written. Raises OperatorError where there is no place for it."""
    if workspace is not None:
        return workspace / "ops" / name
    if not (SHIPPED.parent / "schema.sql").is_file():  # installed from a wheel
        raise OperatorError("memory.no_place", name=name)
    return SHIPPED / name
