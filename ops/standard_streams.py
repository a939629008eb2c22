"""Standard input, output and errors that can be relied on, however the process was started."""

import os
import sys
from contextlib import suppress

NAMES = ("stdin", "stdout", "stderr")


def prepare_standard_streams() -> None:
    """Open what the starter closed, and let no character be too much for a stream.

    Otherwise the next file that is opened would get the number 1, and everything printed would be written to it. With
    an ASCII locale a sign such as a check mark is written as an escape instead of ending the command.
    """
    for number, name in enumerate(NAMES):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number: this one
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))
        elif number:
            with suppress(AttributeError):  # replaced by somebody's own object
                getattr(sys, name).reconfigure(errors="backslashreplace")
