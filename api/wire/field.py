"""The kinds of values that fields of requests hold: those of events (events/limits.py), and a few of the wire alone."""

from typing import Annotated

from msgspec import Meta

from events.limits import (
    SECONDS_MAX,
    Attempts,
    BigCount,
    Count,
    Line,
    MaxAttempts,
    Moment,
    Number,
    Path,
    Priority,
    Seconds,
    StreamId,
    Text,
    Timeout,
    VariableName,
)

__all__ = [
    "SECONDS_MAX",
    "Attempts",
    "BigCount",
    "Count",
    "Limit",
    "Line",
    "MaxAttempts",
    "Moment",
    "Number",
    "Path",
    "Priority",
    "RunId",
    "RunnerId",
    "Seconds",
    "TaskId",
    "Text",
    "Timeout",
    "VariableName",
]

TaskId = StreamId
RunnerId = StreamId
RunId = Annotated[str, Meta(pattern=r"^[0-9]{1,18}$", description="Digits.")]
Limit = Annotated[int, Meta(ge=1, le=1000)]
