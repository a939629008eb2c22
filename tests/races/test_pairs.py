"""All pairs of commands: whichever comes first, nothing contradicts anything, and both bookkeepers agree.

One database for each command that comes first, one world in it for each that comes second.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from random import Random
from typing import Any

import asyncpg
import pytest
from asyncpg import Connection

from events.commands import Commands
from events.connect import Database
from events.directive import PlannedTask, RequiredRequest
from events.directives import Decision, Proposals
from events.draft import Draft, DraftTask
from events.errors import ElRusoError
from events.reports import Report
from events.request import RequestDefinition, RequestProvided
from events.requests import Wanted
from events.task import TaskCreated, TaskDone, TaskFailed
from projections.audit import audit
from tests.races.pairs import Command, play
from tests.races.stage import HUMAN

CLAIM = """
    INSERT INTO log.events (kind, id, version, type, actor, data)
    SELECT 'task', t.id, t.version + 1, 'task.claimed', 'runner:r', '{"runner": "r", "attempt": 1}'
    FROM view.tasks t WHERE t.id LIKE $1 AND t.status = 'ready' AND t.waiting_on = 0 ORDER BY t.id
"""
Runs = Mapping[str, int]


def report(task: str, event: Any, retry: bool = True) -> Command:
    """A run of the world's task ends."""

    async def command(commands: Commands, world: str, runs: dict[str, int]) -> Any:
        task_id = f"{world}-{task}"
        ending = event(runs[task_id])
        return await commands.report([Report(task_id, runs[task_id], ending, "runner:r", retry)])

    return command


def create(name: str, *parents: str) -> Command:
    """A new task that depends on some of the world's."""

    async def command(commands: Commands, world: str, _runs: Runs) -> Any:
        created = TaskCreated(name, depends_on=[f"{world}-{parent}" for parent in parents])
        return await commands.create_tasks([(f"{world}-{name}-{id(commands)}", created)], HUMAN)

    return command


def ids(world: str, names: str) -> list[str]:
    """The ids of the world's tasks with these one-letter names."""
    return [f"{world}-{name}" for name in names]


TASKS: dict[str, Command] = {
    "claim a": lambda commands, world, _: commands.claim_task("r", f"{world}-a", "runner:r"),
    "p is done": report("p", TaskDone),
    "p fails": report("p", lambda run: TaskFailed(run, "boom")),
    "p fails for good": report("p", lambda run: TaskFailed(run, "boom"), retry=False),
    "cancel p": lambda commands, world, _: commands.cancel(f"{world}-p", "no", HUMAN),
    "requeue p": lambda commands, world, _: commands.requeue(f"{world}-p", actor=HUMAN),
    "cancel a": lambda commands, world, _: commands.cancel(f"{world}-a", "no", HUMAN),
    "cancel q": lambda commands, world, _: commands.cancel(f"{world}-q", "no", HUMAN),
    "close a": lambda commands, world, _: commands.close(f"{world}-a", "by hand", HUMAN),
    "close f": lambda commands, world, _: commands.close(f"{world}-f", "by hand", HUMAN),
    "close x": lambda commands, world, _: commands.close(f"{world}-x", "by hand", HUMAN),
    "create a child of p": create("n", "p"),
    "create a child of f": create("n", "f"),
    "create a child of c and q": create("n", "c", "q"),
    "cancel c": lambda commands, world, _: commands.cancel(f"{world}-c", "no", HUMAN),
    "block c": lambda commands, world, _: commands.block(f"{world}-c", "no", HUMAN),
    "requeue x": lambda commands, world, _: commands.requeue(f"{world}-x", actor=HUMAN),
    "requeue y": lambda commands, world, _: commands.requeue(f"{world}-y", actor=HUMAN),
    "requeue f": lambda commands, world, _: commands.requeue(f"{world}-f", actor=HUMAN),
    "cancel many": lambda commands, world, _: commands.cancel_many(ids(world, "qpca"), "no", HUMAN),
    "requeue many": lambda commands, world, _: commands.requeue_many(ids(world, "yxf"), "again", HUMAN),
    "prioritize many": lambda commands, world, _: commands.prioritize_many(ids(world, "qca"), 7, HUMAN),
}


async def prepare_tasks(commands: Commands, connection: Connection, worlds: list[str]) -> None:
    """`p` runs, `a` and `q` are ready, `f` is cancelled. Of p's children `c` waits, with `g` behind it; `x`, which has
    the parent q too, is cancelled; `y`, which has the parent f too, is blocked by it."""
    new = TaskCreated
    for world in worlds:
        a, p, q, f, c, x, y, g = ids(world, "apqfcxyg")
        made = [(a, new("a")), (p, new("p")), (q, new("q")), (f, new("f")), (c, new("c", depends_on=[p]))]
        late = [(x, new("x", depends_on=[p, q])), (y, new("y", depends_on=[f, p])), (g, new("g", depends_on=[c]))]
        await commands.create_tasks([*made, *late], HUMAN)
    await commands.cancel_many([task_id for world in worlds for task_id in ids(world, "fx")], "no", HUMAN)
    await connection.execute(CLAIM, "%-p")


@pytest.mark.parametrize("first", TASKS)
async def test_two_commands_about_tasks(database: str, connection: Connection, first: str) -> None:
    """One task's command while another's is not committed: parents, children, queue and counts stay right."""
    worlds = [f"{name} after {first}".replace(" ", "_") for name in TASKS]
    async with Commands(Database(database)) as commands:
        await prepare_tasks(commands, connection, worlds)

    audited = await play(database, worlds, TASKS[first], list(TASKS.values()))

    assert ([], []) == (audited.violations, audited.differences)


def draft(directive_id: str, *requests: str, tasks: int = 1) -> Draft:
    """A directive with so many tasks, each but the first after the one before."""
    planned = [
        DraftTask(PlannedTask(id="", title=str(number)), number, inside=(number - 2,) if number > 1 else ())
        for number in range(1, tasks + 1)
    ]
    return Draft(directive_id, directive_id, None, [], [], [RequiredRequest(name) for name in requests], planned)


def propose(*requests: str) -> Command:
    """A new directive that starts by itself."""

    async def command(commands: Commands, world: str, _runs: Runs) -> Any:
        made = draft(f"{world}-n{id(commands)}", *(f"{world}-{name}" for name in requests), tasks=2)
        return await commands.directives.propose(Proposals([made], "gpt", "auto"))

    return command


def decide(verb: str, directive: str, *left_out: str) -> Command:
    """Somebody applies or rejects a directive."""

    async def command(commands: Commands, world: str, _runs: Runs) -> Any:
        decision = Decision(f"{world}-{directive}", HUMAN, left_out=tuple(f"{world}-{name}" for name in left_out))
        return await getattr(commands.directives, verb)(decision)

    return command


def provide(request: str) -> Command:
    """The values are there, of a request that may not be known yet."""

    async def command(commands: Commands, world: str, _runs: Runs) -> Any:
        definition = RequestDefinition("s")
        return await commands.requests.provide(f"{world}-{request}", RequestProvided(), HUMAN, definition=definition)

    return command


DIRECTIVES: dict[str, Command] = {
    "propose with r": propose("r"),
    "propose with u": propose("u"),
    "propose with s": propose("s"),
    "provide r": provide("r"),
    "provide u": provide("u"),
    "withdraw r": lambda commands, world, _: commands.requests.withdraw(f"{world}-r", None, HUMAN),
    "open s again": lambda commands, world, _: commands.requests.open([Wanted(f"{world}-s")], HUMAN, again=True),
    "define r anew": lambda commands, world, _: commands.requests.open(
        [Wanted(f"{world}-r", RequestDefinition("other"))], HUMAN
    ),
    "apply d": decide("apply", "d"),
    "apply e": decide("apply", "e"),
    "apply m": decide("apply", "m"),
    "apply m in part": decide("apply", "m", "m-2"),
    "apply l": decide("apply", "l"),
    "reject d": decide("reject", "d"),
    "reject e": decide("reject", "e"),
    "reject m": decide("reject", "m"),
    "reject l": decide("reject", "l"),
    "e-1 is done": report("e-1", TaskDone),
    "l-1 is done": report("l-1", TaskDone),
    "cancel e-2": lambda commands, world, _: commands.cancel(f"{world}-e-2", "no", HUMAN),
    "requeue e-1": lambda commands, world, _: commands.requeue(f"{world}-e-1", actor=HUMAN),
}


async def prepare_directives(commands: Commands, connection: Connection, worlds: list[str]) -> None:
    """`r` is wanted, `s` is there, `u` is unknown. Of `d` nothing exists, for it requires r; of `e` the first task runs
    and the second waits for it; of `l` the only one runs; `m` waits for somebody to apply it."""
    wanted = [Wanted(f"{world}-{name}", RequestDefinition("s")) for world in worlds for name in "rs"]
    await commands.requests.open(wanted, HUMAN)
    for world in worlds:
        await commands.requests.provide(f"{world}-s", RequestProvided(), HUMAN)
    auto = [draft(f"{world}-d", f"{world}-r", tasks=2) for world in worlds]
    auto += [draft(f"{world}-e", f"{world}-s", tasks=2) for world in worlds] + [draft(f"{w}-l") for w in worlds]
    await commands.directives.propose(Proposals(auto, "gpt", "auto"))
    await commands.directives.propose(Proposals([draft(f"{world}-m", tasks=2) for world in worlds], "gpt", "manual"))
    await connection.execute(CLAIM, "%-1")


@pytest.mark.parametrize("first", DIRECTIVES)
async def test_two_commands_about_directives(database: str, connection: Connection, first: str) -> None:
    """One decision while another is not committed: a directive has its tasks, or waits for something, or is over."""
    worlds = [f"{name} after {first}".replace(" ", "_") for name in DIRECTIVES]
    async with Commands(Database(database)) as commands:
        await prepare_directives(commands, connection, worlds)

    audited = await play(database, worlds, DIRECTIVES[first], list(DIRECTIVES.values()))

    assert ([], []) == (audited.violations, audited.differences)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4))
async def test_six_writers_at_random(database: str, connection: Connection, seed: int) -> None:
    """What nobody staged: six processes do anything to the same few tasks and directives, all at once."""
    worlds = [f"w{number}" for number in range(5)]
    async with AsyncExitStack() as stack:
        writers = [await stack.enter_async_context(Commands(Database(database))) for _ in range(6)]
        await prepare_tasks(writers[0], connection, worlds)
        await prepare_directives(writers[0], connection, worlds)
        await asyncio.gather(*(write_at_random(each, worlds, Random(f"{seed} {n}")) for n, each in enumerate(writers)))

    audited = await audit(lambda: asyncpg.connect(database), lambda *_: None)
    assert ([], []) == (audited.violations, audited.differences)


async def write_at_random(commands: Commands, worlds: list[str], chance: Random) -> None:
    """Two hundred commands; most of them are refused, some are too late."""
    everything = [
        command for name, command in (TASKS | DIRECTIVES).items() if not name.endswith(("done", "good", "fails"))
    ]
    for _ in range(200):
        with suppress(ElRusoError):
            await chance.choice(everything)(commands, chance.choice(worlds), {})
        if chance.random() < 0.3:
            await finish_one(commands, chance)


async def finish_one(commands: Commands, chance: Random) -> None:
    """Claims something and says how it went."""
    for claimed in (await commands.claim("r", 1, "runner:r")).tasks:
        end = chance.choice([TaskDone(claimed.run_id), TaskFailed(claimed.run_id, "boom")])
        await commands.report([Report(claimed.task_id, claimed.run_id, end, "runner:r", retry=False)])
