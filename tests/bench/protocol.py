"""How a worker or a producer, in a process of its own, is driven and watched; ours, the baseline's and any rival's.

    adapter setup                      make the schema in the empty database $BENCH_DSN
    adapter enqueue N                  create tasks 0..N-1 in bulk; print {"jobs": N, "seconds": s}
    adapter worker                     import, connect, print READY, wait for GO on stdin, then work;
                                       at STOP (or the end of stdin) write $BENCH_OUT and leave
    adapter produce N MIN_MS MAX_MS    create N tasks one at a time, resting as long in between;
                                       print {"enqueue_ms": […]}

Each task carries {"i": its number, "t": CLOCK_MONOTONIC in ns just before it was created, 0 where that is not wanted}.
That clock is one for all processes of a machine. Settings come as JSON in $BENCH_CFG. How many tasks have run stands
in the file $BENCH_PROGRESS, so that nobody asks the database while it works.
"""

import array
import asyncio
import json
import os
import random
import struct
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop

from tests.bench.measure import pause

DSN = os.environ.get("BENCH_DSN", "")
SETTINGS: dict[str, Any] = json.loads(os.environ.get("BENCH_CFG", "{}"))
INDEX = int(os.environ.get("BENCH_INDEX", "0"))
UNMEASURED = 10  # tasks sent first when waking is measured; their numbers are negative
PROGRESS_SECONDS = 0.01
SEED = 42


class Recorder:
    """What the handlers of this process saw."""

    def __init__(self) -> None:
        self.ids = array.array("q")
        self.latencies = array.array("q")
        self.first = 0
        self.last = 0

    def hit(self, number: int, created_at: int, now: int) -> None:
        """A handler began, at `now`."""
        self.first = self.first or now
        self.last = now
        self.ids.append(number)
        self.latencies.append(now - created_at if created_at else 0)

    def publish(self) -> None:
        """Keep $BENCH_PROGRESS current, from a thread."""
        if path := os.environ.get("BENCH_PROGRESS"):
            descriptor = os.open(path, os.O_CREAT | os.O_RDWR)
            threading.Thread(target=self._publish_for_ever, args=(descriptor,), daemon=True).start()

    def write(self) -> None:
        """Write $BENCH_OUT, whole or not at all."""
        if path := os.environ.get("BENCH_OUT"):
            draft = Path(f"{path}.draft")
            seen = {"ids": list(self.ids), "lat_ns": list(self.latencies), "first": self.first, "last": self.last}
            draft.write_text(json.dumps(seen))
            draft.replace(path)

    def _publish_for_ever(self, descriptor: int) -> None:
        seen, tick = -1, threading.Event()
        while not tick.wait(PROGRESS_SECONDS):
            if len(self.ids) != seen:
                seen = len(self.ids)
                os.pwrite(descriptor, struct.pack("<qq", seen, self.first), 0)


RECORDER = Recorder()


def say(word: str | dict[str, Any]) -> None:
    """One line to the driver."""
    sys.stdout.write((word if isinstance(word, str) else json.dumps(word)) + "\n")
    sys.stdout.flush()


async def ready() -> asyncio.Event:
    """Say READY and wait for GO. What is returned is set at STOP, when the worker should end by itself."""
    await asyncio.to_thread(_wait_for_go)
    RECORDER.publish()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def watch() -> None:
        sys.stdin.readline()
        RECORDER.write()
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch, daemon=True).start()
    return stop


async def work_until(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Work, at most until `stop`; a worker that fails ends its process instead of keeping everybody waiting."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    if working.done():
        await working
    working.cancel()


async def produce(send: Callable[[int, int], Awaitable[object]], count: int, low_ms: float, high_ms: float) -> None:
    """`send(number, nanoseconds)` creates one task; print what each call took."""
    rests = random.Random(SEED)
    milliseconds = []
    for number in range(-UNMEASURED, count):
        began = time.monotonic_ns()
        await send(number, began)
        milliseconds.append((time.monotonic_ns() - began) / 1e6)
        await pause(rests.uniform(low_ms, high_ms) / 1000)
    say({"enqueue_ms": milliseconds[UNMEASURED:]})


def main(
    setup: Callable[[], Coroutine[Any, Any, None]],
    enqueue: Callable[[int], Coroutine[Any, Any, float]],
    worker: Callable[[], Coroutine[Any, Any, None]],
    producer: Callable[[int, float, float], Coroutine[Any, Any, None]],
) -> None:
    """Do what the command line says, on the loop that El Ruso runs on. `enqueue` returns its seconds."""
    match sys.argv[1:]:
        case ["setup"]:
            uvloop.run(setup())
        case ["enqueue", count]:
            say({"jobs": int(count), "seconds": uvloop.run(enqueue(int(count)))})
        case ["worker"]:
            uvloop.run(worker())
        case ["produce", count, low_ms, high_ms]:
            uvloop.run(producer(int(count), float(low_ms), float(high_ms)))
        case words:
            sys.exit(f"unknown command {' '.join(words)}; see tests/bench/protocol.py")


def _wait_for_go() -> None:
    say("READY")
    if sys.stdin.readline().strip() != "GO":
        os._exit(3)
