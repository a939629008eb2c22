"""The order in which tasks of one request are created: parents before their children."""

from collections.abc import Collection, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush

from events.errors import DependencyCycle


def in_order(tasks: Mapping[str, Collection[str]]) -> list[int]:
    """The places of `tasks` (id -> the ids it depends on) with every parent before its children.

    Otherwise tasks keep the order they came in. Ids that are not among the tasks are none of our business: the
    database knows whether they exist.

    Raises:
        DependencyCycle: the detail names the cycle, each task before the one it depends on: "a → b → a".
    """
    if not any(parent in tasks for parents in tasks.values() for parent in parents):
        return list(range(len(tasks)))
    ids = list(tasks)
    places = {task_id: place for place, task_id in enumerate(ids)}
    known = [{places[parent] for parent in parents if parent in places} for parents in tasks.values()]
    sorter = TopologicalSorter(dict(enumerate(known)))
    try:
        sorter.prepare()
    except CycleError as error:
        raise _refusal([ids[place] for place in reversed(error.args[1])]) from None
    order: list[int] = []
    free: list[int] = []
    while sorter.is_active():
        for place in sorter.get_ready():
            heappush(free, place)
        order.append(heappop(free))
        sorter.done(order[-1])
    return order


def _refusal(cycle: Sequence[str]) -> DependencyCycle:
    path = " → ".join(cycle)
    return DependencyCycle(f"the tasks wait for each other and none could ever start: {path}", cycle=list(cycle))
