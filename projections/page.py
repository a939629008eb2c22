"""Parts of lists: how much is given at once, and how one asks for what comes after it."""

import re
from collections.abc import Sequence
from typing import Any

from asyncpg import Pool
from msgspec import Struct

from events.errors import InvalidInput
from events.log import PAGE_BYTES

WINDOW = 50_000
"""Rows that are looked at, at most, for one page. A rare word or phase may give a short page with a `next`."""
FROM_THE_NEWEST = 2**63 - 1
BEFORE_ALL = 10**18 - 1
"""Behind every position of the log, and as long as a cursor may be: begin this list with its newest."""
FEW = 8
"""Rows that are not measured: nothing that may be written today makes so few of them exceed a page."""

_CURSOR = re.compile(r"([a-z_]{1,20})-([0-9]{1,18})(?:-([0-9]{1,18}))?")


async def count_fitting(pool: Pool, statement: str, ids: Sequence[Any]) -> int:
    """How many of the ids, from the first, fit on a page; at least one. The statement is given ids and bytes."""
    if len(ids) <= FEW:
        return len(ids)
    count: int = await pool.fetchval(statement, ids, PAGE_BYTES)
    return max(1, count)


class Page(Struct, frozen=True):
    """A part of a list: a JSON array, how long the whole list is (None: not counted), where the next part begins."""

    data: bytes
    total: int | None = None
    next: str | None = None


class Cursor(Struct, frozen=True):
    """The last row of a page: the list it stands in, and its place there."""

    section: str
    first: int
    second: int = 0

    @classmethod
    def read(cls, text: str, sections: Sequence[str]) -> "Cursor":
        """The cursor behind the text that a page gave as `next`. Raises InvalidInput for any other text."""
        match = _CURSOR.fullmatch(text)
        if match is None or match[1] not in sections:
            raise InvalidInput("cursor: this is not what `meta.next` of the same list said; leave it out to begin anew")
        return cls(match[1], int(match[2]), int(match[3] or 0))

    def __str__(self) -> str:
        return f"{self.section}-{self.first}-{self.second}"
