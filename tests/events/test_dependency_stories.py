"""Families of tasks, from the first to the last of them."""

from typing import Any

import pytest
from asyncpg import Connection

from events.commands import Commands
from events.errors import DependencyCycle, NotEligible, UnknownDependency
from events.reports import Report
from events.task import TaskCreated, TaskDone, TaskFailed

HUMAN = "human:ana"
MIDDLE = 1000
LAST_DONE_FIRST_CLAIMED = """
    SELECT max(seq) FILTER (WHERE id <> 'last' AND type = 'task.done'),
           min(seq) FILTER (WHERE id = 'last' AND type = 'task.claimed') FROM log.events
"""


async def create(commands: Commands, **parents: list[str]) -> None:
    """Tasks by name, each with its parents, one after another."""
    for name, depends_on in parents.items():
        await commands.create_tasks([(name, TaskCreated(name, depends_on=depends_on))], HUMAN)


async def work(commands: Commands, *, fails: bool = False) -> list[str]:
    """Claims what may be claimed and ends it; the ids in the order of the claims."""
    claimed = (await commands.claim("r", 300, "runner:r")).tasks
    ends: list[Report] = [
        Report(
            each.task_id,
            each.run_id,
            TaskFailed(each.run_id, "boom") if fails else TaskDone(each.run_id),
            "runner:r",
            retry=False,
        )
        for each in claimed
    ]
    assert all(answer is None for answer in await commands.report(ends))
    return [each.task_id for each in claimed]


async def states(connection: Connection) -> dict[str, tuple[str, str | None]]:
    """Status and last error by id."""
    rows = await connection.fetch("SELECT id, status, last_error FROM view.tasks")
    return {row["id"]: (row["status"], row["last_error"]) for row in rows}


async def test_diamond_ends_in_order(commands: Commands, connection: Connection) -> None:
    """Of 1 + 1000 + 1 tasks the first runs alone, then the thousand, and the last when all of them are done."""
    middle = [f"m{number:04}" for number in range(MIDDLE)]
    tasks: list[tuple[str | None, TaskCreated]] = [("last", TaskCreated("last", depends_on=middle))]
    tasks += [(name, TaskCreated(name, depends_on=["first"])) for name in reversed(middle)]
    tasks += [("first", TaskCreated("first"))]
    await commands.create_tasks(tasks, HUMAN)
    order: list[str] = []
    while got := await work(commands):
        order += got
    assert ["first"] == order[:1]
    assert sorted(middle) == sorted(order[1:-1])
    assert ["last"] == order[-1:]
    done, claimed = await connection.fetchrow(LAST_DONE_FIRST_CLAIMED)
    assert done < claimed


async def test_failing_parent_blocks_its_family(commands: Commands, connection: Connection) -> None:
    """When a parent fails for good, its children and theirs are blocked, each with the reason."""
    await create(commands, a=[], b=["a"], c=["b"], aside=[])
    await commands.block("aside", "not now", HUMAN)
    await work(commands, fails=True)
    assert {
        "a": ("blocked", "boom"),
        "b": ("blocked", "parent a is blocked: boom"),
        "c": ("blocked", "parent b is blocked"),
        "aside": ("blocked", "not now"),
    } == await states(connection)


@pytest.mark.parametrize("fall", ["cancelled", "blocked", "failed"])
async def test_requeued_parent_revives_its_family(commands: Commands, connection: Connection, fall: str) -> None:
    """However a parent fell, its requeue revives those whom its fall had blocked, and they run in order."""
    await create(commands, a=[], b=["a"], c=["b"])
    if fall == "failed":
        await commands.claim("r", 1, "runner:r")
        await commands.fail_task("a", "by hand", HUMAN)
    else:
        await (commands.cancel if fall == "cancelled" else commands.block)("a", "by hand", HUMAN)
    assert {"blocked"} == {(await states(connection))[name][0] for name in "bc"}
    await commands.requeue("a", actor=HUMAN)
    assert ["a", "b", "c"] == [name for _ in range(3) for name in await work(commands)]


async def test_requeue_revives_nobody_else(commands: Commands, connection: Connection) -> None:
    """A child that was blocked by hand, or that another parent holds back, stays blocked."""
    await create(commands, a=[], z=[], by_hand=["a"], held=["a", "z"], free=["a"])
    await commands.block("by_hand", "mine", HUMAN)
    await commands.cancel("z", None, HUMAN)
    await commands.cancel("a", None, HUMAN)
    await commands.requeue("a", actor=HUMAN)
    assert {"a": "ready", "z": "cancelled", "by_hand": "blocked", "held": "blocked", "free": "ready"} == {
        name: state[0] for name, state in (await states(connection)).items()
    }


async def test_child_of_a_fallen_parent_is_blocked_at_once(commands: Commands, connection: Connection) -> None:
    """A child created after its parent fell is blocked from the start, and so is one that is requeued."""
    await create(commands, a=[])
    await commands.cancel("a", "no", HUMAN)
    await create(commands, b=["a"])
    assert ("blocked", "parent a is cancelled") == (await states(connection))["b"]
    await commands.requeue("b", actor=HUMAN)
    assert "blocked" == (await states(connection))["b"][0]


async def test_retried_parent_blocks_nobody(commands: Commands, connection: Connection) -> None:
    """A failure that will be tried again leaves the children waiting."""
    await create(commands, a=[], b=["a"])
    [claimed] = (await commands.claim("r", 1, "runner:r")).tasks
    await commands.report([Report("a", claimed.run_id, TaskFailed(claimed.run_id, "boom"), "runner:r")])
    assert {"a": "ready", "b": "ready"} == {name: state[0] for name, state in (await states(connection)).items()}


async def test_waiting_child_says_for_whom(commands: Commands) -> None:
    """A claim by name of a waiting task is refused with the parents it waits for."""
    await create(commands, a=[], z=[], b=["a", "z"])
    with pytest.raises(NotEligible, match=r"waits for 2 task.*: a, z"):
        await commands.claim_task("r", "b", "runner:r")


@pytest.mark.parametrize(
    ("parents", "refusal", "words"),
    [
        ({"a": ["b"], "b": ["c"], "c": ["a"]}, DependencyCycle, "a → b → c → a"),
        ({"a": ["a"]}, DependencyCycle, "a → a"),
        ({"a": ["nobody"]}, UnknownDependency, "nobody"),
        ({"a": [], "b": ["a", "nobody"]}, UnknownDependency, "nobody"),
    ],
    ids=["cycle", "itself", "unknown", "half known"],
)
async def test_impossible_family_is_refused(
    commands: Commands, connection: Connection, parents: dict[str, list[str]], refusal: type[Exception], words: str
) -> None:
    """A cycle or an unknown parent refuses the whole request, by name, and nothing is created."""
    request: Any = [(name, TaskCreated(name, depends_on=depends_on)) for name, depends_on in parents.items()]
    with pytest.raises(refusal, match=words):
        await commands.create_tasks(request, HUMAN)
    assert {} == await states(connection)
    assert 0 == await connection.fetchval("SELECT count(*) FROM log.events")
