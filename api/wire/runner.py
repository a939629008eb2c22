"""What runners say about themselves."""

from typing import Any

from msgspec import Struct

from api.wire.field import Line, RunnerId


class Heartbeat(Struct, frozen=True, forbid_unknown_fields=True):
    """A runner is alive. `status` "stopped" says that it leaves, "started" that it came up."""

    runner_id: RunnerId
    status: Line | None = None
    meta: dict[str, Any] | None = None
