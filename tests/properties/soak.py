"""The soak: thousands of long random histories, in several processes on one server.

They are played in batches. A batch is a database of its own and a seed, so the same batch is the same histories, in
whatever process and beside whatever others: what a soak found is found again by its batch alone.
"""

import multiprocessing
import os
import time
import traceback
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from itertools import islice
from typing import Any

import hypothesis
from hypothesis import Phase
from hypothesis.stateful import run_state_machine_as_test
from msgspec import Struct

from ops.migrate import Schema
from ops.postgres.server import Server
from tests.properties.player import histories
from tests.properties.task_machine import TaskMachine
from tests.properties.world import World, a_world

HISTORIES = 20_000
STEPS = 50
BATCH = 250  # histories: some ten seconds, and enough for Hypothesis to vary what it has played
FIRST_SEED = 1
NOTHING_MORE: dict[str, Any] = {
    "database": None,  # what earlier runs found would come before the seed's
    "report_multiple_bugs": False,  # one way to fail is enough to stop for
    "phases": [Phase.generate, Phase.shrink],  # explaining a failure traces every line, for minutes
}
WORKERS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Batch(Struct, frozen=True):
    """Histories that one seed makes."""

    seed: int
    histories: int
    steps: int


class Played(Struct, frozen=True):
    """What became of a batch; `failure` is the shortest history that fails, and how, or None."""

    batch: Batch
    histories: int
    steps: int
    seconds: float
    failure: str | None

    def __str__(self) -> str:
        """One line about it, and the failure if there is one."""
        line = f"seed {self.batch.seed}: {self.histories} histories, {self.steps} steps, {self.seconds:.1f} s"
        return line if self.failure is None else f"{line}, and one that fails:\n{self.failure}"


def batches(count: int = HISTORIES, steps: int = STEPS, first_seed: int = FIRST_SEED) -> list[Batch]:
    """So many histories in all, in batches with seeds that count up."""
    starts = range(0, count, BATCH)
    return [Batch(first_seed + turn, min(BATCH, count - start), steps) for turn, start in enumerate(starts)]


def soak(
    server: Server,
    wanted: list[Batch],
    told: Callable[[Played], None],
    workers: int = WORKERS,
    schema: Schema | None = None,
) -> bool:
    """Plays the batches in so many processes; whether no history fails. `told` hears of each batch as it ends.

    After one that fails no other is begun. `schema` is another than the checkout's, for planted bugs.
    """
    waiting = iter(wanted)
    well = True
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        playing = {pool.submit(play_batch, server, batch, schema) for batch in islice(waiting, workers)}
        while playing:
            ended, playing = wait(playing, return_when=FIRST_COMPLETED)
            for future in ended:
                played = future.result()
                told(played)
                well = well and played.failure is None
            if well:
                playing |= {pool.submit(play_batch, server, batch, schema) for batch in islice(waiting, len(ended))}
    return well


def play_batch(server: Server, batch: Batch, schema: Schema | None = None) -> Played:
    """Plays one, here and now."""
    counted = [0, 0]

    class Counted(TaskMachine):
        """Knows how many histories and steps there were, those of shrinking included."""

        def __init__(self, world: World) -> None:
            super().__init__(world)
            counted[0] += 1

        def check_invariants(self, *arguments: object, **named: object) -> None:
            super().check_invariants(*arguments, **named)
            counted[1] += 1

    begun = time.monotonic()
    how = histories(batch.histories, batch.steps, **NOTHING_MORE)
    failure = None
    with a_world(server, schema) as world:
        seeded = hypothesis.seed(batch.seed)(lambda: Counted(world))
        try:
            run_state_machine_as_test(seeded, settings=how)
        except Exception:
            failure = traceback.format_exc()
    return Played(batch, *counted, time.monotonic() - begun, failure)
