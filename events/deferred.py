"""What a group committer could not write because of a transient condition, and will try again."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from asyncpg import Connection
from msgspec import Struct

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Answered = Callable[[Answer | None, Exception | None], None]
"""Called once with the item's answer, or with the reason why there is none. Must not raise."""

BATCH_ITEMS = 500


class Batch(Struct, Generic[Item, Answer], frozen=True):
    """A kind of write: how a list of items is carried out on a connection.

    `write(connection, items, resent)` answers one result per item, in order; `resent` says that an earlier try may
    have been committed although its acknowledgement was lost. Items of the same `key` are written in order.
    """

    name: str
    write: Callable[[Connection, Sequence[Item], bool], Awaitable[Sequence[Answer]]]
    items_max: int = BATCH_ITEMS
    key: Callable[[Item], Hashable] | None = None


class Entry(Struct, eq=False):
    """An item on its way; `since`: loop time, if its caller waits for a limited time."""

    batch: Batch[Any, Any]
    item: Any
    answered: Answered[Any]
    future: asyncio.Future[Any] | None
    since: float

    @property
    def key(self) -> Hashable:
        """Entries of the same key keep their order."""
        key = self.batch.key
        return self if key is None else (self.batch.name, key(self.item))

    @property
    def is_cancelled(self) -> bool:
        """Whether nobody waits for it."""
        return self.future is not None and self.future.cancelled()


class Group(Struct, eq=False):
    """Entries of one batch that are tried together.

    `tries`: those that reached the database and met a transient condition; `reached`: whether the last one did. `due`:
    loop time of the next. `locked`: the last one waited in vain for a lock; `holders`: the sessions that hold it.
    """

    entries: list[Entry]
    tries: int = 0
    reached: bool = False
    due: float = 0.0
    locked: bool = False
    holders: str | None = None

    @property
    def batch(self) -> Batch[Any, Any]:
        """What they have in common."""
        return self.entries[0].batch

    @property
    def resent(self) -> bool:
        """Whether an earlier try may have been committed."""
        return self.tries > 0

    def halves(self) -> "list[Group]":
        """Two groups, neither of which has a key of the other; of a single key, one."""
        by_key: dict[Hashable, list[Entry]] = {}
        for entry in self.entries:
            by_key.setdefault(entry.key, []).append(entry)
        units = list(by_key.values())
        if len(units) == 1:
            return [self]
        middle = len(units) // 2
        parts = (units[:middle], units[middle:])
        return [Group([entry for unit in part for entry in unit], tries=1) for part in parts]


class Deferred:
    """Groups that wait for their next try. What comes later for one of their keys waits behind them."""

    def __init__(self) -> None:
        self._groups: list[Group] = []
        self._by_key: dict[Hashable, Group] = {}

    def __len__(self) -> int:
        return sum(len(group.entries) for group in self._groups)

    def __bool__(self) -> bool:
        return bool(self._groups)

    @property
    def groups(self) -> int:
        """How many."""
        return len(self._groups)

    @property
    def next_due(self) -> float | None:
        """When the first one is due; None: there is none."""
        return min((group.due for group in self._groups), default=None)

    def add(self, group: Group) -> None:
        """Let it wait until it is due."""
        self._groups.append(group)
        self._by_key.update((entry.key, group) for entry in group.entries)

    def pop(self, now: float) -> Group | None:
        """The group that has been due for longest."""
        group = min(self._groups, key=lambda each: each.due, default=None)
        if group is None or group.due > now:
            return None
        self._remove(group)
        return group

    def keep_order(self, entries: Iterable[Entry]) -> list[Entry]:
        """Those that need not wait; the others join the group that has their key."""
        free: list[Entry] = []
        for entry in entries:
            group = self._by_key.get(entry.key)
            (free if group is None else group.entries).append(entry)
        return free

    def drop(self, is_late: Callable[[Entry], bool]) -> list[Entry]:
        """Take out the entries that are late."""
        late: list[Entry] = []
        for group in list(self._groups):
            late += [entry for entry in group.entries if is_late(entry)]
            kept = [entry for entry in group.entries if not is_late(entry)]
            if len(kept) < len(group.entries):
                self._remove(group)
                group.entries = kept
                if kept:
                    self.add(group)
        return late

    def _remove(self, group: Group) -> None:
        self._groups.remove(group)
        for entry in group.entries:
            self._by_key.pop(entry.key, None)
