"""Pass settings to child processes through a socket instead of their initial environment.

/proc would show the initial environment to every process of the same user. The child reads the socket once it is
non-dumpable (ops/private_process.py).
"""

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Self

from ops.config import TRANSFER_VARIABLE, adopt_environment, inherited_environment
from runner.environment import BASE_VARIABLES

READY_SECONDS = 60.0  # how long a child may take until it asks for its settings
STARTUP_PREFIXES = ("PYTHON", "LD_", "LC_", "MALLOC_")  # read by the loader, libc and Python before El Ruso's code

_READY = b"r"
_LENGTH_BYTES = 8


class EnvironmentTransfer:
    """The environment of one child: start it with `visible` and `descriptors`, then `deliver` the rest."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        hidden = {name: value for name, value in environment.items() if not _is_harmless(name)}
        content = "\0".join(f"{name}={value}" for name, value in hidden.items()).encode(errors="surrogateescape")
        self._hidden = len(content).to_bytes(_LENGTH_BYTES) + content
        self._ours, self._theirs = socket.socketpair()
        self.descriptors = (self._theirs.fileno(),)
        transfer = {TRANSFER_VARIABLE: str(self._theirs.fileno())}
        self.visible = {name: value for name, value in environment.items() if name not in hidden} | transfer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ours.close()
        self._theirs.close()

    async def deliver(self) -> None:
        """Wait until the child asks, and send the rest. Returns silently if the child dies or takes READY_SECONDS."""
        self._theirs.close()
        self._ours.setblocking(False)
        loop = asyncio.get_running_loop()
        with suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(READY_SECONDS):
                if await loop.sock_recv(self._ours, 1):
                    await loop.sock_sendall(self._ours, self._hidden)
        self._ours.close()

    def deliver_now(self) -> None:
        """As `deliver`, blocking."""
        self._theirs.close()
        self._ours.settimeout(READY_SECONDS)
        with suppress(ConnectionError, TimeoutError):
            if self._ours.recv(1):
                self._ours.sendall(self._hidden)
        self._ours.close()


def receive_environment() -> None:
    """In the child: receive the settings from the parent, if it sends any.

    Raises:
        SystemExit: they did not arrive whole. Without them the child would work on another home or database.
    """
    descriptor = inherited_environment().get(TRANSFER_VARIABLE, "")
    if not descriptor.isdigit():
        return
    content = b""
    with suppress(OSError), socket.socket(fileno=int(descriptor)) as connection:
        connection.sendall(_READY)
        while piece := connection.recv(65536):
            content += piece
    length, content = content[:_LENGTH_BYTES], content[_LENGTH_BYTES:]
    if len(length) < _LENGTH_BYTES or len(content) != int.from_bytes(length):
        raise SystemExit("elruso: the settings of this process did not arrive from its parent; start it again")
    variables = (pair.partition("=") for pair in content.decode(errors="surrogateescape").split("\0") if pair)
    adopt_environment({name: value for name, _, value in variables}, without=TRANSFER_VARIABLE)


def _is_harmless(name: str) -> bool:
    return name in BASE_VARIABLES or name.startswith(STARTUP_PREFIXES)
