"""REQUESTS.json is read strictly, and what will not do is named."""

from pathlib import Path

import msgspec
import pytest

from events.request import RequestDefinition
from ops.definitions import parse_definitions, read_definitions
from ops.errors import OperatorError
from ops.memory import REQUESTS, memory_file

FILE = Path("REQUESTS.json")
OPENAI = {"id": "REQ-009", "service": "OpenAI", "scopes": ["OPENAI_API_KEY"], "validation_cmd": "true"}


def test_our_own_file_is_sound() -> None:
    """The file that comes along defines the runbook's critical credentials, each with a way to validate it."""
    definitions = {each.id: each for each in read_definitions(memory_file(None, REQUESTS))}
    assert {"REQ-001", "REQ-005", "REQ-009"} <= definitions.keys()
    assert ["OPENAI_API_KEY"] == definitions["REQ-009"].scopes
    assert all(each.scopes and each.purpose and each.validation_cmd for each in definitions.values())


def test_the_workspaces_file_comes_first(tmp_path: Path) -> None:
    """A workspace with its own ops/REQUESTS.json is asked, one without gets ours."""
    assert memory_file(None, REQUESTS) == memory_file(tmp_path, REQUESTS)
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops" / REQUESTS).write_bytes(msgspec.json.encode([OPENAI]))
    assert ["REQ-009"] == [each.id for each in read_definitions(memory_file(tmp_path, REQUESTS))]


@pytest.mark.parametrize("plain", [[OPENAI], {"requests": [OPENAI], "version": 1}])
def test_an_array_or_an_object_around_it(plain: object) -> None:
    """Both shapes are read; what an event keeps of a request leaves out its id and status."""
    [definition] = parse_definitions(msgspec.json.encode(plain), FILE)
    assert RequestDefinition("OpenAI", scopes=["OPENAI_API_KEY"], validation_cmd="true") == definition.asked
    assert ("REQ-009", definition.asked) == (definition.wanted().id, definition.wanted().definition)


def test_no_file_defines_nothing(tmp_path: Path) -> None:
    """A file that does not exist is an empty one."""
    assert () == read_definitions(tmp_path / REQUESTS)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"", "REQUESTS.json is no JSON array"),
        (b"[{", "REQUESTS.json is no JSON array"),
        (b"\xff", "REQUESTS.json is no JSON array"),
        (b"{}", "no `requests`"),
        (b'"REQ-009"', "is no JSON array"),
        (b"[1]", "is no JSON array"),
        (msgspec.json.encode([{"service": "OpenAI"}]), "request #1.*required field `id`"),
        (msgspec.json.encode([OPENAI | {"id": "a b"}]), "request a b"),
        (msgspec.json.encode([OPENAI | {"scope": ["X"]}]), "request REQ-009.*unknown field `scope`"),
        (msgspec.json.encode([OPENAI | {"scopes": "X"}]), r"\$.scopes"),
        (msgspec.json.encode([OPENAI | {"scopes": ["MY-KEY"]}]), r"\$.scopes"),
        (msgspec.json.encode([OPENAI | {"status": "done"}]), r"\$.status"),
        (msgspec.json.encode([OPENAI, OPENAI]), "REQ-009 more than once"),
    ],
)
def test_what_will_not_do_is_named(text: bytes, complaint: str) -> None:
    """The refusal says which file, which request, and which field."""
    with pytest.raises(OperatorError, match=complaint):
        parse_definitions(text, FILE)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A folder in its place is no file."""
    (tmp_path / REQUESTS).mkdir()
    with pytest.raises(OperatorError, match=REQUESTS):
        read_definitions(tmp_path / REQUESTS)
