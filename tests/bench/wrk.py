"""wrk, the load generator: a program of its own, so that what is measured shares no interpreter with who measures."""

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

PROGRAM = "wrk"
SCRIPT = Path(__file__).with_suffix(".lua")
NOTHING: Mapping[str, str] = {}


class WrkFailed(Exception):
    """wrk ended with an error."""


class Request(Struct, frozen=True):
    """What is sent again and again."""

    path: str
    method: str = "GET"
    headers: Mapping[str, str] = NOTHING
    body: bytes | None = None


class Told(Struct, frozen=True):
    """What wrk says: how many requests were answered in how long, percentiles in microseconds.

    `refused`: answers of 400 and more; `broken`: connections that failed, and requests that were never answered.
    """

    requests: int
    microseconds: int
    p50: int
    p99: int
    refused: int
    broken: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.microseconds * 1e6

    @property
    def well(self) -> bool:
        """Whether every request was answered, none of them with a refusal."""
        return not self.refused and not self.broken and self.requests > 0


def is_installed() -> bool:
    """Whether there is a wrk here."""
    return shutil.which(PROGRAM) is not None


async def load(address: str, request: Request, connections: int, seconds: float) -> Told:
    """`request` over so many connections, each sending its next one when it has been answered. Raises WrkFailed."""
    with tempfile.TemporaryDirectory() as folder:
        words = [request.method]
        if request.body is not None:
            file = Path(folder) / "body"
            file.write_bytes(request.body)
            words.append(str(file))
        headers = [word for name, value in request.headers.items() for word in ("-H", f"{name}: {value}")]
        process = await asyncio.create_subprocess_exec(
            *(PROGRAM, "-t", "1", "-c", str(connections), "-d", f"{max(1, round(seconds))}s", "--timeout", "20s"),
            *(*headers, "-s", str(SCRIPT), address + request.path, "--", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await process.communicate()
    told = [line for line in printed.splitlines() if line.startswith(b"{")]
    if process.returncode or not told:
        raise WrkFailed(printed.decode(errors="replace").strip())
    return msgspec.json.decode(told[-1], type=Told)
