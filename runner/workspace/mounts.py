"""Mounts that a step left behind: what lies under them is somebody else's, and must not be removed with its files."""

import os
import re
from pathlib import Path

_TABLE = Path("/proc/self/mountinfo")  # Linux; elsewhere nothing is found
_MOUNT_POINT = 4  # the fifth field of a line
_OCTAL = re.compile(rb"\\([0-7]{3})")


def has_mounts(path: Path) -> bool:
    """True when something is mounted at `path` or below it, bind mounts included, which no device number tells."""
    real = os.fsencode(os.path.realpath(path))
    return any(point == real or point.startswith(real + b"/") for point in _mount_points())


def _mount_points() -> list[bytes]:
    try:
        lines = _TABLE.read_bytes().splitlines()
    except OSError:
        return []
    return [_OCTAL.sub(lambda code: bytes([int(code[1], 8)]), line.split(b" ")[_MOUNT_POINT]) for line in lines]
