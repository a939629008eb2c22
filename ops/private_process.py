"""Hide a process's memory and settings from other processes of the same user, such as steps of tasks. Linux only.

PR_SET_DUMPABLE denies them its memory, descriptors and environment. The initial environment is also overwritten where
/proc/PID/environ shows it, which hides it from root. Root can still read the memory itself.
"""

import ctypes
import itertools
import sys
from pathlib import Path

from ops.config import adopt_environment, inherited_environment
from runner.linux import IS_LINUX, set_dumpable, set_undumpable

TOKEN_OPTION = "--token"

# Fields of /proc/self/stat, counted from the one after the process's name.
_ARGUMENTS_START, _ARGUMENTS_END, _ENVIRONMENT_START, _ENVIRONMENT_END = 45, 46, 47, 48


def become_private() -> None:
    """Make this process non-dumpable and wipe its initial environment. Call it first, while there is one thread."""
    if not IS_LINUX:
        return
    set_undumpable()
    fields = [int(field) for field in Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[1:]]
    fields.insert(0, 0)  # the state, a letter
    adopt_environment(inherited_environment())  # setenv(3) copies the values, so nothing points to the old memory
    _wipe(fields[_ENVIRONMENT_START], fields[_ENVIRONMENT_END])
    for token in tokens_in(sys.argv):
        _wipe_argument(fields[_ARGUMENTS_START], fields[_ARGUMENTS_END], token)


def become_identifiable() -> None:
    """Make this process dumpable, for clients without a token.

    An API that is not root must be able to see that the connection is not a step's (api/peer.py).
    """
    if IS_LINUX:
        set_dumpable()


def tokens_in(arguments: list[str]) -> list[str]:
    """The tokens in a command line."""
    pairs = itertools.pairwise(arguments)
    apart = [value for option, value in pairs if option == TOKEN_OPTION]
    return apart + [text.partition("=")[2] for text in arguments if text.startswith(f"{TOKEN_OPTION}=")]


def _wipe(start: int, end: int) -> None:
    if 0 < start < end:
        ctypes.memset(start, 0, end - start)


def _wipe_argument(start: int, end: int, text: str) -> None:
    """Overwrite an argument where ps reads it; Python has a copy."""
    value = text.encode(errors="surrogateescape")
    found = ctypes.string_at(start, end - start).find(value) if value and 0 < start < end else -1
    if found >= 0:
        ctypes.memset(start + found, ord("x"), len(value))
