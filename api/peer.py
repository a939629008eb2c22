"""Detect whether the peer of a loopback connection is a process of a run.

Before the first token exists, every local client may do everything, except steps of tasks: their requests are refused.
On Linux every process of a step descends from its runner's subreaper (runner/subreaper.py), and each subreaper has an
abstract socket in /proc/net/unix. The socket's inode, from /proc/net/tcp, leads to the process that holds the other end
of the connection.

Each connection is looked up once, and only while a subreaper exists. Limits: docs/adr/0019.
"""

import asyncio
import ipaddress
import os
import re
import socket
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from api.errors import InsideRun

IS_KNOWN = sys.platform == "linux"
"""Whether this platform can detect requests from steps."""

REASON = "from inside a run this needs a token: `elruso token create`, then `elruso vault set ELRUSO_TOKEN --grant`"
ATTEMPTS = 5  # processes start and end during a scan

_PROCESSES = Path("/proc")
_SUBREAPER = re.compile(rb"@elruso-subreaper-(\d+)-(\d+)\s")
ROOT = 0
STAT_BYTES = 4096

_UNHELD = "0"  # the inode of a socket that its process has closed

Address = tuple[str, int]


class Subreaper(Struct, frozen=True):
    """A runner's subreaper: the process-id namespace it lives in, and its id there."""

    namespace: int
    pid: int


class TcpSocket(Struct, frozen=True):
    """One end of a connection: its inode and its owner's user id."""

    inode: str
    user: int


class Sighting(Struct, frozen=True):
    """The result of one scan for a socket's holder. `inside`: it is below a subreaper; `outside`: it is not.

    `*_hidden`: some process of that kind could not be inspected. `processes_inside`: all processes below subreapers.
    """

    outside: bool = False
    inside: bool = False
    outside_hidden: bool = False
    inside_hidden: bool = False
    processes_inside: frozenset[int] = frozenset()


class Peer:
    """The peer of one connection."""

    def __init__(self, client: Address, server: Address) -> None:
        self._client = client
        self._server = server
        self._is_step: bool | None = None

    async def is_step(self) -> bool:
        """Whether the peer is, or may be, a process of a run. The result is cached."""
        if self._is_step is None:
            subreapers = list_subreapers() if IS_KNOWN else []
            self._is_step = bool(subreapers) and await asyncio.to_thread(self._look_up, subreapers)
        return self._is_step

    def _look_up(self, subreapers: list[Subreaper]) -> bool:
        own_ancestry = _own_ancestry()
        namespace = _namespace_of("self")
        others = [one for one in subreapers if one.namespace != namespace or one.pid not in own_ancestry]
        if not others:
            return False  # this API is itself part of a run, and so are its clients
        busy = any(
            _may_have_children(one, namespace) for one in others
        )  # before find_socket: a step may end in between
        found = find_socket(self._client, self._server)
        if found is None or found.inode == _UNHELD:
            return True  # closed already: its holder is unknown
        if not busy:
            return False  # no command was running, and the connection is still open
        users = {_user_of(one, namespace) for one in others}
        if users.isdisjoint({ROOT, None, found.user}):
            return False  # a step has its runner's user id, unless that is root
        return holds_inside(found.inode, others, namespace)


async def refuse_steps(scope: Mapping[str, Any]) -> None:
    """Refuse a request without a token when it comes from inside a run. Raises InsideRun."""
    peer: Peer | None = scope.get("state", {}).get("peer")
    if peer is not None and await peer.is_step():
        raise InsideRun(REASON)


def list_subreapers() -> list[Subreaper]:
    """The subreapers of this network namespace."""
    try:
        sockets = Path("/proc/net/unix").read_bytes()
    except OSError:
        return []
    return [Subreaper(int(namespace), int(pid)) for namespace, pid in _SUBREAPER.findall(sockets + b"\n")]


def find_socket(local: Address, remote: Address) -> TcpSocket | None:
    """The TCP socket whose local and remote addresses are these; None: there is none."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        ends = f"{_hexadecimal(local, table)} {_hexadecimal(remote, table)} ".encode()
        with suppress(OSError):
            rows = Path(table).read_bytes()
            start = rows.find(ends)
            if start >= 0:
                row = rows[start:].split(maxsplit=9)  # … state, queues, timer, retransmits, user, timeout, inode
                return TcpSocket(row[8].decode(), int(row[6]))
    return None


def holds_inside(inode: str, subreapers: list[Subreaper], namespace: int) -> bool:
    """Whether a process below one of the subreapers holds the socket, or no holder can be found.

    If no holder is found and some process outside cannot be inspected (sshd, for instance), that process is taken for
    the holder, provided that all processes inside could be inspected, in two scans with the same result.
    """
    before: Sighting | None = None
    for _ in range(ATTEMPTS):
        seen = look_for_holders(f"socket:[{inode}]", subreapers, namespace)
        if seen.inside or seen.outside:
            return seen.inside
        if before == seen and seen.outside_hidden and not seen.inside_hidden:
            return False
        before = seen
    return True


def look_for_holders(link: str, subreapers: list[Subreaper], namespace: int) -> Sighting:
    """Search the descriptors of all processes, those below subreapers first, youngest first."""
    parents = list_parents()
    roots = {one.pid for one in subreapers if one.namespace == namespace}
    foreign = {one.namespace for one in subreapers} - {namespace}
    inside = _below(roots, parents)
    inside |= {pid for pid in parents if foreign and _namespace_of(pid) in foreign}
    inside_hidden, outside_hidden = False, False
    for pid in sorted(parents, key=lambda pid: (pid not in inside, -pid)):
        holds = _holds(pid, link, every_thread=pid in inside)
        if holds:
            return Sighting(inside=pid in inside, outside=pid not in inside)
        inside_hidden |= holds is None and pid in inside
        outside_hidden |= holds is None and pid not in inside
    return Sighting(False, False, outside_hidden, inside_hidden, frozenset(inside))


def list_parents() -> dict[int, int]:
    """Every process id and its parent's."""
    return {pid: parent for pid in _process_ids() if (parent := _parent_of(pid)) is not None}


def _below(roots: Iterable[int], parents: Mapping[int, int]) -> set[int]:
    children: dict[int, list[int]] = {}
    for pid, parent in parents.items():
        children.setdefault(parent, []).append(pid)
    below: set[int] = set()
    waiting = list(roots)
    while waiting:
        found = [pid for pid in children.get(waiting.pop(), ()) if pid not in below]
        below.update(found)
        waiting += found
    return below


def _process_ids() -> Iterator[int]:
    return (int(name) for name in os.listdir(_PROCESSES) if name.isdigit())  # noqa: PTH208


def _parent_of(pid: int) -> int | None:
    with suppress(OSError):
        descriptor = os.open(
            f"/proc/{pid}/stat", os.O_RDONLY
        )  # three times as fast as pathlib; called for every process
        try:
            return int(os.read(descriptor, STAT_BYTES).rpartition(b")")[2].split()[1])
        finally:
            os.close(descriptor)
    return None


def _own_ancestry() -> set[int]:
    """This process and its ancestors."""
    ancestry = [os.getpid()]
    while (parent := _parent_of(ancestry[-1])) and parent not in ancestry:
        ancestry.append(parent)
    return set(ancestry)


def _may_have_children(subreaper: Subreaper, namespace: int) -> bool:
    if subreaper.namespace == namespace:
        with suppress(OSError):  # needs CONFIG_PROC_CHILDREN
            return bool((_PROCESSES / f"{subreaper.pid}/task/{subreaper.pid}/children").read_bytes().strip())
    return True


def _holds(pid: int, link: str, every_thread: bool) -> bool | None:
    """None: the process cannot be inspected, or has ended. A thread may have a descriptor table of its own (unshare),
    which only its own folder shows."""
    try:
        threads = os.listdir(f"/proc/{pid}/task") if every_thread else [str(pid)]  # noqa: PTH208
        folders = [f"/proc/{pid}/task/{thread}/fd" for thread in threads]
        places = [f"{folder}/{name}" for folder in folders for name in os.listdir(folder)]  # noqa: PTH208
    except OSError:
        return None
    for place in places:
        with suppress(OSError):
            if os.readlink(place) == link:  # noqa: PTH115
                return True
    return False


def _namespace_of(pid: int | str) -> int:
    """The process-id namespace of a process; 0 if it cannot be read."""
    with suppress(OSError):
        return (_PROCESSES / str(pid) / "ns" / "pid").stat().st_ino
    return 0


def _user_of(subreaper: Subreaper, namespace: int) -> int | None:
    """The user id of a subreaper's commands; None for one in another namespace, where user ids may be mapped."""
    if subreaper.namespace == namespace:
        with suppress(OSError, StopIteration):
            status = (_PROCESSES / str(subreaper.pid) / "status").read_text().splitlines()
            return int(next(line for line in status if line.startswith("Uid:")).split()[2])
    return None


def _hexadecimal(address: Address, table: str) -> str:
    """As /proc/net/tcp writes it: words of four bytes in the machine's own order. IPv6 holds IPv4 in its last word."""
    host = ipaddress.ip_address(address[0])
    packed = host.packed
    if table.endswith("6") and host.version == 4:
        packed = socket.inet_pton(socket.AF_INET6, f"::ffff:{host}")
    elif not table.endswith("6") and host.version == 6:
        packed = packed[-4:]
    words = [int.from_bytes(packed[start : start + 4], sys.byteorder) for start in range(0, len(packed), 4)]
    return "".join(f"{word:08X}" for word in words) + f":{address[1]:04X}"
