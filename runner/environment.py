"""What a child process may see: a small base, what was granted, and which run it belongs to."""

from collections.abc import Mapping

BASE_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TERM", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ")
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def base_environment(parent: Mapping[str, str]) -> dict[str, str]:
    """The harmless part of `parent`, the runner's own environment. Everything else must be granted by name."""
    return {"PATH": DEFAULT_PATH} | {name: parent[name] for name in BASE_VARIABLES if name in parent}


def child_environment(
    parent: Mapping[str, str], granted: Mapping[str, str], task_id: str, run_id: int
) -> dict[str, str]:
    """The whole environment of a step."""
    identity = {"ELRUSO_TASK_ID": task_id, "ELRUSO_RUN_ID": str(run_id)}
    return base_environment(parent) | dict(granted) | identity
