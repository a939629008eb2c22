"""An event that was written in an old shape is read in the new one; whatever cannot be read says why."""

from datetime import UTC
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from events import catalog
from events.errors import InvalidInput
from events.limits import MOMENT_MAX, MOMENT_MIN
from events.task import TaskCreated, TaskStep

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20)
LINES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)
RANGE = (MOMENT_MIN.replace(tzinfo=None), MOMENT_MAX.replace(tzinfo=None))
IDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)


def split_command(plain: dict[str, Any]) -> dict[str, Any]:
    """An upcaster as one may be needed some day: `command` became `cmd`, `seconds` became `duration_ms`."""
    plain["cmd"] = plain.pop("command", None)
    plain["duration_ms"] = round(plain.pop("seconds", 0) * 1000)
    return plain


def count_output(plain: dict[str, Any]) -> dict[str, Any]:
    """The one after it: how long the output was is told."""
    return {**plain, "output_bytes": len(plain.get("output_excerpt", ""))}


@pytest.fixture
def upcasters(monkeypatch: pytest.MonkeyPatch) -> None:
    """task.step has had two older shapes."""
    monkeypatch.setitem(catalog.UPCASTERS, "task.step", (split_command, count_output))


def test_old_shapes_are_read(upcasters: None) -> None:
    """Upcasters are applied one after the other, the oldest first, and the result is decoded as strictly as ever."""
    old = b'{"run_id": 7, "number": 1, "name": "test", "command": "make", "seconds": 1.5, "output_excerpt": "ok"}'
    expected = TaskStep(7, 1, "test", cmd="make", duration_ms=1500, output_excerpt="ok", output_bytes=2)
    assert expected == catalog.decode("task.step", old)


def test_an_upcast_event_is_decoded_strictly(upcasters: None) -> None:
    """A field that no shape ever had is refused after upcasting too."""
    with pytest.raises(InvalidInput, match="invented"):
        catalog.decode("task.step", b'{"run_id": 7, "number": 1, "name": "test", "invented": 1}')


def test_other_types_are_not_touched(upcasters: None) -> None:
    """An upcaster concerns its own type."""
    assert TaskCreated("t") == catalog.decode("task.created", b'{"title": "t"}')


@given(
    title=LINES,
    priority=st.integers(0, 1000),
    depends_on=st.lists(IDS, max_size=3),
    params=st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS, max_size=3),
    timeout=st.none() | st.floats(0.1, 1e6),
    next_run_at=st.none() | st.datetimes(*RANGE, timezones=st.just(UTC)),
)
def test_what_is_encoded_is_decoded(**fields: Any) -> None:
    """Every event survives the way into the log and back; defaults are left out of it."""
    fields["timeout_seconds"] = fields.pop("timeout")
    definition = TaskCreated(**fields)
    data = catalog.encode(definition)
    assert definition == catalog.decode("task.created", data)
    assert "max_attempts" not in msgspec.json.decode(data)


@pytest.mark.parametrize("struct", catalog.EVENT_TYPES.values(), ids=lambda struct: struct.__name__)
def test_unknown_fields_are_refused(struct: type[Struct]) -> None:
    """No event type accepts a field that it does not know."""
    with pytest.raises(InvalidInput):
        catalog.decode(catalog.TYPE_NAMES[struct], b'{"nobody_knows_me": 1}')
