"""Our own commands as processes of their own, as an operator starts them."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx

from events.connect import Database
from tests.bench.adapter import AdapterError
from tests.bench.machine import ROOT
from tests.support.waiting import eventually

START_SECONDS = 60.0
STOP_SECONDS = 20.0


@asynccontextmanager
async def serving(database: Database, **settings: str) -> AsyncIterator[str]:
    """The API, healthy; its address."""
    async with served(database, **settings) as (address, _pid):
        yield address


@asynccontextmanager
async def served(database: Database, **settings: str) -> AsyncIterator[tuple[str, int]]:
    """The same, and its process id."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    async with elruso(database, "serve", "--port", str(port), **settings) as process:
        _healthy: bool = await eventually(partial(is_up, address), START_SECONDS, "the API's health")
        yield address, process.pid


@asynccontextmanager
async def elruso(database: Database, *words: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """One command of ours as a process of its own, stopped afterwards."""
    own = {"DATABASE_URL": database.url, "PYTHONPATH": str(ROOT), "ELRUSO_LOG_LEVEL": "warning"} | settings
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "ops", *words),
        env=os.environ | own,
        stdin=asyncio.subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
        if process.returncode is not None:
            raise AdapterError(f"elruso {' '.join(words)} ended with {process.returncode}; try it by hand")
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS)
            except TimeoutError:
                process.kill()


def free_port() -> int:
    """A port of 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def is_up(address: str) -> bool:
    """Whether somebody answers there, whatever the answer."""
    try:
        async with httpx.AsyncClient() as client:
            return bool((await client.get(f"{address}/health")).status_code)
    except httpx.TransportError:
        return False
