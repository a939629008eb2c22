"""A refusal the operator can act on: a key of the message catalogue and the facts it speaks of."""

from typing import Any

from ops.messages import translate


class OperatorError(Exception):
    """Ends a command with exit status 1 and a text that says what to do next, in the operator's language."""

    def __init__(self, key: str, **facts: Any) -> None:
        super().__init__(translate(key, "en", **facts))
        self.key = key
        self.facts = facts


def from_os_error(error: OSError) -> OperatorError:
    """The refusal of a file system or a socket (a full disk, a missing right) as one the operator can act on."""
    detail = error.strerror or str(error) or type(error).__name__
    return OperatorError("terminal.system", detail=f"{error.filename}: {detail}" if error.filename else detail)
