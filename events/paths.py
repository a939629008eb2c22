"""Paths that stay inside a workspace."""

from events.errors import InvalidInput


def parts_inside(path: str, field: str) -> list[str]:
    """The parts of a path that stays inside the workspace; `.` and doubled slashes are left out.

    Raises:
        InvalidInput: it is empty, absolute, or contains `..`; the detail names `field`.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if not parts or path.startswith(("/", "~/")) or "\\" in path or "\0" in path or ".." in parts:
        raise InvalidInput(f"{field}: {path!r} must be a path inside the workspace, without a leading / and without ..")
    return parts
