"""The kinds of values that fields of requests hold."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

SECONDS_MAX = 365 * 24 * 3600

PRINTABLE = r"^(?![\s\S]*[\x00-\x1f\x7f])"

TaskId = Annotated[str, Meta(min_length=1, max_length=200, pattern=PRINTABLE, description="1 to 200 characters.")]
RunId = Annotated[str, Meta(pattern=r"^[0-9]{1,18}$", description="Digits.")]
RunnerId = Annotated[str, Meta(min_length=1, max_length=200, pattern=PRINTABLE)]
Line = Annotated[str, Meta(min_length=1, max_length=1000)]
"""A title, a name, a branch."""
Text = Annotated[str, Meta(max_length=1_000_000)]
"""A body, a summary, an error, a command."""
Seconds = Annotated[float, Meta(ge=0, le=SECONDS_MAX)]
Timeout = Annotated[float, Meta(gt=0, le=SECONDS_MAX)]
Moment = Annotated[datetime, Meta(tz=True, description="RFC 3339, with its offset.")]
Count = Annotated[int, Meta(ge=0, le=2_147_483_647)]
Milliseconds = Annotated[int, Meta(ge=0, le=9_007_199_254_740_991)]
Priority = Annotated[int, Meta(ge=0, le=1000, description="0 is the most urgent.")]
Limit = Annotated[int, Meta(ge=1, le=1000)]
