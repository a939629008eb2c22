"""A refusal the operator can act on: a key of the message catalogue and the facts it speaks of."""

from typing import Any

from ops.messages import translate


class OperatorError(Exception):
    """Ends a command with exit status 1 and a text that says what to do next, in the operator's language."""

    def __init__(self, key: str, **facts: Any) -> None:
        super().__init__(translate(key, "en", **facts))
        self.key = key
        self.facts = facts
