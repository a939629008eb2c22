"""Events as somebody writes them by hand: valid ones, nearly valid ones, and any JSON at all."""

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st
from msgspec import Struct

from events.catalog import EVENT_TYPES

LATE, HUGE = "9999-12-31T23:59:59-14:00", "@1e400@"  # the latter is a number in the end
WEIRD: list[Any] = [
    *(None, True, 0, 1, -1, 5.5, 1000, 1001, 32768, 2147483647, 2**31, 2**63 - 1, 2**63, 1e300, 10**400, HUGE),
    *(
        "",
        "5",
        "x",
        " ",
        "\0",
        "\ud800",
        "a\nb",
        "\u202e\x1b[31m",
        "<script>",
        "../x",
        "é" * 200,
        "x" * 201,
        "y" * 2800,
    ),
    *("infinity", "now", LATE, "2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "2999-02-28T23:59:59.999999+05:30"),
    *([], {}, [[]], {"": {"": [None]}}, ["x", "x"], [{}], {"secrets": 5}, {"handler": []}, {"mode": 5, "host": []}),
]
STEP = {"name": "s", "cmd": "true", "timeout_seconds": 5}
PLANNED = {"title": "t", "steps": [STEP], "acceptance": {"expected_files": ["f"], "checks": [STEP]}, "params": {"a": 1}}
PLANNED |= {
    "body": "b",
    "phase": 3,
    "priority": 5,
    "max_attempts": 2,
    "timeout_seconds": 60,
    "allowed_scope": ["src/**"],
}
DUE = "2026-01-01T00:00:00Z"
ENDED = {"duration_ms": 3, "summary": "s", "branch": "b", "commit_hash": "c0ffee", "kept_path": "/k", "kept_until": DUE}
ENDED |= {"file_changes": [{"path": "a.py", "change": "renamed", "added": 1, "removed": 2, "renamed_from": "b.py"}]}
ENDED |= {"unrecorded": [{"path": ".GIT", "reason": "special_file"}]}
PLANNER = {"model": "m", "prompt_hash": "h", "usage": {"prompt_tokens": 5, "estimated": True}, "cost": 0.5, "rounds": 2}
WHOLE: dict[str, dict[str, Any]] = {
    "task.created": {**PLANNED, "task_type": "shell", "directive_id": "d", "branch": "b", "next_run_at": DUE},
    "task.claimed": {"runner": "r1", "attempt": 1},
    "task.started": {"run_id": 0, "branch": "b"},
    "task.step": {
        "run_id": 0,
        "number": 1,
        "name": "n",
        "cmd": "true",
        "exit_code": 1,
        "output_bytes": 7,
        "error": "e",
    },
    "task.done": {"run_id": 0, "result": {"a": [1]}, **ENDED},
    "task.failed": {"run_id": 0, "error": "boom", **ENDED},
    "task.requeued": {"reason": "again", "next_run_at": DUE, "attempts": 2, "last_error": "boom"},
    "task.prioritized": {"priority": 7},
    "task.blocked": {"reason": "by hand", "parent": "p"},
    "task.cancelled": {"reason": "no"},
    "runner.started": {"meta": {"mode": "listening", "slots": 4}},
    "runner.heartbeat": {"meta": {"mode": "polling"}},
    "runner.stopped": {"reason": "bye"},
    "runner.draining": {"reason": "deploy"},
    "runner.resumed": {},
    "request.opened": {"definition": {"service": "S", "scopes": ["A_KEY"], "purpose": "p"}, "reason": "r"},
    "request.provided": {"names": ["A_KEY"], "place": "vault"},
    "request.withdrawn": {"reason": "r"},
    "directive.proposed": {
        "title": "t",
        "digest": "d",
        "approval": "manual",
        "body": "b",
        "risks": ["r"],
        "notes": ["n"],
    },
    "directive.applied": {"created": ["a"], "left_out": [], "reason": "r"},
    "directive.rejected": {"reason": "r"},
    "planner.completed": {**PLANNER, "directives": ["d"], "refused": [{"title": "t", "reason": "r"}], "notes": ["n"]},
    "planner.failed": {**PLANNER, "outcome": "refused", "error": "e"},
    "system.paused": {"reason": "r"},
    "system.resumed": {},
}
"""Data of each type with about everything that it can hold; `run_id` is put in by the writer."""
WHOLE["directive.proposed"] |= {"required_requests": [{"request_id": "q", "reason": "r"}], "acceptance_criteria": ["c"]}

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(WEIRD)
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


class Written(Struct, frozen=True):
    """An event to be written. `place` chooses its stream, among those it can follow in; None is a usual id or actor."""

    type: str
    data: Any
    place: int
    id: str | None = None
    actor: str | None = None
    names_run: bool = True

    @property
    def has_usual_envelope(self) -> bool:
        """Whether only the data can be wrong."""
        return self.id is None and self.actor is None

    def text(self, run_id: int | None) -> str:
        """The data as JSON; the events of a run name it."""
        data = self.data
        if isinstance(data, dict) and run_id is not None and self.names_run and self.type.startswith("task."):
            data = {**data, "run_id": run_id} if self.type != "task.claimed" else data
        return json.dumps(data).replace(f'"{HUGE}"', HUGE.strip("@"))


@st.composite
def written_events(draw: st.DrawFn) -> Written:
    """Every other event is valid; of the rest most differ from a valid one in one place."""
    event_type = draw(st.sampled_from(sorted(EVENT_TYPES)))
    data = copy.deepcopy(WHOLE[event_type])
    for name in draw(st.lists(st.sampled_from(sorted(data) or [""]), max_size=2)):
        data.pop(name, None)
    change = draw(st.sampled_from(["none", "none", "none", "replace", "replace", "add", "any", "id", "actor", "run"]))
    places = list(_places(data))
    if change == "replace" and places:
        holder, key = places[draw(st.integers(0, len(places) - 1))]
        holder[key] = draw(anything)
    elif change == "add":
        data[draw(st.text(max_size=5))] = draw(scalars)
    return Written(
        event_type,
        draw(anything) if change == "any" else data,
        draw(st.integers(0, 9)),
        draw(st.sampled_from([each for each in WEIRD if isinstance(each, str)])) if change == "id" else None,
        draw(st.sampled_from(["", "x" * 301, "runner:\n", "nobody"])) if change == "actor" else None,
        change != "run",
    )


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place inside that a value can be put in."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key
        yield from _places(item)
