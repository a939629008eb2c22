"""What a wake-up says: "look here". A hint may be lost or repeated; the tables are the truth.

On the wire (NOTIFY on CHANNEL) a hint is a comma-separated list of

    *                         anything may have changed: look everywhere
    r:<priority>:<position>   a task with this claim key became ready; of several the first in claim order is kept
    e:<seq>                   events were appended, up to about this seq; of several the highest is kept
    p                         the system was paused or resumed
    d                         a runner shall drain, or go on
    t                         a token or a session of the panel was made or ended
    ping:<id>                 a listener tests its own hearing

A word that is not known here, from a newer version or a stranger's hand, means `*`: looking once too often is cheap.
"""

from typing import ClassVar

from msgspec import Struct
from msgspec.structs import replace

CHANNEL = "elruso"
PAYLOAD_BYTES_MAX = 7900  # PostgreSQL refuses 8000


class Hint(Struct, frozen=True):
    """What one or many wake-ups say together. `a | b` says what both say; Hint() says nothing and is false.

    ready is a claim key (priority, position); events is a seq; pings are ids of self-tests. `anything` may come with a
    key: look everywhere, and where that is too costly now (events/looks.py), from there.
    """

    everything: ClassVar["Hint"]

    anything: bool = False
    ready: tuple[int, int] | None = None
    events: int | None = None
    pause: bool = False
    drain: bool = False
    credentials: bool = False
    pings: frozenset[str] = frozenset()

    def __or__(self, other: "Hint") -> "Hint":
        return Hint(
            anything=self.anything or other.anything,
            ready=min((key for key in (self.ready, other.ready) if key is not None), default=None),
            events=max((seq for seq in (self.events, other.events) if seq is not None), default=None),
            pause=self.pause or other.pause,
            drain=self.drain or other.drain,
            credentials=self.credentials or other.credentials,
            pings=self.pings | other.pings,
        )

    def __bool__(self) -> bool:
        return self != NOTHING

    @property
    def is_urgent(self) -> bool:
        """True when somebody sleeps until told; plain news of events can wait a moment."""
        return bool(
            self.anything or self.ready is not None or self.pause or self.drain or self.credentials or self.pings
        )

    def without_pings(self) -> "Hint":
        """What is left for those who do not test their hearing."""
        return replace(self, pings=frozenset()) if self.pings else self

    def encode(self) -> str:
        """The payload of a NOTIFY; `*` when it would grow too long."""
        words = ["*"] if self.anything else []
        if self.ready is not None:
            words.append(f"r:{self.ready[0]}:{self.ready[1]}")
        if self.events is not None:
            words.append(f"e:{self.events}")
        if self.pause:
            words.append("p")
        if self.drain:
            words.append("d")
        if self.credentials:
            words.append("t")
        words.extend(f"ping:{ping}" for ping in sorted(self.pings))
        payload = ",".join(words)
        return payload if len(payload.encode()) <= PAYLOAD_BYTES_MAX else "*"

    @classmethod
    def parse(cls, payload: str) -> "Hint":
        """The hint behind a payload. Never fails: what it does not understand means everything."""
        hint = NOTHING
        for word in payload.split(","):
            hint |= _parse_word(word)
        return hint


NOTHING = Hint()
Hint.everything = Hint(anything=True)


def _parse_word(word: str) -> Hint:
    match word.split(":"):
        case ["r", priority, position] if _is_number(priority) and _is_number(position):
            return Hint(ready=(int(priority), int(position)))
        case ["e", seq] if _is_number(seq):
            return Hint(events=int(seq))
        case ["p"]:
            return Hint(pause=True)
        case ["d"]:
            return Hint(drain=True)
        case ["t"]:
            return Hint(credentials=True)
        case ["ping", ping] if ping:
            return Hint(pings=frozenset((ping,)))
        case _:
            return Hint.everything


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19  # a bigint at most
