"""Start, use and stop a server that several processes share, without counting them.

Every user holds a shared lock on `users.lock` while it lives, and the kernel lets go of it whatever becomes of the
process. A user that leaves tries for the exclusive lock: who gets it was the last, and stops the server, unless a
client that is none of ours (psql, a report) is still connected, or the server was started to be left running.
`start.lock` lets one process at a time decide.

A server that is killed while it is used is started again: long-lived users watch it, and whoever gets `start.lock`
first restarts it. Only a server that `stop` ended stays down, until somebody needs it.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from ops.errors import OperatorError, from_os_error
from ops.postgres.cluster import Cluster
from ops.postgres.place import make_folder
from ops.postgres.server import Server
from ops.postgres.watchdog import watch

Announce = Callable[..., None]  # announce(key, **facts): a message of ops.messages for whoever is watching


def _silent(_key: str, **_facts: Any) -> None:
    pass


@contextmanager
def use(
    folder: Path, major: int = 18, *, unsafe: bool = False, announce: Announce = _silent, watched: bool = False
) -> Iterator[Server]:
    """A running server for as long as the block lasts, created and started if need be; blocking, for use at start-up.

    Several processes may do this at once. Leaving stops the server if nobody else uses it. `watched`: if the server is
    killed meanwhile, it is started again, at the same addresses. Raises OperatorError.
    """
    cluster = Cluster(folder, major, unsafe=unsafe)
    make_folder(folder)
    with _opened(folder / "users.lock") as users:
        with _locked(folder):
            server = _ensure_running(cluster, announce)
            fcntl.flock(users, fcntl.LOCK_SH)
        try:
            with _watched(cluster, announce) if watched else nullcontext():
                yield server
        finally:
            with _locked(folder):
                _leave(cluster, users)


def start(folder: Path, major: int = 18, *, announce: Announce = _silent) -> Server:
    """The server; if this starts it, it is left running until `stop`, whoever uses it in between."""
    make_folder(folder)
    cluster = Cluster(folder, major)
    with _locked(folder):
        server = cluster.running()
        if server is None:
            server = _ensure_running(cluster, announce)
            cluster.keep()
        return server


def has_died(folder: Path, major: int = 18) -> bool:
    """Whether processes use the server, and it runs no more though nobody stopped it."""
    if not folder.is_dir() or not Cluster(folder, major).is_gone():
        return False
    with _opened(folder / "users.lock") as users:
        return not _is_last(users)


def find_running(folder: Path, major: int = 18) -> Server | None:
    """The server if it is running; starts nothing."""
    return Cluster(folder, major).running() if folder.is_dir() else None


def stop(folder: Path, major: int = 18, *, force: bool = False) -> bool:
    """Stop the server; false if it was not running. Raises OperatorError while others use it, unless forced."""
    cluster = Cluster(folder, major)
    if not folder.is_dir():
        return False
    with _locked(folder), _opened(folder / "users.lock") as users:
        if cluster.running() is None:
            return False
        if not force and not _is_last(users):
            raise OperatorError("postgres.in_use", folder=folder)
        cluster.stop()
        return True


def remove_unused(folder: Path, major: int) -> bool:
    """Delete the cluster with all it holds, if it is there and nobody uses it; for what tests leave behind.

    Not to be called by two processes at once: the lock it holds lies in the folder that it deletes.
    """
    if not folder.is_dir():
        return False
    with _locked(folder), _opened(folder / "users.lock") as users:
        if not _is_last(users):
            return False
        cluster = Cluster(folder, major)
        if cluster.running() is not None:
            cluster.stop()
        cluster.remove()
        return True


@contextmanager
def _watched(cluster: Cluster, announce: Announce) -> Iterator[None]:
    def restart() -> None:
        with _locked(cluster.folder):
            if not cluster.is_gone():  # another user was first
                return
            try:
                _restart(cluster)
            except (OperatorError, OSError) as error:
                refusal = from_os_error(error) if isinstance(error, OSError) else error
                announce("postgres.not_restarted")
                announce(refusal.key, **refusal.facts)
            else:
                announce("postgres.restarted")

    with watch(cluster.is_gone, restart):
        yield


def _restart(cluster: Cluster) -> None:
    kept = cluster.is_kept()
    cluster.start()
    if kept:
        cluster.keep()


def _ensure_running(cluster: Cluster, announce: Announce) -> Server:
    server = cluster.running()
    if server is None:
        announce("postgres.starting", folder=cluster.folder)
        try:
            server = cluster.start()
        except (KeyboardInterrupt, SystemExit):
            cluster.abandon_start()
            raise
    return server


def _leave(cluster: Cluster, users: int) -> None:
    if _is_last(users) and cluster.running() is not None and not cluster.is_kept() and _is_idle(cluster):
        cluster.stop()


def _is_idle(cluster: Cluster) -> bool:
    try:
        return cluster.clients() == 0
    except OperatorError:  # it has just died, or takes no connections: nothing of ours to stop
        return False


def _is_last(users: int) -> bool:
    """Trade our shared lock for the exclusive one, if no other process holds a share."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with _opened(folder / "start.lock") as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a lock file. It is never deleted while in use: a lock on a deleted file would exclude nobody."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
