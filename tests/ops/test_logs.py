"""Logs carry fields, know their request, and never a secret."""

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
import structlog
from msgspec.structs import replace

from api.request_log import RequestLine, write_singly
from ops.config import Config, read_config
from ops.logs import configure_logs, request_writer
from ops.vault.vault import Vault, vault_folder

SECRET = "correct-horse-battery"


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    structlog.reset_defaults()
    root.setLevel(level)
    root.handlers[:] = handlers


def logged(config: Config) -> io.StringIO:
    """A stream that receives the logs of that Config."""
    stream = io.StringIO()
    configure_logs(config, stream)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, object]]:
    """The JSON lines written so far."""
    return [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]


def test_a_request_of_ours_is_no_line(tmp_path: Path) -> None:
    """The HTTP client's own lines, one per request, are left out; its warnings are not."""
    stream = logged(read_config({"ELRUSO_HOME": str(tmp_path)}))
    logging.getLogger("httpx").info("HTTP Request: POST /ops/runner/heartbeat")
    logging.getLogger("httpx").warning("odd")
    assert ["odd"] == [line["event"] for line in lines(stream)]


def test_a_line_is_json_where_nobody_watches() -> None:
    """Not on a terminal, each line is one JSON object with level, time and fields."""
    stream = logged(read_config({}))
    structlog.get_logger().info("task.claimed", task="t-1", attempt=2)
    (line,) = lines(stream)
    assert line.pop("timestamp")
    assert {"event": "task.claimed", "level": "info", "task": "t-1", "attempt": 2} == line


def test_request_id_is_on_every_line() -> None:
    """A request id bound once stands on every line until it is unbound, those of other libraries included."""
    stream = logged(read_config({}))
    with structlog.contextvars.bound_contextvars(request_id="r-7"):
        structlog.get_logger().info("inside")
        logging.getLogger("uvicorn.error").warning("theirs %s", "too")
    structlog.get_logger().info("outside")
    assert ["r-7", "r-7", None] == [line.get("request_id") for line in lines(stream)]
    assert "theirs too" == lines(stream)[1]["event"]


def test_level_is_honoured() -> None:
    """Lines below the configured level are not written."""
    stream = logged(read_config({"ELRUSO_LOG_LEVEL": "warning"}))
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert ["loud"] == [line["event"] for line in lines(stream)]


REQUEST = RequestLine(1_795_000_000.25, "GET", "/ops/tasks", 200, 1.5, "r-7")


@pytest.fixture
def _fresh_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module's own logger keeps the settings with which it wrote its first line."""
    monkeypatch.setattr("api.request_log.log", structlog.get_logger())


@pytest.mark.usefixtures("_fresh_logger")
def test_requests_are_lines_like_others() -> None:
    """Written many at once, they say what they would say one by one; the time is when each request ended."""
    config, many = read_config({}), io.StringIO()
    singly = logged(config)
    write_singly([REQUEST])
    request_writer(config, many)([REQUEST, replace(REQUEST, status=404)])
    [like], [one, two] = lines(singly), lines(many)
    assert "2026-11-18T11:06:40.250000Z" == one.pop("timestamp")
    assert like.pop("timestamp")
    assert (like, 404) == (one, two["status"])


@pytest.mark.usefixtures("_fresh_logger")
@pytest.mark.parametrize("given", [{"ELRUSO_LOG_LEVEL": "warning"}, {"ELRUSO_LOG_FORMAT": "console"}])
def test_requests_follow_level_and_format(given: dict[str, str]) -> None:
    """Nothing above the level; for a person, as all lines for a person."""
    config, stream = read_config(given), io.StringIO()
    configure_logs(config, stream)
    request_writer(config, stream)([REQUEST])
    assert ("path=/ops/tasks" in stream.getvalue()) == ("ELRUSO_LOG_FORMAT" in given)


def test_requests_hide_secrets() -> None:
    """A secret in an address, or one given as the id of a request, is hidden, in that line and in no other."""
    config, stream = read_config({"DATABASE_URL": f"postgresql://me:{SECRET}@there/db"}), io.StringIO()
    write = request_writer(config, stream)
    write([replace(REQUEST, path=f"/ops/tasks/{SECRET}"), REQUEST, replace(REQUEST, request_id=SECRET)])
    one, two, three = lines(stream)
    assert ("/ops/tasks/[redacted]", "/ops/tasks", "[redacted]") == (one["path"], two["path"], three["request_id"])
    assert SECRET not in stream.getvalue()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_secrets_never_show(log_format: str) -> None:
    """A known secret is hidden wherever it appears: in a field, in a nested field, in a traceback."""
    stream = logged(
        read_config({"DATABASE_URL": f"postgresql://me:{SECRET}@there/db", "ELRUSO_LOG_FORMAT": log_format})
    )
    logger = structlog.get_logger()
    logger.info("connecting", url=f"postgresql://me:{SECRET}@there/db", facts={"password": [SECRET]})
    try:
        raise ValueError(f"cannot use {SECRET}")
    except ValueError:
        logger.exception("failed")
        logging.getLogger("asyncpg").exception("theirs")
    assert "cannot use [redacted]" in stream.getvalue()
    assert SECRET not in stream.getvalue()


def test_token_never_shows() -> None:
    """The API token is a secret too."""
    stream = logged(read_config({"ELRUSO_TOKEN": "abcdefgh"}))
    structlog.get_logger().info("calling", headers={"authorization": "Bearer abcdefgh"})
    assert "abcdefgh" not in stream.getvalue()


def test_console_is_not_json() -> None:
    """On demand the lines are made for a reader."""
    stream = logged(read_config({"ELRUSO_LOG_FORMAT": "console"}))
    structlog.get_logger().info("task.claimed", task="t-1")
    assert "task.claimed task=t-1" in stream.getvalue()


def test_strange_values_do_not_break_a_line() -> None:
    """A field that JSON does not know is written as text."""
    stream = logged(read_config({}))
    structlog.get_logger().info("odd", thing=object, error=ValueError("x"))
    assert "x" == lines(stream)[0]["error"]


def test_a_value_of_the_vault_is_removed(tmp_path: Path) -> None:
    """Also one that was stored after the logs had been set up, in every field and in other libraries' lines."""
    config = read_config({"ELRUSO_HOME": str(tmp_path)})
    stream = logged(config)
    structlog.get_logger().info("before", said="stored-afterwards")
    Vault(vault_folder(config.home)).set({"KEY": "stored-afterwards"})
    structlog.get_logger().info("after", said=["stored-afterwards"], deep={"stored-afterwards": 1})
    logging.getLogger("uvicorn.error").warning("theirs: %s", "stored-afterwards")
    assert "stored-afterwards" in stream.getvalue().splitlines()[0]
    assert "stored-afterwards" not in "".join(stream.getvalue().splitlines()[1:])
