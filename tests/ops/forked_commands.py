"""Runs many commands of `elruso`, each in a process of its own that needs not import everything again.

Reads a JSON array of argument lists from stdin; writes a JSON array of what each printed, on both streams.
"""

import json
import os
import sys
from collections.abc import Sequence

from ops.cli import main


def output_of(arguments: Sequence[str]) -> str:
    """What a command prints in a forked process, whose stdin is empty."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        os.close(reading)
        os.close(writing)
        try:
            main(list(arguments))
        except SystemExit:
            pass
        except BaseException:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        printed = file.read().decode(errors="surrogateescape")
    os.waitpid(child, 0)
    return printed


if __name__ == "__main__":
    json.dump([output_of(arguments) for arguments in json.load(sys.stdin)], sys.stdout)
