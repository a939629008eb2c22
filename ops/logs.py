"""Logs: lines for a human on a terminal, JSON lines for a machine; the same fields either way, secrets removed.

Everything goes to one stream, the standard library's loggers (uvicorn, asyncpg) included; run uvicorn with
`log_config=None`. Facts that belong to all lines of a request or a run are bound with
`structlog.contextvars.bound_contextvars(request_id=…)` by whoever knows them.
"""

import logging
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec
import structlog
from msgspec.structs import replace
from structlog.typing import EventDict, Processor, WrappedLogger

from api.request_log import EVENT, RequestLine, Write, write_singly
from events.visible_text import escape_json, visible_line, visible_text
from ops.config import Config
from ops.lossy_stream import lossy
from ops.vault.keyring import Keyring


def configure_logs(config: Config, stream: TextIO = sys.stderr) -> None:
    """Set up structlog and the standard library's logging for this process; call once, before the first line.

    Raises OperatorError when the vault cannot be opened: a process that cannot redact must not start.
    """
    Keyring.of(config).load()
    level = _level(config)
    stream = lossy(stream)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        redaction(config),
    ]
    renderer = _renderer(config, stream)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=max(level, logging.INFO), handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(max(level, logging.WARNING))  # else it writes a line per request


def request_writer(config: Config, stream: TextIO = sys.stderr) -> Write:
    """What writes the lines about requests, as configure_logs has all others written: many at once, for less."""
    if _is_console(config, stream):
        return write_singly
    if _level(config) > logging.INFO:
        return lambda _lines: None
    stream = lossy(stream)
    redact = Keyring.of(config).redactor.redact
    encode = msgspec.json.Encoder().encode_lines

    def write(lines: Sequence[RequestLine]) -> None:
        told = "\n".join([f"{line.path}\n{line.request_id}" for line in lines])
        if redact(told) != told:
            lines = [replace(line, path=redact(line.path), request_id=redact(line.request_id)) for line in lines]
        stream.write(escape_json(encode([_entry(line) for line in lines]).decode()))
        stream.flush()

    return write


def _entry(line: RequestLine) -> dict[str, Any]:
    return {
        "method": line.method,
        "path": line.path,
        "status": line.status,
        "duration_ms": line.duration_ms,
        "event": EVENT,
        "request_id": line.request_id,
        "level": "info",
        "timestamp": datetime.fromtimestamp(line.at, UTC),
    }


def redaction(config: Config) -> Processor:
    """A processor that hides the secrets this process knows, and whatever has the shape of one, in every field."""
    redactor = Keyring.of(config).redactor

    def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        return {key: redactor.redact_value(_plain(value)) for key, value in event.items()}

    return redact


def _renderer(config: Config, stream: TextIO) -> Processor:
    if _is_console(config, stream):
        # The plain traceback: the pretty one prints local variables, and with them secrets.
        console = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
        return lambda logger, method, event: console(logger, method, _visible(event))
    return structlog.processors.JSONRenderer(serializer=_json)


def _is_console(config: Config, stream: TextIO) -> bool:
    return config.log_format == "console" or (config.log_format == "auto" and stream.isatty())


def _level(config: Config) -> int:
    return logging.getLevelNamesMapping()[config.log_level.upper()]


def _json(event: EventDict, **_options: Any) -> str:
    return escape_json(msgspec.json.encode(event, enc_hook=repr).decode())


def _visible(event: EventDict) -> EventDict:
    """The same without anything that a terminal obeys; our own colours come after this."""
    return {visible_line(key): _visible_value(key, value) for key, value in event.items()}


def _visible_value(key: str, value: Any) -> Any:
    if not isinstance(value, str):
        return visible_line(repr(value)) if isinstance(value, (dict, list)) else value
    return visible_text(value) if key in ("exception", "stack") else visible_line(value)


def _plain(value: Any) -> Any:
    """What JSON knows stays; anything else becomes text, which can be redacted."""
    return value if isinstance(value, (str, int, float, bool, dict, list, type(None))) else str(value)
