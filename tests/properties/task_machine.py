"""The machine: random commands on the real thing, and after each of them a look whether the model agrees."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from random import Random
from typing import Any
from uuid import UUID

import asyncpg
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule
from msgspec import Raw, Struct, structs

from events import catalog, claims, request, runner, system, task
from events.claims import ClaimAnswer, Claimed
from events.commands import OutputChunk
from events.database_errors import from_database
from events.dependencies import in_order
from events.errors import (
    DependencyCycle,
    Draining,
    ElRusoError,
    IdempotencyKeyReused,
    IllegalTransition,
    InvalidInput,
    LeaseLost,
    NotEligible,
    NotFound,
    Paused,
)
from events.event import Event
from events.reports import Report
from tests.properties.choices import (
    Request,
    Turn,
    links,
    places,
    raw_event,
    report_event,
    requests,
    runner_ids,
    texts,
    turns,
)
from tests.properties.model import Told, judge
from tests.properties.player import BOGUS_RUN, TASKS_MAX, Player, is_reaction

HUMAN = "human:ana"
LEASE_SECONDS = 15.0
COMMAND_IDS = [UUID(int=number) for number in range(1, 4)]
INSERT = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT kind, id, version, type, 'human:raw', data
    FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::json[])
         WITH ORDINALITY AS n (kind, id, version, type, data, place)
    ORDER BY place
"""


class TaskMachine(Player):
    """One history. `world` is shared by all of them and wiped before each."""

    # ------------------------------------------------------------------ tasks come into being

    @initialize(asked=st.lists(requests, min_size=2, max_size=5))
    def begin(self, asked: list[Request]) -> None:
        """A history begins with some tasks, one by one, and a claim."""
        for each in asked:
            self.create([structs.replace(each, fresh=True)], None)
        self.claim("r1", 2, False)

    @precondition(lambda self: len(self.model.tasks) < TASKS_MAX)
    @rule(
        asked=st.lists(requests, min_size=1, max_size=4), command_id=st.sampled_from([None, None, None, *COMMAND_IDS])
    )
    def create(self, asked: list[Request], command_id: UUID | None) -> None:
        named = self.named(asked)
        answer = self.play(self.commands.create_tasks(named, HUMAN, command_id))
        if len({task_id for task_id, _ in named}) < len(named):
            return self.refused(answer, InvalidInput)
        try:
            in_order({task_id: definition.depends_on for task_id, definition in named})
        except DependencyCycle:
            return self.refused(answer, DependencyCycle)
        if isinstance(answer, IdempotencyKeyReused):
            assert command_id is not None
            return self.refused(answer, IdempotencyKeyReused)
        expected = self.model.create(named, command_id)
        if isinstance(expected, type):
            return self.refused(answer, expected)
        new = {told.id for told in expected}
        assert [task_id in new for task_id, _ in named] == [created.created for created in answer], answer
        return self._check_created(self.settle(expected))

    @precondition(lambda self: len(self.model.tasks) < TASKS_MAX)
    @rule(asked=st.lists(requests, min_size=2, max_size=4))
    def create_at_once(self, asked: list[Request]) -> None:
        """Several requests of one task each, in one batch of the committer: each gets its own answer."""
        named = self.named(asked)

        async def crowd() -> list[Any]:
            creations = (self.commands.create_tasks([one], HUMAN) for one in named)
            return await asyncio.gather(*creations, return_exceptions=True)

        answers = self.play(crowd())
        told: list[Told] = []
        trial = self.model.fork()
        for (task_id, definition), answer in zip(named, answers, strict=True):
            expected = (
                DependencyCycle if task_id in definition.depends_on else trial.create([(task_id, definition)], None)
            )
            if isinstance(expected, type):
                assert isinstance(answer, expected), (task_id, answer, expected)
                continue
            assert answer[0].created == bool(expected), (task_id, answer)
            told += expected
            for one in expected:
                data = Raw(catalog.encode(definition))
                trial.apply(Event(10**9, "task", one.id, 1, one.type, data, HUMAN, self.model.now))
        self._check_created(self.settle(told))

    def _check_created(self, events: Sequence[Event]) -> None:
        for event in events:
            for parent in self.model.parents(event.id):
                assert self.model.tasks[parent].seq < event.seq

    # ------------------------------------------------------------------ claims

    @rule(name=runner_ids, limit=st.integers(1, 4), hinted=st.sampled_from([False, False, True]))
    def claim(self, name: str, limit: int, hinted: bool) -> None:
        """In claim order, and only what may be claimed. Who trusts his hint may skip what came in below it."""
        claims.FLOOR_SECONDS = 1e9 if hinted else -1.0
        answer = self.play(self.commands.claim(name, limit, f"runner:{name}"))
        assert isinstance(answer, ClaimAnswer), answer
        drains = self.model.drains(name)
        allowed = [] if self.model.paused or drains else self.model.claimable()
        got = [claimed.task_id for claimed in answer.tasks]
        if hinted:
            assert got == [task_id for task_id in allowed if task_id in got]
            assert bool(got) == bool(allowed)
        else:
            assert got == allowed[:limit]
        if not got:
            assert (answer.paused, answer.draining) == (self.model.paused, drains)
            if not drains:
                self._check_due(answer.due_seconds)
        self._check_claimed(name, answer.tasks)

    def _check_due(self, due_seconds: float | None) -> None:
        """An empty claim says when the next task falls due."""
        waits = [
            (known.state.next_run_at - self.model.now).total_seconds()
            for task_id, known in self.model.tasks.items()
            if known.state.status == "ready" and known.state.next_run_at and not self.model.waiting_on(task_id)
        ]
        if not self.model.paused:
            assert due_seconds == (min(waits) if waits else None)

    @rule(limit=st.integers(1, 4))
    def claim_again(self, limit: int) -> None:
        """Claims are what everything else feeds on."""
        self.claim("r2", limit, False)

    @rule(name=runner_ids, place=places)
    def claim_task(self, name: str, place: int) -> None:
        task_id = self.one_of(self.model.claimable(), place)
        answer = self.play(self.commands.claim_task(name, task_id, f"runner:{name}"))
        if self.model.paused and task_id in self.model.tasks:
            return self.refused(answer, Paused)
        if task_id not in self.model.tasks:
            return self.refused(answer, NotFound)
        if self.model.drains(name):
            return self.refused(answer, Draining)
        if not self.model.is_eligible(task_id, self.model.tasks[task_id], self.model.now):
            return self.refused(answer, NotEligible)
        assert isinstance(answer, Claimed), answer
        return self._check_claimed(name, [answer])

    def _check_claimed(self, name: str, claimed: Sequence[Claimed]) -> None:
        told = []
        for each in claimed:
            known = self.model.tasks[each.task_id]
            assert catalog.decode("task.created", each.definition) == known.definition
            assert (each.version, each.attempt) == (known.state.version + 1, known.state.attempts + 1)
            told.append(Told(each.task_id, "task.claimed", lambda data: data.runner == name))
        events = self.settle(told)
        assert {event.id: event.seq for event in events} == {each.task_id: each.run_id for each in claimed}
        for each in claimed:
            assert self.model.state(each.task_id).attempts == each.attempt

    # ------------------------------------------------------------------ reports

    @precondition(lambda self: self.model.runs)
    @rule(drawn=st.lists(turns, min_size=1, max_size=4), slip=st.sampled_from([None, 0, 0, 1]))
    def report(self, drawn: list[Turn], slip: int | None) -> None:
        """Each report is accepted or refused by itself: by whether its run is the current one.

        Its writer may have counted its task's events, rightly or (`slip` 1) wrongly.
        """
        reports = [self._report(turn) for turn in drawn]
        if slip is not None:
            reports = [self._counted(report, reports[:place], slip) for place, report in enumerate(reports)]
        answers = self.play(self.commands.report(reports))
        told: list[Told] = []
        if _last_word_spoken_twice(reports):
            accepted = [report for report, answer in zip(reports, answers, strict=True) if answer is None]
            told = [Told(event.id, event.type) for event in self.look().events if not is_reaction(event)]
            wanted = sorted((report.task_id, catalog.type_name(report.event)) for report in accepted)
            assert wanted == sorted((each.id, each.type) for each in told if each.type in REPORTED), (answers, told)
        else:
            for report, answer in zip(reports, answers, strict=True):
                current = self.model.state(report.task_id).run_id == report.run_id
                assert answer is None if current else isinstance(answer, LeaseLost), (report, answer)
                told += self._consequences(report) if current else []
        self.settle(told)

    def _counted(self, report: Report, earlier: list[Report], slip: int) -> Report:
        if report.run_id in self.with_patch:  # as runners do: only the statement that looks up versions seals artifacts
            return report
        place = 1 + sum(each.task_id == report.task_id for each in earlier)
        return structs.replace(report, version=self.model.state(report.task_id).version + place + slip)

    def _report(self, turn: Turn) -> Report:
        task_id, run = self.a_run(turn)
        return Report(task_id, run, report_event(turn, run), "runner:r1", turn.retry)

    def _consequences(self, report: Report) -> list[Told]:
        if isinstance(report.event, task.TaskFailed):
            return self.model.failure(report.task_id, report.retry, report.event.error)
        event = report.event
        return [Told(report.task_id, catalog.type_name(event), lambda data: data == event)]

    @precondition(lambda self: self.model.held())
    @rule(place=places, fails=st.sampled_from([False, True]))
    def work(self, place: int, fails: bool) -> None:
        """A whole run, as a runner reports it."""
        turn = Turn(place, True, task.TaskFailed if fails else task.TaskDone, True)
        self.report([structs.replace(turn, kind=kind) for kind in (task.TaskStarted, task.TaskStep, turn.kind)], 0)

    @precondition(lambda self: self.model.runs)
    @rule(drawn=st.lists(turns, min_size=1, max_size=3, unique_by=lambda turn: turn.place))
    def hand_back(self, drawn: list[Turn]) -> None:
        runs = sorted({self.a_run(turn) for turn in drawn})
        told = [self._handed_back(*run) for run in runs if self.model.state(run[0]).run_id == run[1]]
        answer = self.play(self.commands.hand_back(runs, "drain", "runner:r1"))
        assert sorted(answer) == sorted(each.id for each in told)
        self.settle(told)

    @precondition(lambda self: self.model.held())
    @rule(name=runner_ids, only=st.booleans())
    def release(self, name: str, only: bool) -> None:
        """A runner gives back everything it holds, or those runs that it does not know of."""
        runs = [(task_id, self.model.state(task_id).run_id or 0) for task_id in self.model.held()]
        unknown = [run[1] for run in runs[1:]] if only else None
        told = [
            self._handed_back(*run)
            for run in runs
            if self.model.state(run[0]).claimed_by == name and (unknown is None or run[1] in unknown)
        ]
        answer = self.play(self.commands.release(name, unknown, "unknown", f"runner:{name}"))
        assert sorted(answer) == sorted(each.id for each in told)
        self.settle(told)

    def _handed_back(self, task_id: str, run: int) -> Told:
        attempts = max(self.model.state(task_id).attempts - 1, 0)
        return Told(
            task_id,
            "task.requeued",
            lambda data: (data.run_id, data.attempts, data.next_run_at) == (run, attempts, None),
        )

    @precondition(lambda self: self.model.runs)
    @rule(turn=turns, number=st.integers(1, 3))
    def output_and_patch(self, turn: Turn, number: int) -> None:
        """Output of a current run is kept once, that of any other is dropped; a patch is stored while its run can."""
        task_id, run = self.a_run(turn)
        count = "SELECT count(*) FROM log.output WHERE run_id = $1 AND chunk = $2"
        before = self.run(self.world.connection.fetchval(count, run, number))
        self.play(self.commands.append_output([OutputChunk(task_id, run, number, 1, "stdout", "text")]))
        after = self.run(self.world.connection.fetchval(count, run, number))
        assert after == (1 if self.model.state(task_id).run_id == run else before)
        stored = "SELECT count(*) FROM log.artifacts WHERE run_id = $1"
        is_stored = bool(self.run(self.world.connection.fetchval(stored, run)))
        answer = self.play(self.commands.save_artifact(run, "patch", "text"))
        if self.model.state(task_id).run_id == run:
            assert answer is True
            self.with_patch.add(run)
        elif is_stored or answer is False:  # False: it came within a quarter of an hour after the end
            assert run in self.model.runs
        else:
            assert isinstance(answer, LeaseLost if run in self.model.runs else NotFound)
        self.settle()

    # ------------------------------------------------------------------ an operator's hand

    @precondition(lambda self: self.model.tasks)
    @rule(
        place=places,
        rest=st.sampled_from([0.0, 0.0, 25.0]),
        error=st.sampled_from([None, "seen"]),
        attempts=st.sampled_from([0, None]),
    )
    def requeue(self, place: int, rest: float, error: str | None, attempts: int | None) -> None:
        due = self.model.now + timedelta(seconds=rest) if rest else None
        task_id = self.one_of(self.ended(), place)
        command = self.commands.requeue(task_id, actor=HUMAN, backoff_seconds=rest, last_error=error, attempts=attempts)
        known = self.model.tasks.get(task_id)
        is_worn = known is not None and known.state.attempts >= known.definition.max_attempts
        if attempts is None and known is not None and is_worn and known.state.status != "ready":
            return self.refused(self.play(command), IllegalTransition)
        return self._stop(
            task_id, command, "ready", lambda run: task.TaskRequeued("requeued by hand", run, due, attempts, error)
        )

    @precondition(lambda self: self.model.tasks)
    @rule(place=places, reason=st.sampled_from([None, "why"]))
    def cancel(self, place: int, reason: str | None) -> None:
        command = self.commands.cancel(self.known(place), reason, HUMAN)
        self._stop(self.known(place), command, "cancelled", lambda run: task.TaskCancelled(reason, run))

    @precondition(lambda self: self.model.tasks)
    @rule(place=places, reason=texts)
    def block(self, place: int, reason: str) -> None:
        task_id = self.one_of(self.model.fell_due(), place)
        command = self.commands.block(task_id, reason, HUMAN)
        self._stop(task_id, command, "blocked", lambda run: task.TaskBlocked(reason, run))

    @precondition(lambda self: self.model.tasks)
    @rule(place=places, error=texts)
    def fail(self, place: int, error: str) -> None:
        task_id = self.one_of(self.model.held(), place)
        command = self.commands.fail_task(task_id, error, HUMAN)
        self._stop(task_id, command, "failed", lambda run: task.TaskFailed(run, error))

    def _stop(self, task_id: str, command: Awaitable[Any], wanted: str, data: Any) -> None:
        """A change by hand: done, no-op because it is so already, or refused."""
        event_type = catalog.type_name(data(None))
        answer = self.play(command)
        if task_id not in self.model.tasks:
            return self.refused(answer, NotFound)
        told = self.model.stop(task_id, event_type, data)
        if told is None and self.model.state(task_id).status != wanted:
            return self.refused(answer, IllegalTransition)
        assert answer in (None, told is not None), answer  # a requeue says whether it wrote something
        self.settle(told or ())
        return None

    @precondition(lambda self: self.model.held())
    @rule(limit=st.sampled_from([500, 1]))
    def sweep(self, limit: int) -> None:
        told = self.model.stuck(LEASE_SECONDS)[:limit]
        answer = self.play(self.commands.sweep(LEASE_SECONDS, limit))
        assert answer.requeued + answer.blocked == len(told), (answer, told)
        assert answer.blocked == sum(each.type == "task.blocked" for each in told)
        self.settle(told)

    @rule(reason=texts, again=st.sampled_from([False] * 7 + [True]))
    def pause_or_resume(self, reason: str, again: bool) -> None:
        """What is so already stays so."""
        pause = self.model.paused == again
        answer = self.play(self.commands.pause(reason, HUMAN) if pause else self.commands.resume(HUMAN))
        assert answer is None, answer
        event = system.SystemPaused(reason) if pause else system.SystemResumed()
        self.settle([] if again else [Told("main", catalog.type_name(event), lambda data: data == event)])

    # ------------------------------------------------------------------ runners, and time

    @rule(
        name=runner_ids,
        kind=st.sampled_from(["heartbeat", "heartbeat", "started", "stopped"]),
        meta=st.sampled_from([None, {"free": 1}]),
    )
    def runner_lives(self, name: str, kind: str, meta: dict[str, int] | None) -> None:
        actor = f"runner:{name}"
        if kind == "started":
            answer = self.play(self.commands.runner_started(name, meta or {}, actor, LEASE_SECONDS))
        elif kind == "stopped":
            answer = self.play(self.commands.runner_stopped(name, None, actor, LEASE_SECONDS))
            if name not in self.model.runners:
                return self.refused(answer, IllegalTransition)
        else:
            answer = self.play(self.commands.heartbeat(name, meta, actor, LEASE_SECONDS))
        if kind != "stopped":
            assert (answer.paused, answer.draining) == (
                self.model.paused,
                self.model.drains(name) and kind != "started",
            )
            holders = {
                self.model.state(task_id).run_id: self.model.state(task_id).claimed_by for task_id in self.model.held()
            }
            assert sorted(answer.held) == sorted(run for run, holder in holders.items() if run and holder == name)
            assert answer.stuck == bool(self.model.stuck(LEASE_SECONDS, seen=name))
            due = answer.due_seconds is not None and answer.due_seconds <= 0
            assert (answer.ready or due) == bool(self.model.claimable())
        self.settle([Told(name, f"runner.{kind}")])
        return None

    @rule(name=runner_ids, reason=texts, again=st.sampled_from([False] * 7 + [True]))
    def drain_or_resume(self, name: str, reason: str, again: bool) -> None:
        """What is so already stays so; who is not there cannot be told."""
        drain, known = self.model.drains(name) == again, self.model.runners.get(name)
        runners = self.commands.runners
        answer = self.play(runners.drain(name, reason, HUMAN) if drain else runners.resume(name, HUMAN))
        if known is None or known.status == "stopped":
            return self.refused(answer, NotFound if known is None else IllegalTransition)
        assert answer is None, answer
        event = runner.RunnerDraining(reason) if drain else runner.RunnerResumed()
        self.settle([] if again else [Told(name, catalog.type_name(event), lambda data: data == event)])
        return None

    @rule(seconds=st.sampled_from([0.5, 4, 11, 16, 36, 140, -2]))
    def time_passes(self, seconds: float) -> None:
        """Sometimes backwards, as clocks do when they are set right or another server takes over."""
        self.model.time_passes(seconds)
        self.run(self.world.steer(self.model.now))

    @precondition(lambda self: self.model.due_in())
    @rule(name=runner_ids)
    def all_falls_due(self, name: str) -> None:
        """Whatever was put off may be claimed now; a claim of one moves all of it among the ready tasks."""
        self.time_passes(self.model.due_in()[-1])
        self.claim(name, 1, False)

    # ------------------------------------------------------------------ psql in a stranger's hand

    @rule(
        place=places,
        drawn=st.lists(links, min_size=1, max_size=6),
        gap=st.sampled_from([0] * 9 + [-1, 1]),
        backwards=st.sampled_from([False] * 9 + [True]),
    )
    def write_task_by_hand(self, place: int, drawn: list[Turn], gap: int, backwards: bool) -> None:
        """A chain of events of one task in one INSERT: all of it is written, or it is refused and nothing is.

        Backwards it is refused: within a stream seq must rise with version, or the log could not be read in order.
        """
        task_id = self.one_of(self.model.held() if drawn[0].retry else self.model.fell_due(), place)
        trial = self.model.fork()
        seq = self.look().next_seq
        chain = []
        for turn, link in enumerate(drawn):
            data = self._link(trial.state(task_id), link)
            version = trial.state(task_id).version + 1 + (gap if not turn else 0)
            event = Event(
                seq + turn,
                "task",
                task_id,
                version,
                catalog.type_name(data),
                Raw(catalog.encode(data)),
                "human:raw",
                self.model.now,
            )
            chain.append(event)
            if judge([event], trial):
                break
        assume(chain[0].version > 0)
        if backwards:
            chain = [structs.replace(event, seq=seq + turn) for turn, event in enumerate(reversed(chain))]
        self._write(chain)

    def _link(self, state: task.Task, link: Turn) -> Struct:
        """The next event of a chain: mostly one that may come now, of the run that is on now."""
        kind = link.kind
        if link.current:
            legal = [name for name, transition in task.TRANSITIONS.items() if state.status in transition.sources]
            kind = task.EVENT_TYPES[legal[link.place % len(legal)]] if legal else kind
        return raw_event(
            kind, link, BOGUS_RUN if link.wrong else state.run_id, sorted(self.model.tasks), self.model.now
        )

    @rule(
        name=st.sampled_from(["r1", "r3"]),
        drawn=st.lists(
            st.sampled_from([kind for stream in (runner, request, system) for kind in stream.EVENT_TYPES.values()]),
            min_size=1,
            max_size=3,
        ),
        gap=st.sampled_from([0, 0, 0, 1]),
    )
    def write_others_by_hand(self, name: str, drawn: list[type[Struct]], gap: int) -> None:
        """The same for the streams of runners, of requests and of the system."""
        seq = self.look().next_seq
        versions: dict[tuple[str, str], int] = {}
        batch = []
        for place, struct in enumerate(drawn):
            data: Struct = struct()
            event_type = catalog.type_name(data)
            kind = catalog.kind_of(event_type)
            stream = (kind, system.STREAM_ID if kind == "system" else name)
            versions[stream] = versions.get(stream, self.model.version_of(*stream) + gap) + 1
            raw = Raw(catalog.encode(data))
            batch.append(
                Event(
                    seq + place,
                    *stream,
                    versions[stream],
                    event_type,
                    raw,
                    "human:raw",
                    self.model.now,
                )
            )
        self._write(batch)

    def _write(self, batch: Sequence[Event]) -> None:
        columns: list[list[Any]] = [
            [event.kind for event in batch],
            [event.id for event in batch],
            [event.version for event in batch],
            [event.type for event in batch],
            [bytes(event.data).decode() for event in batch],
        ]
        refusal = judge(batch, self.model.fork())
        answer = self.play(self._insert(columns))
        if refusal is None:
            assert answer is None, (answer, batch)
            self.settle([Told(event.id, event.type) for event in batch])
        else:
            assert isinstance(answer, ElRusoError), (refusal, batch)
            assert len(batch) > 1 or type(answer) is type(refusal), (answer, refusal)
            self.settle()

    async def _insert(self, columns: list[list[Any]]) -> None:
        try:
            await self.world.connection.fetch(INSERT, *columns)
        except asyncpg.PostgresError as error:
            raise from_database(error) from error

    # ------------------------------------------------------------------ what always holds

    @invariant()
    def views_agree(self) -> None:
        """Every view says what the model says, and the log holds nothing that the model does not know of."""
        seen = self.look()
        assert not seen.events
        self.model.check(seen.views)
        self.model.check_reactions()
        self.sound = True

    def teardown(self) -> None:
        """The end of a history: the second bookkeeper agrees, and the log folded anew gives the same views."""
        if self.sound and self.last:
            report = self.run(self.world.audit())
            assert report.identical, report.differences
            differences = self.run(self.world.rebuild_beside(Random(self.last)))
            assert not differences, differences


REPORTED = {catalog.TYPE_NAMES[kind] for kind in (task.TaskStarted, task.TaskStep, task.TaskDone, task.TaskFailed)}


def _last_word_spoken_twice(reports: Sequence[Report]) -> bool:
    """Does a run say something after its last word? Then it depends on the batch which of the two is heard."""
    ended: set[int] = set()
    for report in reports:
        if report.run_id in ended:
            return True
        if isinstance(report.event, task.TaskDone | task.TaskFailed):
            ended.add(report.run_id)
    return False
