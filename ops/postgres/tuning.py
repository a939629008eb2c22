"""The embedded server's settings. Each departs from PostgreSQL's default for a reason that stands beside it."""

from pathlib import Path

import msgspec
import psutil

MEBIBYTE = 1024 * 1024


class Listening(msgspec.Struct, frozen=True):
    """Where the server listens: 127.0.0.1 and a unix socket, both at one port number."""

    port: int
    socket: Path


def settings_text(listening: Listening, log: Path, *, unsafe: bool) -> str:
    """The text of `elruso.conf`. `unsafe` is for tests alone: a crash of the machine loses the data."""
    settings = _common(listening, log) | (_UNSAFE if unsafe else _DURABLE)
    return "".join(f"{name} = {_quoted(value)}\n" for name, value in settings.items())


def _common(listening: Listening, log: Path) -> dict[str, str | float | Path]:
    return {
        "listen_addresses": "127.0.0.1",
        "port": listening.port,
        "unix_socket_directories": listening.socket,
        "cluster_name": "elruso",
        "max_connections": 200,
        "shared_buffers": f"{_shared_buffers()}MB",
        "jit": "off",  # our statements are short; compiling them costs more than running them
        "random_page_cost": 1.1,  # solid-state disks
        "autovacuum_naptime": "15s",  # a queue makes dead rows faster than the default minute
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %a ",
        "log_lock_waits": "on",
        "logging_collector": "on",  # a file for each weekday, overwritten a week later: bounded
        "log_directory": log,
        "log_filename": "postgres-%a.log",
        "log_rotation_age": "1d",
        "log_rotation_size": 0,
        "log_truncate_on_rotation": "on",
    }


_DURABLE: dict[str, str | float | Path] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "max_wal_size": "2GB",  # an append-only log writes steadily: fewer checkpoints, fewer full-page images
    "min_wal_size": "256MB",
    "checkpoint_timeout": "15min",
}

_UNSAFE: dict[str, str | float | Path] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": 0,
    "max_wal_size": "1GB",
    "scram_iterations": 1,  # each test opens connections; the default's key stretching is for humans' passwords
}


def _shared_buffers() -> int:
    """A sixteenth of the machine's memory in MiB, between 128 and 512: the machine is not ours alone."""
    sixteenth = psutil.virtual_memory().total // 16 // MEBIBYTE
    return max(128, min(512, int(sixteenth)))


def _quoted(value: str | float | Path) -> str:
    return "'" + str(value).replace("'", "''") + "'"
