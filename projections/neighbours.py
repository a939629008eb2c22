"""The tasks around a task: those it waits for, those that wait for it, and theirs."""

from asyncpg import Pool
from msgspec import Struct

from events.statements import load_statements
from projections.briefs import TaskBrief, brief_tasks

STEPS = 2  # how far away, in both directions
PER_LEVEL = 10  # tasks that are shown of one level
EDGES_MAX = 200  # edges that are read from one level

_sql = load_statements("projections", "neighbours.sql")


class Neighbours(Struct, frozen=True):
    """`levels`: distance to the task (negative: what it waits for) -> tasks. `edges`: (parent, child).

    `more`: some were left out.
    """

    levels: dict[int, list[TaskBrief]]
    edges: set[tuple[str, str]]
    more: bool


async def find_neighbours(pool: Pool, task: TaskBrief) -> Neighbours:
    """At most STEPS away, at most PER_LEVEL on each level."""
    levels, edges, more = {0: [task.id]}, set[tuple[str, str]](), False
    for statement, parent_side, direction in (("list_parents_of", True, -1), ("list_children_of", False, 1)):
        known = {task.id}
        for step in range(1, STEPS + 1):
            rows = await pool.fetch(_sql[statement], levels[direction * (step - 1)], EDGES_MAX)
            found = list(dict.fromkeys(row["parent" if parent_side else "child"] for row in rows))
            new = [one for one in found if one not in known]
            levels[direction * step] = new[:PER_LEVEL]
            known.update(new[:PER_LEVEL])
            edges |= {(row["parent"], row["child"]) for row in rows}
            more = more or len(new) > PER_LEVEL or len(rows) == EDGES_MAX
            if not new:
                break
    briefs = {brief.id: brief for brief in await brief_tasks(pool, [one for ids in levels.values() for one in ids])}
    shown = {level: [briefs[one] for one in ids if one in briefs] for level, ids in levels.items() if ids}
    names = {brief.id for level in shown.values() for brief in level}
    return Neighbours(shown, {edge for edge in edges if names.issuperset(edge)}, more)
