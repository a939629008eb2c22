"""A session of our own for a long time: its death is noticed, its end is polite."""

import asyncio
import contextlib
import socket

from asyncpg import Connection

HANG_UP_SECONDS = 1.0
KEEPALIVE_OPTIONS = {  # those that the platform knows; seconds, but for the last
    "TCP_KEEPIDLE": 10,
    "TCP_KEEPALIVE": 10,  # what macOS calls the one above
    "TCP_KEEPINTVL": 5,
    "TCP_KEEPCNT": 3,
    "TCP_USER_TIMEOUT": 15_000,  # milliseconds until unacknowledged bytes end the connection
}


def keep_alive(connection: Connection) -> bool:
    """Have the kernel notice within half a minute that the peer is gone, which asyncpg does not ask for.

    False when there is no TCP socket to set.
    """
    transport = getattr(connection, "_transport", None)  # private, but the only way to the socket
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return False
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE_OPTIONS.items():
        if hasattr(socket, name):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return True


async def hang_up(connection: Connection) -> None:
    """End a connection, politely if the server still answers within a second. Never fails."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(HANG_UP_SECONDS):
            await connection.close()
