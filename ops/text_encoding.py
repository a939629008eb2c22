"""Our files are UTF-8, whatever the locale says."""

import locale
import os
import sys

from ops.config import inherited_environment


def require_utf8() -> None:
    """Where Python would read files in another encoding, start this process again in its UTF-8 mode; same pid.

    The standard streams keep the encoding of the terminal; what it lacks is written as an escape.
    """
    if locale.getpreferredencoding(do_setlocale=False).lower() in ("utf-8", "utf8"):
        return
    terminal = {"PYTHONIOENCODING": f"{sys.stdout.encoding}:backslashreplace"}
    environment = terminal | inherited_environment() | {"PYTHONUTF8": "1"}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
