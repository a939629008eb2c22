"""The limits of what an event can hold, for its Structs, the wire, the files and the guard of the log alike.

A text that enters an index is short enough for one; a number fits its column, with room for what is added to it; a time
can be shown in every time zone by every reader. What the log accepted before these limits reads as the nearest value
within them (events/tolerant.py, and the folds in schema.sql).
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from msgspec import Meta

PRINTABLE = r"^(?![\s\S]*[\x00-\x1f\x7f])"
LINE_MAX = 1000
TEXT_MAX = 1_000_000
PATH_MAX = 4096 * 4  # characters: each byte of a path can stand as an escape like \xff
SECONDS_MAX = 365 * 24 * 3600
MOMENT_MIN = datetime(1970, 1, 1, tzinfo=UTC)
MOMENT_MAX = datetime(9998, 12, 31, tzinfo=UTC)
DEPTH_MAX = 100  # of nested JSON; Python's decoder bears a thousand levels less those of its callers

StreamId = Annotated[str, Meta(min_length=1, max_length=200, pattern=PRINTABLE, description="1 to 200 characters.")]
"""The id of a task, a directive, a runner."""
Name = Annotated[str, Meta(max_length=200)]
"""A kind, a model, an environment, a digest."""
Actor = Annotated[str, Meta(min_length=1, max_length=300)]
Line = Annotated[str, Meta(min_length=1, max_length=LINE_MAX)]
"""A title, a name, a branch."""
Brief = Annotated[str, Meta(max_length=LINE_MAX)]
"""A line that can be empty: the branch and the commit of a run, a service that nobody knows."""
Text = Annotated[str, Meta(max_length=TEXT_MAX)]
"""A body, a summary, an error, a command."""
Path = Annotated[str, Meta(max_length=PATH_MAX)]
VariableName = Annotated[str, Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,199}$(?!\n)", description="Of a shell variable.")]
Seconds = Annotated[float, Meta(ge=0, le=SECONDS_MAX)]
Timeout = Annotated[float, Meta(ge=0.001, le=SECONDS_MAX)]
Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339, with its offset.")]
Count = Annotated[int, Meta(ge=0, le=2_147_483_647)]
Number = Annotated[int, Meta(ge=-2_147_483_648, le=2_147_483_647)]
BigCount = Annotated[int, Meta(ge=0, le=9_007_199_254_740_991)]
"""Bytes, tokens, milliseconds: as far as JavaScript counts without a gap."""
Seq = Annotated[int, Meta(ge=0, le=9_223_372_036_854_775_807)]
"""The place of an event in the log; a run's id is the seq of its claim."""
Cost = Annotated[float, Meta(ge=0, le=1e12)]
"""In dollars."""
Priority = Annotated[int, Meta(ge=0, le=1000, description="0 is the most urgent.")]
MaxAttempts = Annotated[int, Meta(ge=1, le=100)]
Attempts = Annotated[int, Meta(ge=0, le=1_000_000)]
"""The folds count no further, so a claim can always add one."""


def check_moment(name: str, value: datetime | None) -> None:
    """Raises ValueError, which msgspec reports with its place, for a time that is not from MOMENT_MIN to MOMENT_MAX."""
    if value is not None and not MOMENT_MIN <= value <= MOMENT_MAX:
        raise ValueError(f"`{name}` must be a time from {MOMENT_MIN:%Y-%m-%d} to {MOMENT_MAX:%Y-%m-%d}")


def shortened(text: str, limit: int) -> str:
    """The text, or as much of its beginning as fits into `limit` characters, with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def check_depth(name: str, value: Any) -> None:
    """Raises ValueError for free JSON with containers more than DEPTH_MAX levels deep."""
    if is_deeper(value, DEPTH_MAX):
        raise ValueError(f"`{name}` must not be nested more than {DEPTH_MAX} levels deep")


def is_deeper(value: Any, depth: int) -> bool:
    """Whether free JSON has containers more than `depth` levels deep."""
    if not isinstance(value, dict | list):
        return False
    if depth == 0:
        return True
    items = value.values() if isinstance(value, dict) else value
    return any(is_deeper(item, depth - 1) for item in items)
