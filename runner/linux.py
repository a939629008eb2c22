"""Linux process controls that Python lacks: prctl(2). Standard library only; callers check `IS_LINUX` first."""

import ctypes
import os
import sys

IS_LINUX = sys.platform == "linux"

_SET_PARENT_DEATH_SIGNAL = 1
_GET_DUMPABLE = 3
_SET_DUMPABLE = 4
_SET_NAME = 15
_SET_CHILD_SUBREAPER = 36

_prctl = ctypes.CDLL(None, use_errno=True).prctl if IS_LINUX else None


def become_subreaper() -> None:
    """Become the parent of every orphaned descendant, detached ones too. Cleared by fork, kept by exec."""
    _control(_SET_CHILD_SUBREAPER, 1)


def set_parent_death_signal(number: int) -> None:
    """Have the kernel send this signal when the thread that forked this process ends. Cleared by fork."""
    _control(_SET_PARENT_DEATH_SIGNAL, number)


def set_undumpable() -> None:
    """Deny /proc/PID/{environ,mem,fd,…} and ptrace to processes without CAP_SYS_PTRACE. Cleared by exec."""
    _control(_SET_DUMPABLE, 0)


def set_dumpable() -> None:
    """Undo set_undumpable."""
    _control(_SET_DUMPABLE, 1)


def is_dumpable() -> bool:
    """Whether processes of the same user can read this one's memory and environment."""
    return _control(_GET_DUMPABLE, 0) != 0


def set_process_name(name: str) -> None:
    """The name that ps and top show, at most 15 bytes."""
    _control(_SET_NAME, ctypes.c_char_p(name.encode()))


def _control(option: int, argument: object) -> int:
    assert _prctl is not None, "prctl exists on Linux only"
    result: int = _prctl(option, argument, 0, 0, 0)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl({option}): {os.strerror(number)}")
    return result
