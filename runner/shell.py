"""The command line that has a shell run a text, however long it is.

Plain is `bash -c TEXT` (`sh` where there is no bash): as in any script, only the last command decides, and only the
last part of a pipe. Strict is `bash -euo pipefail -c TEXT`: any command that fails ends it, so does an unset variable,
and a pipe fails when one of its parts does.
"""

import shlex
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

HAS_BASH = Path("/bin/bash").exists()
SHELL = "/bin/bash" if HAS_BASH else "/bin/sh"
ARGUMENT_BYTES = 128 * 1024 - 1  # Linux takes no longer argument (MAX_ARG_STRLEN), whatever ARG_MAX says

ShellMode = Literal["plain", "strict", "pipefail"]

_BASH_OPTIONS: dict[ShellMode, tuple[str, ...]] = {
    "plain": (),
    "strict": ("-euo", "pipefail"),
    "pipefail": ("-o", "pipefail"),
}
_TRY_PIPEFAIL = "if (set -o pipefail) 2>/dev/null; then set -o pipefail; fi\n"  # an older sh does not know it
_SH_PREFIXES: dict[ShellMode, str] = {"plain": "", "strict": f"set -eu\n{_TRY_PIPEFAIL}", "pipefail": _TRY_PIPEFAIL}


@contextmanager
def shell_arguments(text: str, mode: ShellMode = "plain") -> Iterator[tuple[str, ...]]:
    """Arguments that run `text`, valid within the block.

    A text that is too long for an argument is read from a private file, by a shell that evaluates it as it would an
    argument: with the same `$0`, and without a file of its own in the working directory.
    """
    options = _BASH_OPTIONS[mode] if HAS_BASH else ()
    script = text if HAS_BASH else _SH_PREFIXES[mode] + text
    encoded = script.encode(errors="replace")
    if len(encoded) <= ARGUMENT_BYTES:
        yield (SHELL, *options, "-c", script)
        return
    with tempfile.NamedTemporaryFile(prefix="elruso-step-") as file:
        file.write(encoded)
        file.flush()
        yield (SHELL, *options, "-c", f'eval "$(cat {shlex.quote(file.name)})"')
