"""The operator's memory files: those of the workspace's `ops/` folder, else the ones that come along with us."""

from importlib.resources import files
from pathlib import Path

REQUESTS = "REQUESTS.json"


def memory_file(workspace: Path | None, name: str) -> Path:
    """Where the memory file of that name is read: in the workspace if it is there, else among our own."""
    if workspace is not None and (workspace / "ops" / name).is_file():
        return workspace / "ops" / name
    return Path(str(files("ops"))) / name
