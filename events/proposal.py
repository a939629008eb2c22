"""A directive as somebody proposes it: a planner, the model behind it, or a person who pastes the model's answer.

The shape is the first El Ruso's, in either of its contracts (events/later_contract.py): an array of directives, or an
object with `directives`. What is missing has its default, a null counts as missing, an unknown field is kept as it is
and noted; a value of the wrong type is a problem.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec import inspect as shapes

from events.errors import InvalidInput
from events.json_text import why_invalid
from events.later_contract import translate
from events.limits import DEPTH_MAX, PRINTABLE, Line, MaxAttempts, check_depth, is_deeper
from events.task import Phase

TASKS_MAX = 100
NOTES_MAX = 50
EXTRA_BYTES = 100_000
"""Room for the unknown fields of a directive, as JSON."""

Id = Annotated[str, Meta(min_length=1, max_length=150, pattern=PRINTABLE)]
Text = Annotated[str, Meta(max_length=200_000)]
Command = Annotated[str, Meta(min_length=1, max_length=200_000)]
Priority = Annotated[int, Meta(ge=0, le=1000, description="0 is the most urgent; 100 is usual.")]


class StepProposal(Struct, frozen=True):
    """A shell command of a task."""

    name: Line
    cmd: Command


class ParameterProposal(Struct, frozen=True):
    """One parameter of a task, for those who cannot write objects with free keys."""

    name: Line
    value: Any


class AcceptanceProposal(Struct, frozen=True):
    """What must hold after the steps: files that exist, commands that exit 0."""

    expected_files: list[Line] | None = None
    checks: list[StepProposal] | None = None


class RequestProposal(Struct, frozen=True):
    """A credential without which the tasks cannot be done."""

    request_id: Id
    reason: Text | None = None


class TaskProposal(Struct, frozen=True, kw_only=True):
    """A task. `depends_on` names ids, titles or positions (from 1) of the same directive, or ids of known tasks."""

    title: Line
    body: Text | None = None
    phase: Phase | None = None
    task_type: Line | None = None
    steps: Annotated[list[StepProposal], Meta(max_length=200)] | None = None
    depends_on: Annotated[list[str | int], Meta(max_length=TASKS_MAX)] | None = None
    blocked_by: Annotated[list[Id], Meta(max_length=TASKS_MAX)] | None = None
    priority: Priority | None = None
    params: dict[str, Any] | list[ParameterProposal] | None = None
    acceptance: AcceptanceProposal | None = None
    allowed_scope: Annotated[list[Line], Meta(max_length=200)] | None = None
    id: Id | None = None
    timeout_seconds: Annotated[float, Meta(ge=0.001, le=86_400)] | None = None
    max_attempts: MaxAttempts | None = None

    def __post_init__(self) -> None:
        check_depth("params", self.params)


class DirectiveProposal(Struct, frozen=True, kw_only=True):
    """A directive: what shall be reached, how one knows, what may go wrong, and the tasks that lead there."""

    title: Line
    body: Text | None = None
    acceptance_criteria: list[Text] | None = None
    risks: list[Text] | None = None
    required_requests: list[RequestProposal] | None = None
    tasks_to_create: Annotated[list[TaskProposal], Meta(max_length=TASKS_MAX)] | None = None
    id: Id | None = None


class Proposed(Struct, frozen=True):
    """A directive that has the right shape, what is noted about it, and its unknown fields by their place in it."""

    proposal: DirectiveProposal
    notes: list[str]
    extra: dict[str, Any] = msgspec.field(default_factory=dict)


class Reading(Struct, frozen=True):
    """What was found in an answer: the directives that have the right shape, and what is wrong with the others."""

    directives: list[Proposed]
    problems: list[str]


FENCE = re.compile(r"```[a-zA-Z]*\s*\n(.*?)```", re.DOTALL)


def read_answer(text: str) -> Reading:
    """The directives in a text: JSON, perhaps in a Markdown fence, perhaps with words around it.

    Raises:
        InvalidInput: there is no JSON in it, or not the JSON of directives.
    """
    found = find_json(text)
    is_one = isinstance(found, dict) and ("title" in found or "objective" in found)
    raws = found.get("directives", [found] if is_one else None) if isinstance(found, dict) else found
    if not isinstance(raws, list):
        raise InvalidInput('expected an array of directives, or an object {"directives": [...]}')
    reading = Reading([], [])
    for number, given in enumerate(raws):
        raw, place = translate(given), f"directives[{number}]"
        try:
            proposal = msgspec.convert(raw, DirectiveProposal)
        except msgspec.ValidationError as error:
            reading.problems.extend(_problems(raw, place, error))
        else:
            reading.directives.append(_keep(proposal, dict(_strange(raw, _DIRECTIVE, ""))))
    return reading


def _keep(proposal: DirectiveProposal, extra: dict[str, Any]) -> Proposed:
    """The proposal with its unknown fields, as far as there is room for them; what is not kept is noted."""
    kept: dict[str, Any] = {}
    notes, room = [], EXTRA_BYTES
    for place, value in extra.items():
        room -= len(msgspec.json.encode(value))
        if room >= 0 and len(kept) < NOTES_MAX and not is_deeper([value], DEPTH_MAX - 1):
            kept[place] = value
        notes.append(f"{'kept' if place in kept else 'ignored'} an unknown field: {place}")
    return Proposed(proposal, notes[:NOTES_MAX], kept)


def find_json(text: str) -> Any:
    """The JSON value in a text. Raises InvalidInput that says where the JSON breaks off."""
    refusal: Exception | None = None
    for candidate in _candidates(text.strip().removeprefix("\ufeff")):
        try:
            return msgspec.json.decode(candidate)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            refusal = refusal or error
    if refusal is None:
        raise InvalidInput("the answer is not JSON: it is empty")
    raise InvalidInput(f"the answer is not JSON: {why_invalid(text.encode(), refusal)}")


def _candidates(text: str) -> Iterator[str]:
    if text:
        yield text
    yield from (match[1] for match in FENCE.finditer(text))
    starts = [place for place in (text.find("{"), text.find("[")) if place >= 0]
    end = max(text.rfind("}"), text.rfind("]"))
    if starts and end > min(starts):
        yield text[min(starts) : end + 1]


def split_problem(problem: str) -> tuple[str, str]:
    """The place of a problem, and what it is."""
    place, _, what = problem.partition(": ")
    return (place, what) if what else ("the answer", place)


def _problems(raw: Any, place: str, error: msgspec.ValidationError) -> Iterator[str]:
    """Each task's own problem, so that all can be mended at once; else the one that was found."""
    tasks = raw.get("tasks_to_create") if isinstance(raw, dict) else None
    found = False
    for number, task in enumerate(tasks if isinstance(tasks, list) else []):
        try:
            msgspec.convert(task, TaskProposal)
        except msgspec.ValidationError as problem:
            found = True
            yield _placed(problem, f"{place}.tasks_to_create[{number}]")
    if not found or "tasks_to_create" not in str(error):
        yield _placed(error, place)


def _placed(error: msgspec.ValidationError, place: str) -> str:
    what, at, path = str(error).partition(" - at `$")
    return f"{place}{path.rstrip('`') if at else ''}: {what}"


_DIRECTIVE = shapes.type_info(DirectiveProposal)


def _strange(raw: Any, shape: shapes.Type, place: str) -> Iterator[tuple[str, Any]]:
    """The fields that the shape does not know, by their place, like `tasks_to_create[0].owner`."""
    match shape:
        case shapes.UnionType():
            for option in shape.types:
                yield from _strange(raw, option, place)
        case shapes.ListType() if isinstance(raw, list):
            for number, item in enumerate(raw):
                yield from _strange(item, shape.item_type, f"{place}[{number}]")
        case shapes.StructType() if isinstance(raw, dict):
            known = {field.encode_name: field.type for field in shape.fields}
            for name, value in raw.items():
                inner = f"{place}.{name[:100]}".removeprefix(".")
                if name in known:
                    yield from _strange(value, known[name], inner)
                else:
                    yield inner, value
