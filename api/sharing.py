"""One answer for all who ask the same.

`moment`: whoever asks while an answer is being made waits for the next one, which is then made for all of them. So
every answer was begun after the question had arrived: whoever wrote something and asks, finds it.

`log`: besides, an answer is kept and sent again for as long as the database has committed nothing since. That is asked
of the database each time, in a statement that costs next to nothing; only answers that depend on nothing but what the
database holds may be shared so, not on the time or on this process.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Literal

from api.transfer import Packed

Sharing = Literal["none", "moment", "log"]
Key = tuple[str, bytes]
"""Path and query string."""

Make = Callable[[], Awaitable[Packed]]
Ask = tuple[Make, "asyncio.Future[Packed]"]

KEPT_BYTES = 16 * 1024 * 1024
ENTRY_BYTES = 1024  # what an entry takes besides the answer


class SharedAnswers:
    """The answers of one process; `ask_state` asks the database for what differs when anything was committed."""

    def __init__(self, ask_state: Callable[[], Awaitable[str]]) -> None:
        self._ask_state = ask_state
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asking: dict[Key, list[Ask]] = {}
        self._making: set[asyncio.Task[None]] = set()
        self._kept: OrderedDict[Key, tuple[str, Packed]] = OrderedDict()
        self._kept_bytes = 0

    async def answer(self, key: Key, make: Make, kept: bool) -> Packed:
        """What `make` makes, begun after this call; or, if it may be `kept`, what it would make."""
        loop = self._loop = self._loop or asyncio.get_running_loop()  # to ask for it each time is a system call
        answer: asyncio.Future[Packed] = loop.create_future()
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = []
            making = loop.create_task(self._make_all(key, kept), name="answer")
            self._making.add(making)
            making.add_done_callback(self._making.discard)
        asking.append((make, answer))
        return await answer

    async def _make_all(self, key: Key, kept: bool) -> None:
        await asyncio.sleep(0)  # whoever has come in the same moment asks along
        while asked := self._asking[key]:
            self._asking[key] = []
            make, _first = asked[0]
            try:
                made: Packed | Exception = await (self._keep(key, make) if kept else make())
            except Exception as error:
                made = error
            for _make, answer in asked:
                if answer.done():  # its client was cut off
                    continue
                if isinstance(made, Packed):
                    answer.set_result(made)
                else:
                    answer.set_exception(made)
        del self._asking[key]

    async def _keep(self, key: Key, make: Make) -> Packed:
        """The kept answer, if the database is as it was before that was made; else a new one, which is kept."""
        state = await self._ask_state()
        kept_state, kept = self._kept.get(key, ("", None))
        if kept is not None and kept_state == state:
            self._kept.move_to_end(key)
            return kept
        made = await make()
        self._forget(key)
        self._kept[key] = (state, made)
        self._kept_bytes += ENTRY_BYTES + len(made.body)
        while self._kept_bytes > KEPT_BYTES:
            self._forget(next(iter(self._kept)))
        return made

    def _forget(self, key: Key) -> None:
        _state, old = self._kept.pop(key, ("", None))
        self._kept_bytes -= 0 if old is None else ENTRY_BYTES + len(old.body)
