"""The log: every event, filtered and live; each opens to its data, its actor, its cause and its effects."""

import json
from typing import Annotated

from msgspec import Meta, Struct
from starlette.responses import Response

from api.panel.paper import address, render
from api.panel.story import tell
from api.panel.visit import Visit
from events.catalog import EVENT_TYPES, kind_of
from events.errors import NotFound
from events.log import last_seq
from projections.story import WINDOW, StoryQuery

PER_PAGE = 100
TYPES = tuple(EVENT_TYPES)
KINDS = tuple(dict.fromkeys(map(kind_of, TYPES)))

Seq = Annotated[int, Meta(ge=0, le=9_007_199_254_740_991)]
Word = Annotated[str, Meta(max_length=200)]


class LogFilter(Struct, frozen=True, forbid_unknown_fields=True):
    """Which events, from where on back in time."""

    kind: Word | None = None
    id: Word | None = None
    type: Word | None = None
    actor: Word | None = None
    heartbeats: bool = False
    before: Seq | None = None

    @property
    def query(self) -> StoryQuery:
        """The question behind it. An id alone is a task's."""
        kind = self.kind or ("task" if self.id else None)
        return StoryQuery(kind, self.id, self.type, self.actor, not self.heartbeats and self.type != "runner.heartbeat")

    @property
    def fields(self) -> dict[str, str]:
        """What is filtered by, as fields of an address."""
        names = ("kind", "id", "type", "actor")
        given = {name: getattr(self, name) for name in names if getattr(self, name)}
        return given | ({"heartbeats": "1"} if self.heartbeats else {})


async def list_events(visit: Visit, query: LogFilter) -> Response:
    """A page of the log, newest first."""
    seq = await last_seq(visit.deps.pool)
    events, following = await visit.board.story(query.query, PER_PAGE, query.before)
    return render(
        visit,
        "log.html",
        seq=seq,
        story=[tell(visit, event) for event in events],
        kinds=KINDS,
        types=TYPES,
        filter=query,
        per_page=PER_PAGE,
        window=WINDOW,
        next=following and address("/panel/log", **query.fields, before=following),
        first=query.before and address("/panel/log", **query.fields),
    )


async def show_event(visit: Visit, seq: Seq) -> Response:
    """One event."""
    found = await visit.board.event(seq)
    if found is None:
        raise NotFound(f"there is no event {seq}")
    return render(
        visit,
        "event.html",
        detail=found,
        told=tell(visit, found.event),
        data=_indent(found.data) if len(found.data) == found.characters else found.data,
        cause=found.cause and tell(visit, found.cause),
        effects=[tell(visit, event) for event in found.effects],
    )


def _indent(data: str) -> str:
    return json.dumps(json.loads(data), indent=2, ensure_ascii=False)
