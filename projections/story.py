"""The log as a story: events newest first, each as one line; and one of them with its cause and its effects."""

from datetime import datetime
from typing import Any

import msgspec
from asyncpg import Pool, Record
from msgspec import Struct

from events.log import seldom_types
from events.statements import load_statements
from projections.page import FROM_THE_NEWEST

WINDOW = 20_000  # events that are looked at, at most, for one page
EFFECTS_WITHIN = 20_000  # seqs behind an event in which its effects stand
EFFECTS_MAX = 100
DATA_CHARACTERS = 100_000

_sql = load_statements("projections", "story.sql")
_facts = msgspec.json.Decoder(dict[str, str | None])


class EventBrief(Struct, frozen=True):
    """An event as one line. `facts`: the fields of its data as texts, each cut to 300 characters."""

    seq: int
    kind: str
    id: str
    version: int
    type: str
    actor: str
    at: datetime
    cause: int | None
    facts: dict[str, str | None]


class StoryQuery(Struct, frozen=True):
    """Which events: those that agree with all that is not None. With kind and id it is one stream."""

    kind: str | None = None
    id: str | None = None
    type: str | None = None
    actor: str | None = None
    without_heartbeats: bool = False

    @property
    def seldom(self) -> list[str] | None:
        """The types that are asked for, if they happen seldom: those are found at once, without a window."""
        return seldom_types(self.kind, self.type, {"runner.heartbeat"} if self.without_heartbeats else ())


class EventDetail(Struct, frozen=True):
    """One event with its data (JSON, cut to DATA_CHARACTERS of its `characters`), its cause and its effects."""

    event: EventBrief
    data: str
    characters: int
    command_id: str | None
    cause: EventBrief | None
    effects: list[EventBrief]


async def read_story(
    pool: Pool, query: StoryQuery, limit: int, before: int | None
) -> tuple[list[EventBrief], int | None]:
    """Events, newest first, and what to pass as `before` for those after them (None: there are no more).

    Of the whole log that is a seq, of one stream a version. A page may be short although there is a next one: of an
    actor, or of what happens often, it looks at WINDOW events at most.
    """
    start = FROM_THE_NEWEST if before is None else before
    if query.kind is not None and query.id is not None:
        version = min(start, 2**31 - 1)
        events = _briefs(await pool.fetch(_sql["list_stream"], query.kind, query.id, version, limit + 1))
        return events[:limit], events[limit - 1].version if len(events) > limit else None
    if query.actor is None and (types := query.seldom) is not None:
        events = _briefs(await pool.fetch(_sql["list_seldom"], start, types, limit + 1))
        return events[:limit], events[limit - 1].seq if len(events) > limit else None
    filters = (query.kind, query.type, query.actor, query.without_heartbeats)
    events = _briefs(await pool.fetch(_sql["list_latest"], start, WINDOW, *filters, limit + 1))
    if len(events) > limit:
        return events[:limit], events[limit - 1].seq
    return events, await pool.fetchval(_sql["last_of_latest"], start, WINDOW)


async def find_event(pool: Pool, seq: int) -> EventDetail | None:
    """One event, or None."""
    row = await pool.fetchrow(_sql["find_event"], seq, DATA_CHARACTERS)
    if row is None:
        return None
    cause = None
    if row["cause"] is not None:
        cause = await pool.fetchrow(_sql["find_event"], row["cause"], 0)
    stream = (row["kind"], row["id"], row["version"])
    effects = await pool.fetch(_sql["list_effects"], seq, EFFECTS_WITHIN, EFFECTS_MAX, *stream)
    return EventDetail(
        _brief(row), row["data"], row["characters"], row["command_id"], cause and _brief(cause), _briefs(effects)
    )


def _briefs(rows: list[Record]) -> list[EventBrief]:
    return [_brief(row) for row in rows]


def _brief(row: Record) -> EventBrief:
    fields: dict[str, Any] = {name: row[name] for name in EventBrief.__struct_fields__ if name != "facts"}
    return EventBrief(**fields, facts=_facts.decode(row["facts"]) if row["facts"] else {})
