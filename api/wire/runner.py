"""What runners say about themselves."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from api.wire.field import Line, RunId, RunnerId, Text
from events.limits import check_depth


class RunnerFilter(Struct, frozen=True, forbid_unknown_fields=True):
    """Which runners to list; `past`: also those of past starts."""

    past: bool = False


class Heartbeat(Struct, frozen=True, forbid_unknown_fields=True):
    """A runner is alive. `status` "stopped" says that it leaves, "started" that it came up."""

    runner_id: RunnerId
    status: Line | None = None
    meta: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        check_depth("meta", self.meta)


class Release(Struct, frozen=True, forbid_unknown_fields=True):
    """A runner gives back tasks that it holds: those of the runs it names, or all of them."""

    runner_id: RunnerId
    runs: Annotated[list[RunId], Meta(max_length=10_000)] | None = None
    reason: Line = "given back by its runner"


class Drain(Struct, frozen=True, forbid_unknown_fields=True):
    """Hand a runner nothing more, and why."""

    reason: Text | None = None


class Resume(Struct, frozen=True, forbid_unknown_fields=True):
    """Hand a runner work again."""
