"""The floor: bare tables and plain asyncpg, speaking tests/bench/protocol.py.

To drain: claim a batch, complete a batch, two commits for each, over one connection. To wake: INSERT with NOTIFY, a
listener, a committed claim of one. No events, no views, no fence, no heartbeat: whatever does more must be slower.
"""

import asyncio
import json
import time

import asyncpg

from events.statements import load_statements
from tests.bench.protocol import DSN, RECORDER, SETTINGS, main, produce, ready, work_until

SQL = load_statements("tests.bench", "baseline.sql")
BATCH = 100


async def setup() -> None:
    """The table."""
    connection = await asyncpg.connect(DSN)
    await connection.execute(SQL["create_jobs"])
    await connection.execute(SQL["index_jobs"])
    await connection.close()


async def enqueue(count: int) -> float:
    """COPY."""
    connection = await asyncpg.connect(DSN)
    records = [(f'{{"i":{number},"t":0}}',) for number in range(count)]
    began = time.perf_counter()
    await connection.copy_records_to_table("job", columns=["payload"], records=records)
    seconds = time.perf_counter() - began
    await connection.close()
    return seconds


async def worker() -> None:
    """Drain what is there; with the setting `listen`, then whenever there is more."""
    batch = SETTINGS.get("batch", BATCH)
    connection = await asyncpg.connect(DSN)
    more = asyncio.Event()
    if SETTINGS.get("listen"):
        listener = await asyncpg.connect(DSN)
        await listener.add_listener("job", lambda *_: more.set())
    stop = await ready()
    await work_until(stop, _drain_for_ever(connection, batch, more))


async def producer(count: int, low_ms: float, high_ms: float) -> None:
    """INSERT and NOTIFY in one statement."""
    connection = await asyncpg.connect(DSN)
    create = await connection.prepare(SQL["create_and_notify"])
    await produce(lambda number, at: create.fetchval(f'{{"i":{number},"t":{at}}}'), count, low_ms, high_ms)


async def _drain_for_ever(connection: asyncpg.Connection, batch: int, more: asyncio.Event) -> None:
    claim, finish = await connection.prepare(SQL["claim_jobs"]), await connection.prepare(SQL["finish_jobs"])
    while True:
        while rows := await claim.fetch(batch):
            for row in rows:
                _handle(row["payload"])
            await finish.fetch([row["id"] for row in rows])
        await more.wait()
        more.clear()


def _handle(payload: str) -> None:
    now = time.monotonic_ns()
    job = json.loads(payload)
    RECORDER.hit(job["i"], job["t"], now)


if __name__ == "__main__":
    main(setup, enqueue, worker, producer)
