"""A run of the planner: look, ask, judge, have it mended once, write it down. And what the API is given of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Protocol

import structlog
from asyncpg import Connection, Pool
from msgspec import Struct
from msgspec.structs import replace

from api.planning import Composed, PlannerTerms, Planning
from events.commands import Commands
from events.directive import Approval
from events.directives import Definitions, PlannerReport, Proposals
from events.errors import BudgetSpent, ElRusoError, KeyMissing, PlannerFailed
from events.ids import new_planner_run_id
from events.planner import PlannerCompleted, Usage
from events.planner import PlannerFailed as PlannerFailedEvent
from events.requests import Wanted
from ops.planner.flight import Flight, Pilot, take_off
from ops.planner.judgement import Judgement, better, judge
from ops.planner.material import gather
from ops.planner.model import Answer, Messages, Model, ModelFailure, ModelSettings, tokens_of
from ops.planner.prompt import Prompt, compose, mend
from ops.prices import Price, price_of
from projections.views import Views

KEY_NAME = "OPENAI_API_KEY"
KEY_REQUEST = "REQ-009"
PROPOSER = "gpt"
ROUNDS = 2

log = structlog.get_logger(__name__)


class Secrets(Protocol):
    """Where the key is found when it is needed, and what a text must not hold."""

    def get(self, name: str) -> str | None:
        """The value of a variable now, or None."""

    def redact(self, text: str) -> str:
        """The text without secrets."""


class PlannerSettings(Struct, frozen=True, kw_only=True):
    """On what terms the planner works. `budget` is in dollars a day (UTC)."""

    model: ModelSettings
    prices: Mapping[str, Price]
    budget: float
    approval: Approval
    workspace: Path | None = None
    prompt_characters: int = 60_000
    directives: int = 10


class World(Struct, frozen=True):
    """What the planner works with. `connect` opens a connection for the lock of a run."""

    commands: Commands
    views: Views
    pool: Pool
    connect: Callable[[], Awaitable[Connection]]
    secrets: Secrets
    definitions: Callable[[], Definitions] = dict


class Talk:
    """What was said to the model and back, and what it cost so far."""

    def __init__(self, prompt: Prompt) -> None:
        self.messages: Messages = [
            {"role": "system", "content": prompt.system},
            {"role": "user", "content": prompt.user},
        ]
        self.usage = Usage()
        self.rounds = 0
        self.notes: list[str] = []


class Planner:
    """Runs when it is asked to. Use as a context: leaving it interrupts a run that is under way, and notes that."""

    def __init__(self, settings: PlannerSettings, world: World) -> None:
        self._settings = settings
        self._world = world
        self._model = Model(settings.model)
        self._runs: set[asyncio.Task[Planning]] = set()

    async def __aenter__(self) -> "Planner":
        return self

    async def __aexit__(self, *_: object) -> None:
        for run in self._runs:
            run.cancel()
        if self._runs:
            await asyncio.wait(self._runs)

    async def terms(self) -> PlannerTerms:
        """Model, budget, approval, and whether there is a key; a vault that does not open has none."""
        try:
            has_key = bool(await asyncio.to_thread(self._world.secrets.get, KEY_NAME))
        except ElRusoError:
            has_key = False
        return PlannerTerms(self._settings.model.model, self._settings.budget, has_key, self._settings.approval)

    async def compose(self, environment: str) -> Composed:
        """The prompt of a run that would begin now."""
        definitions = await asyncio.to_thread(self._world.definitions)
        prompt = await self._prompt(environment, definitions)
        return Composed(prompt.text, len(prompt.text), prompt.digest)

    async def run(self, environment: str, actor: str) -> Planning:
        """One run, to its end; it goes on when the caller is gone.

        Raises:
            KeyMissing, PlannerBusy, BudgetSpent: it did not begin, no event tells of it.
            PlannerFailed: no answer that could be used; an event tells of it, nothing was created.
        """
        key = await self._key(actor)
        run = asyncio.create_task(self._run(key, environment, actor), name="planner")
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)
        try:
            return await asyncio.shield(run)
        except asyncio.CancelledError:
            if not run.cancelled():
                run.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody waits for it now
                raise
            raise PlannerFailed("the process is shutting down; let the planner run again", run_id=None) from None

    async def _run(self, key: str, environment: str, actor: str) -> Planning:
        pilot = Pilot(new_planner_run_id(), self._settings.model.model, environment, actor)
        async with take_off(self._world.connect, self._world.pool, pilot) as flight:
            begun = time.monotonic()
            definitions = await asyncio.to_thread(self._world.definitions)
            prompt = await self._prompt(environment, definitions)
            talk = Talk(prompt)
            await self._check_budget(talk)
            report = PlannerCompleted(model=pilot.model, prompt_hash=prompt.digest, environment=environment)
            try:
                judgement = await self._converse(key, talk, flight)
                event = replace(self._priced(report, talk, begun), refused=judgement.refused, notes=talk.notes)
                run = PlannerReport(pilot.run_id, event, actor)
                return await self._write(
                    flight, Proposals(judgement.drafts, PROPOSER, self._settings.approval, definitions, run)
                )
            except ModelFailure as failure:
                await self._fail(pilot, failure, self._priced(report, talk, begun))
                raise PlannerFailed(failure.detail, run_id=pilot.run_id, outcome=failure.outcome) from None
            except (asyncio.CancelledError, Exception) as error:
                await self._fail(pilot, _unforeseen(error), self._priced(report, talk, begun))
                raise

    async def _converse(self, key: str, talk: Talk, flight: Flight) -> Judgement:
        """Ask, and have the answer mended once if that is worth it. Raises ModelFailure."""
        await flight.enter("asking", f"{tokens_of(talk.messages)} tokens at most, to {flight.pilot.model}")
        first = await self._judged(await self._ask(key, talk, flight))
        if not first.problems:
            return first
        await flight.enter("mending", f"{len(first.problems)} problems in the answer")
        try:
            await self._check_budget(talk)
            talk.messages.append({"role": "user", "content": mend(first.problems)})
            second = await self._judged(await self._ask(key, talk, flight))
        except (ModelFailure, BudgetSpent) as failure:
            if first.unusable:
                raise _invalid(first) from failure
            talk.notes.append(f"the answer was not mended: {failure.detail}")
            return first
        judgement = better(first, second)
        if judgement.unusable:
            raise _invalid(judgement)
        return judgement

    async def _ask(self, key: str, talk: Talk, flight: Flight) -> Answer:
        talk.rounds += 1
        try:
            answer = await self._model.ask(key, talk.messages, flight.tell)
        except ModelFailure as failure:
            if failure.billed:
                reserve = self._settings.model.output_tokens
                talk.usage += Usage(tokens_of(talk.messages), reserve, estimated=True)
            raise ModelFailure(failure.outcome, self._world.secrets.redact(failure.detail)) from failure
        talk.usage += answer.usage
        if answer.refusal is not None:
            raise ModelFailure("refused", f"the model will not answer: {self._world.secrets.redact(answer.refusal)}")
        talk.messages.append({"role": "assistant", "content": answer.text})
        return answer

    async def _judged(self, answer: Answer) -> Judgement:
        redact = self._world.secrets.redact
        return await asyncio.to_thread(judge, answer, self._settings.directives, redact)

    async def _write(self, flight: Flight, proposals: Proposals) -> Planning:
        """All that the run creates, and the event that says so, in one transaction."""
        run = proposals.run
        assert run is not None
        event = run.event
        await flight.enter("storing", f"{len(proposals.drafts)} directives")
        if not await flight.is_alone():
            raise ModelFailure("interrupted", "the database gave the planner's lock away meanwhile; let it run again")
        proposed = await self._world.commands.directives.propose(proposals)
        return Planning(
            run_id=run.run_id,
            model=event.model,
            usage=event.usage,
            cost=event.cost,
            duration_ms=event.duration_ms,
            rounds=event.rounds,
            directives=proposed.directives,
            tasks=proposed.tasks,
            requests=proposed.requests,
            refused=[*event.refused, *proposed.refused],
            notes=event.notes,
        )

    async def _fail(self, pilot: Pilot, failure: ModelFailure, report: PlannerCompleted) -> None:
        event = PlannerFailedEvent(
            outcome=failure.outcome,
            error=self._world.secrets.redact(failure.detail),
            model=report.model,
            prompt_hash=report.prompt_hash,
            environment=report.environment,
            usage=report.usage,
            cost=report.cost,
            duration_ms=report.duration_ms,
            rounds=report.rounds,
        )
        log.warning("planner.failed", run_id=pilot.run_id, outcome=failure.outcome, error=failure.detail)
        await self._world.commands.directives.record_failure(pilot.run_id, event, pilot.actor)

    def _priced(self, report: PlannerCompleted, talk: Talk, begun: float) -> PlannerCompleted:
        price = price_of(report.model, self._settings.prices)
        return replace(
            report,
            usage=talk.usage,
            cost=price.of(talk.usage) if price else 0.0,
            duration_ms=round((time.monotonic() - begun) * 1000),
            rounds=max(talk.rounds, 1),
        )

    async def _prompt(self, environment: str, definitions: Definitions) -> Prompt:
        material = await gather(self._world.views, self._settings.workspace, environment, definitions)
        return await asyncio.to_thread(
            compose, material, self._settings.prompt_characters, self._settings.directives, self._world.secrets.redact
        )

    async def _key(self, actor: str) -> str:
        key = await asyncio.to_thread(self._world.secrets.get, KEY_NAME)
        if key:
            return key
        definitions = await asyncio.to_thread(self._world.definitions)
        wanted = Wanted(KEY_REQUEST, definitions.get(KEY_REQUEST), "the planner needs a key for its model")
        await self._world.commands.requests.open([wanted], actor, again=True)
        raise KeyMissing(
            f"there is no {KEY_NAME}: store it with POST /ops/requests/{KEY_REQUEST}/value "
            f'{{"values": {{"{KEY_NAME}": "…"}}}}, with `elruso vault set {KEY_NAME}`, or in the panel '
            "under /panel/setup; no restart is needed",
            request_id=KEY_REQUEST,
        )

    async def _check_budget(self, talk: Talk) -> None:
        """Refuse what could cost more than is left of the day's money. Raises BudgetSpent."""
        model, budget = self._settings.model, self._settings.budget
        price = price_of(model.model, self._settings.prices)
        if price is None:
            raise BudgetSpent(
                f"nobody knows what {model.model} costs, so the budget could not be kept; "
                f"add it to ELRUSO_PLANNER_PRICES, like {model.model}=2/8 (dollars a million tokens; 0/0 is free)"
            )
        spent = await self._world.views.spent_today() + price.of(talk.usage)
        most = price.of(Usage(tokens_of(talk.messages), model.output_tokens))
        if spent + most > budget:
            raise BudgetSpent(
                f"${spent:.2f} of today's ${budget:.2f} are spent and this may cost ${most:.2f} more; "
                "wait until midnight UTC or raise ELRUSO_PLANNER_BUDGET",
                spent=spent,
                budget=budget,
                most=most,
            )


def _invalid(judgement: Judgement) -> ModelFailure:
    told = "; ".join(judgement.problems[:10])
    return ModelFailure("invalid_answer", f"the model's answer cannot be used, mended neither: {told}")


def _unforeseen(error: BaseException) -> ModelFailure:
    if isinstance(error, asyncio.CancelledError):
        return ModelFailure("interrupted", "the process was shutting down")
    detail = error.detail if isinstance(error, ElRusoError) else f"{type(error).__name__}: see the server's log"
    return ModelFailure("internal", detail)
