"""Sleep until rung."""

import asyncio


class Alarm:
    """Rung by a hint, or by its own clock. What rang while nobody slept wakes the next sleeper at once."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    def ring(self) -> None:
        """Wake up."""
        self._rung.set()

    def ring_in(self, seconds: float | None) -> None:
        """Wake up in so many seconds; None: not by the clock. Replaces what was set before."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if seconds is not None:
            self._timer = asyncio.get_running_loop().call_later(max(0.0, seconds), self.ring)

    def clear(self) -> None:
        """Forget what rang so far, and the clock."""
        self._rung.clear()
        self.ring_in(None)

    async def wait(self) -> None:
        """Until it rings."""
        await self._rung.wait()
