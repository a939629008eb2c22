"""Our packages have everyday names; make sure that no other distribution's stand in front of them."""

import importlib.util
from pathlib import Path

from ops.errors import OperatorError

PACKAGES = ("events", "projections", "api", "runner", "ops")


def refuse_strangers() -> None:
    """Raise OperatorError naming the first of our packages that is not ours, before anything is imported from it."""
    ours = Path(__file__).resolve().parent.parent
    for name in PACKAGES:
        found = importlib.util.find_spec(name)
        origin = Path(found.origin).resolve() if found and found.origin else None
        if origin is None or origin.parent.parent != ours:
            raise OperatorError("terminal.stranger", name=name, path=origin)
