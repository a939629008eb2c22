"""The runs of one process: begun in slots, known by their ids, cancelled one by one or all together."""

import asyncio
from asyncio import CancelledError
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog
from msgspec import structs

from events.claims import Claimed
from events.errors import ElRusoError, LeaseLost
from runner.containment import describe_trace
from runner.delivery import Delivery
from runner.execute import execute
from runner.link import Link
from runner.run import Context
from runner.slots import Slots
from runner.workspace.fitness import Fault, Unfit

LOST_SECONDS = 30.0  # how long a run that was taken away may take to end before its slot is given to others

log = structlog.get_logger(__name__)


class Runs:
    """At most `slots` runs at once. `progress` is set whenever a run has ended or a report was answered.

    `unfit` is called with what is wrong when a run met a fault of this machine; then the run is given back.
    """

    def __init__(self, link: Link, context: Context, slots: int, unfit: Callable[[Fault], None]) -> None:
        self.progress = asyncio.Event()
        self._link = link
        self._unfit = unfit
        self.delivery = Delivery(link, self.lose, self.progress)
        self._context = structs.replace(context, reporter=self.delivery, control=self)
        context.workspaces.set_run_lookup(link)
        self._slots: Slots[Claimed] = Slots(slots, self._execute)
        self._count = slots
        self._held: dict[int, Claimed] = {}  # claimed, and not ended yet
        self._running: dict[int, asyncio.Task[None]] = {}
        self._lost: set[int] = set()  # cancelled, and not ended yet
        self._loop: asyncio.AbstractEventLoop | None = None  # to ask for it each time is a system call

    def start(self) -> None:
        """Open the slots."""
        self._loop = asyncio.get_running_loop()
        self._slots.start()

    async def close(self) -> None:
        """Close the slots."""
        await self._slots.close()
        await self._context.workspaces.close()

    @property
    def free(self) -> int:
        """How many more tasks may be begun."""
        return self._count - len(self._held)

    @property
    def held(self) -> set[int]:
        """Runs without an accepted end. The log no longer lists the others; that does not mean that they are lost."""
        return self._held.keys() - self.delivery.accepted

    @property
    def known(self) -> set[int]:
        """These, and those that have reports under way."""
        return self._held.keys() | self.delivery.outstanding.keys()

    def begin(self, tasks: Sequence[Claimed]) -> None:
        """Execute them, each as soon as a slot takes it."""
        for claimed in tasks:
            self._held[claimed.run_id] = claimed
        self._slots.add(tasks)

    def forget_unbegun(self) -> list[int]:
        """Let go of the runs that no slot has taken; which they are."""
        unbegun = [claimed.run_id for claimed in self._slots.clear()]
        for run_id in unbegun:
            del self._held[run_id]
        return unbegun

    def lose(self, run_id: int) -> None:
        """The run is not ours any more: stop it. A second call skips the grace of its processes."""
        slot = self._running.get(run_id)
        if slot is not None:
            self._lost.add(run_id)
            slot.cancel()
            slot.get_loop().call_later(LOST_SECONDS, self.abandon, run_id, "it ignores that it was cancelled")

    def lose_all(self) -> None:
        """The same for all of them."""
        for run_id in list(self._running):
            self.lose(run_id)

    async def end_within(self, seconds: float | None, unless: asyncio.Event | None = None) -> bool:
        """Wait for the runs to end; True when they have. Gives up after that time, or once `unless` is set."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._running and not (unless is not None and unless.is_set()):
                    await self.advance()
        return not self._running

    async def bury(self) -> None:
        """Wait until the runs that were lost have ended."""
        while self._lost:
            await self.advance()

    async def advance(self) -> None:
        """Wait until a run has ended or a report was answered."""
        self.progress.clear()
        await self.progress.wait()

    def is_cancelled(self, run_id: int) -> bool:
        """See RunControl."""
        return run_id in self._lost or self._slots.closing

    def abandon(self, run_id: int, reason: str) -> None:
        """See RunControl."""
        slot = self._running.get(run_id)
        if slot is None or self._slots.closing:
            return
        log.error("run.abandoned", task_id=self._held[run_id].task_id, run_id=run_id, reason=reason)
        if run_id not in self._lost:
            self.delivery.give_up(self._held[run_id], reason)
        self._end(run_id)
        self._slots.abandon(slot)

    async def _execute(self, claimed: Claimed) -> None:
        run_id = claimed.run_id
        slot = asyncio.current_task(self._loop)
        assert slot is not None
        self._running[run_id] = slot
        self.delivery.begin(claimed)
        try:
            await execute(claimed, self._context)
        except LeaseLost:
            log.warning("run.lost", task_id=claimed.task_id, run_id=run_id)
        except Unfit as problem:
            await self._hand_back(claimed, problem)
        except BaseException as error:
            if isinstance(error, GeneratorExit) or (isinstance(error, CancelledError) and self._slots.closing):
                raise
            self._break_down(claimed, error)
        finally:
            if self._running.get(run_id) is slot:
                self._end(run_id)
                while slot.cancelling() and not self._slots.closing:
                    slot.uncancel()

    async def _hand_back(self, claimed: Claimed, problem: Unfit) -> None:
        log.warning("run.handed_back", task_id=claimed.task_id, run_id=claimed.run_id, reason=problem.detail)
        self._unfit(problem.fault)
        try:
            await self._link.release([claimed.run_id], problem.detail)
        except ElRusoError as refusal:  # then the log and this runner disagree, which the next heartbeats reconcile
            log.warning("run.not_handed_back", run_id=claimed.run_id, error=refusal.detail)
        except CancelledError:
            if not self.is_cancelled(claimed.run_id) or self._slots.closing:
                raise

    def _break_down(self, claimed: Claimed, error: BaseException) -> None:
        """An error of the runner's own, or one that a handler got past it: it costs an attempt, but not the slot."""
        run_id = claimed.run_id
        if run_id in self._lost or run_id not in self._running:
            return
        log.error("run.broke_down", task_id=claimed.task_id, run_id=run_id, exception=describe_trace(error))
        self.delivery.give_up(claimed, f"the runner broke down over this run: {type(error).__name__}")

    def _end(self, run_id: int) -> None:
        """The run occupies its slot no longer, and has nothing more to report."""
        self._lost.discard(run_id)
        self.delivery.forget(run_id)
        del self._running[run_id]
        del self._held[run_id]
        self.progress.set()
