"""The runner: claims what it has free slots for, has it executed, and sleeps while there is nothing to do."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any

import structlog

from events.backoff import Backoff
from events.beats import Beat
from events.errors import ElRusoError, explain
from events.hint import Hint
from events.outage import Outage
from events.releases import UNKNOWN_RUN
from runner.alarm import Alarm
from runner.heartbeat import Heart
from runner.link import Link
from runner.process_group import GRACE_SECONDS
from runner.run import Context
from runner.runs import Runs
from runner.settings import Settings
from runner.subreaper_client import shared_subreaper
from runner.workspace.fitness import Fault, Unfit

LINGER_SECONDS = 0.005  # how long a few free slots wait for more before a claim is made for them
OUTSTANDING_RUNS = 2000  # with so many runs whose reports have no answer yet, claiming waits
LAST_CLAIM_SECONDS = 0.3  # how long a claim that is under way may take when the runner stops
HEED_SECONDS = 0.05  # how long runs may take to notice that they are cancelled
TERM_SECONDS = 0.35  # how long their processes may take to heed SIGTERM when the runner stops
KILL_SECONDS = 2.0  # and how long their workspaces to be removed
FAREWELL_SECONDS = 5.0  # how long the last reports may take
FIRST_CHECK_SECONDS = 1.0  # until an unfit runner checks again whether it is fit;
LONGEST_CHECK_SECONDS = 5.0  # the delay doubles up to this

STOPS = "its runner stops"
DRAINS = "its runner drains"

log = structlog.get_logger(__name__)


class Worker:
    """One runner. `run` it once; `stop` ends it, from the same event loop. `started`: the engine knows of it."""

    def __init__(self, link: Link, context: Context, settings: Settings) -> None:
        self.started = asyncio.Event()
        self._link = link
        self._settings = settings
        self._runs = Runs(link, context, settings.concurrency, self._fall_unfit)
        self._heart = Heart(link, settings, self._feel, self._fall_silent, self._meta)
        self._fitness = context.workspaces.fitness
        self._fault: Fault | None = None  # what makes it unfit for runs; then it claims nothing
        self._alarm = Alarm()
        self._outage = Outage("claims")
        self._held_before: set[int] = set()  # at the last heartbeat: the runs that were ours as far as we knew,
        self._said_before: set[int] = set()  # and as the log had it
        self._asking = False  # a claim is under way
        self._draining = False  # an operator wants it to claim no more
        self._stopping = asyncio.Event()
        self._hard = asyncio.Event()
        self._chores: set[asyncio.Task[None]] = set()

    @property
    def draining(self) -> bool:
        """Whether it knows that it shall claim no more."""
        return self._draining

    async def run(self) -> None:
        """Work until stopped, then hand back what is not done. Raises Unavailable when the engine was never reached."""
        settings = self._settings
        fault = await self._fitness.check()
        if fault is not None:
            self._fall_unfit(fault)
        beat = await self._link.started(self._meta())
        log.info("runner.started", runner=settings.runner_id, concurrency=settings.concurrency, mode=self._link.mode)
        unsubscribe = self._link.subscribe(self._hear)
        self._runs.start()
        self._heart.start()
        self._feel(beat)
        self.started.set()
        claiming = asyncio.create_task(self._claim_for_ever(), name="claims")
        stopping = asyncio.create_task(self._stopping.wait(), name="stop")
        try:
            await asyncio.wait([claiming, stopping], return_when=asyncio.FIRST_COMPLETED)
        finally:
            unsubscribe()
            stopping.cancel()
            await self._wind_up(claiming)

    def stop(self, hard: bool = False) -> None:
        """Claim no more and hand back what is not done. `hard`: kill everything at once, and say goodbye to nobody."""
        log.info("runner.stopping", runner=self._settings.runner_id, hard=hard)
        self._stopping.set()
        if hard:
            self._hard.set()
            self._runs.progress.set()

    # ------------------------------------------------------------------ claiming

    async def _claim_for_ever(self) -> None:
        backoff = Backoff(0.2, 5.0)
        while not self._stopping.is_set():
            await self._wait_for_room()
            self._alarm.clear()
            try:
                await self._claim()
                backoff.reset()
            except Exception as error:  # whatever it is: a runner must not end because a claim failed
                if not (self._outage or isinstance(error, ElRusoError)):
                    log.exception("claim.broke_down")
                self._outage.fail(self, error)
                await asyncio.sleep(backoff.next_delay())

    async def _claim(self) -> None:
        if self._draining or self._fault is not None:
            await self._alarm.wait()
            return
        self._asking = True
        wanted = self._runs.free
        try:
            answer = await self._link.claim(wanted)
            self._outage.recover(self)
        finally:
            self._asking = False
        if self._stopping.is_set():
            return  # what came now goes back with the rest
        if answer.draining:
            self._turn(True)
        elif answer.tasks and (self._draining or self._fault):  # asked for before it was told
            await self._link.release([claimed.run_id for claimed in answer.tasks], self._refusal())
        elif answer.tasks:
            self._runs.begin(answer.tasks)
            if len(answer.tasks) < wanted:  # that was all there was
                await asyncio.sleep(0)  # no hurry to ask for more: the runs go first
        else:
            self._alarm.ring_in(None if answer.paused else answer.due_seconds)
            await self._alarm.wait()

    async def _wait_for_room(self) -> None:
        """Until a quarter of the slots is free, or a few have been for a moment."""
        worthwhile = max(1, self._settings.concurrency // 4)
        if self._has_room(worthwhile):
            return
        while not self._has_room(1):
            await self._runs.advance()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while not self._has_room(worthwhile):
                    await self._runs.advance()

    def _has_room(self, wanted: int) -> bool:
        return self._runs.free >= wanted and len(self._runs.delivery.outstanding) < OUTSTANDING_RUNS

    # ------------------------------------------------------------------ what it is told

    def _hear(self, hint: Hint) -> None:
        if hint.anything or hint.ready is not None or hint.pause:
            self._alarm.ring()
        if hint.drain:
            self._heart.hurry()  # it may be this one

    def _feel(self, beat: Beat) -> None:
        """The answer to a heartbeat."""
        shared_subreaper().renew_lease(self._settings.lease_seconds + GRACE_SECONDS)  # as long as our own way takes
        self._turn(beat.draining)
        if beat.ready and not beat.paused:
            self._alarm.ring()
        elif not beat.paused and beat.due_seconds is not None:
            self._alarm.ring_in(beat.due_seconds)
        if beat.stuck:
            self._do("sweep", self._link.sweep())
        if beat.held is not None:
            self._compare(set(beat.held))

    def _turn(self, draining: bool) -> None:
        """Drain, or go on. It stays while it drains: whoever supervises a runner would start one that ended again."""
        if draining == self._draining:
            return
        self._draining = draining
        log.info("runner.draining" if draining else "runner.resumed", runner=self._settings.runner_id)
        unbegun = self._runs.forget_unbegun() if draining else []
        if unbegun:
            self._do("unbegun", self._link.release(unbegun, DRAINS))
        self._alarm.ring()

    def _meta(self) -> dict[str, Any]:
        """What the runner says of itself. Called in the heartbeat's thread as well."""
        return self._settings.meta(self._link.mode, self._fault)

    def _refusal(self) -> str:
        return DRAINS if self._fault is None else Unfit(self._fault).detail

    def _fall_unfit(self, fault: Fault) -> None:
        """Claim nothing until this machine is fit again; runs under way go on."""
        known, self._fault = self._fault, fault
        if known is not None:
            return
        log.error("runner.unfit", runner=self._settings.runner_id, code=fault.code, detail=fault.detail)
        unbegun = self._runs.forget_unbegun()
        if unbegun:
            self._do("unbegun", self._link.release(unbegun, self._refusal()))
        self._do("fitness", self._await_fitness())
        self._heart.hurry()

    async def _await_fitness(self) -> None:
        backoff = Backoff(FIRST_CHECK_SECONDS, LONGEST_CHECK_SECONDS)
        while self._fault is not None and not self._stopping.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(backoff.next_delay()):
                    await self._stopping.wait()
            self._fault = await self._fitness.check()
        if self._fault is None:
            log.info("runner.fit", runner=self._settings.runner_id)
            self._alarm.ring()
            self._heart.hurry()

    def _compare(self, said: set[int]) -> None:
        """What the log says we hold, with what we know of; a difference that outlasts a heartbeat is one.

        A run that is ours no more (its task was cancelled, say) is stopped. A run that we never heard of (the answer
        to a claim was lost) is given back.
        """
        for run_id in (self._held_before & self._runs.held) - said:
            self._runs.lose(run_id)
        strays = (said & self._said_before) - self._runs.known - self._held_before
        if strays:
            self._do("strays", self._link.release(list(strays), UNKNOWN_RUN))
        self._held_before, self._said_before = self._runs.held, said

    def _fall_silent(self, seconds: float) -> None:
        """No heartbeat got through for as long as the lease lasts: whatever we execute may be another's by now."""
        log.error("runner.silent", seconds=round(seconds, 1), lease_seconds=self._settings.lease_seconds)
        runs = [*self._runs.forget_unbegun(), *self._runs.held]
        self._runs.lose_all()
        if runs:
            self._do("silence", self._give_back_the_dead(runs))

    async def _give_back_the_dead(self, runs: Sequence[int]) -> None:
        await self._runs.bury()
        await self._link.release(runs, "its runner could not be seen for the time of its lease")

    def _do(self, name: str, chore: Coroutine[Any, Any, None]) -> None:
        """In the background, unless a chore of that name is under way."""
        if any(task.get_name() == name for task in self._chores):
            chore.close()
            return
        task = asyncio.create_task(self._attempt(name, chore), name=name)
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)

    async def _attempt(self, name: str, chore: Coroutine[Any, Any, None]) -> None:
        try:
            await chore
        except ElRusoError as refusal:
            log.warning("chore.failed", chore=name, error=refusal.detail)
        except Exception:
            log.exception("chore.failed", chore=name)

    # ------------------------------------------------------------------ the end

    async def _wind_up(self, claiming: "asyncio.Task[None]") -> None:
        """Unbegun tasks go back at once, running ones after their grace; then the runner says goodbye."""
        await asyncio.wait([claiming], timeout=LAST_CLAIM_SECONDS if self._asking else 0)
        claiming.cancel()
        await asyncio.wait([claiming])
        unbegun = self._runs.forget_unbegun()
        if unbegun and not self._hard.is_set():
            await self._say(self._link.release(unbegun, STOPS))
        await self._end_runs()
        await self._heart.stop()
        if not self._hard.is_set():
            await self._say(self._farewell())
        await self._runs.close()
        log.info("runner.stopped", runner=self._settings.runner_id)
        if not claiming.cancelled():
            claiming.result()  # if claiming broke down, so does the runner

    async def _end_runs(self) -> None:
        if await self._runs.end_within(self._settings.drain_seconds, self._hard):
            return
        self._runs.lose_all()
        if await self._runs.end_within(HEED_SECONDS) or await self._runs.end_within(TERM_SECONDS, self._hard):
            return
        self._runs.lose_all()
        await self._runs.end_within(KILL_SECONDS)

    async def _farewell(self) -> None:
        await self._runs.delivery.settle()
        await self._link.release(None, STOPS)
        await self._link.stopped(STOPS)

    async def _say(self, words: Coroutine[Any, Any, None]) -> None:
        """Say it if anybody hears it; the lease takes care of the rest."""
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                await words
        except (ElRusoError, TimeoutError) as error:
            log.warning("runner.unheard", error=explain(error))
