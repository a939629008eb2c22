"""What a proposal must keep to, whoever makes it. Pure: what only the log knows is checked when it is written.

steps       are {name, cmd}; a shell task has some (what has none is a prompt for an agent)
scopes      do not leave the workspace, nor do the files that are expected
tasks       depend on each other without a circle; two of the same content are one
texts       hold no secrets, and nothing PostgreSQL could not store
"""

import re
from collections.abc import Callable, Iterator, Sequence

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from events.dependencies import in_order
from events.directive import PlannedTask, RequiredRequest
from events.draft import Draft, DraftTask
from events.errors import DependencyCycle, InvalidInput
from events.ids import check_new_id, is_request_id, problem_of_id
from events.paths import parts_inside
from events.proposal import AcceptanceProposal, DirectiveProposal, Proposed, RequestProposal, TaskProposal
from events.task import Acceptance, Step

Redact = Callable[[str], str]
"""A text without the secrets in it."""


SECRET = "it contains a secret, or something with the shape of one; name the variable instead, like $OPENAI_API_KEY"


class Checked(Struct, frozen=True):
    """What became of a proposal: a draft, or the reasons why there is none."""

    title: str
    draft: Draft | None
    reasons: list[str]


NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # written as JSON, after an even number of backslashes


def check(proposed: Proposed, redact: Redact) -> Checked:
    """Hold a proposal against the guardrails. All that is wrong is told at once, but never with a secret in it."""
    proposal = proposed.proposal
    text = msgspec.json.encode([proposal, proposed.extra]).decode()
    if redact(text) != text:
        return Checked(redact(proposal.title), None, [SECRET])
    tasks = proposal.tasks_to_create or []
    reasons = [reason for task in tasks for reason in _check_task(task)]
    reasons += [_reason_of_request(each.request_id) for each in _strange_requests(proposal)]
    if NUL.search(text):
        reasons.append("it contains a NUL character (\\u0000), which cannot be stored")
    if reasons:
        return Checked(proposal.title, None, reasons)
    resolver = _Resolver(tasks)
    planned = resolver.resolve()
    refused_ids = [name for name in _wished_ids(proposal) if problem_of_id(name)]
    if planned is None:
        return Checked(proposal.title, None, resolver.reasons)
    draft = Draft(
        id=_usable(proposal.id),
        title=proposal.title,
        body=proposal.body,
        acceptance_criteria=proposal.acceptance_criteria or [],
        risks=proposal.risks or [],
        required_requests=_once(proposal),
        tasks=planned,
        notes=[*map(redact, proposed.notes), *resolver.notes, *map(_note_of_id, refused_ids)],
        extra=proposed.extra,
    )
    return Checked(proposal.title, draft, [])


def check_ids(proposal: DirectiveProposal) -> None:
    """Refuse a proposal with ids that cannot be used. `check` leaves them out instead. Raises InvalidInput."""
    if proposal.id:
        check_new_id(proposal.id)
    for task in proposal.tasks_to_create or []:
        if task.id:
            check_new_id(task.id)


def _wished_ids(proposal: DirectiveProposal) -> list[str]:
    wished = [proposal.id, *(task.id for task in proposal.tasks_to_create or [])]
    return [name for name in wished if name]


def _usable(name: str | None) -> str:
    """The id, or nothing: then the log makes one."""
    return name if name and problem_of_id(name) is None else ""


def _note_of_id(name: str) -> str:
    return f"the id {name!r} {problem_of_id(name)}; another was made"


def _strange_requests(proposal: DirectiveProposal) -> list[RequestProposal]:
    return [each for each in proposal.required_requests or [] if not is_request_id(each.request_id)]


def _reason_of_request(name: str) -> str:
    return (
        f"required_requests: {name!r} is not the id of a request; such ids consist of letters, digits, dots, "
        "underscores and hyphens, like REQ-009"
    )


def _check_task(task: TaskProposal) -> Iterator[str]:
    name = f"task {task.title!r}"
    if task.task_type == "shell" and not task.steps:
        yield f"{name}: a shell task needs steps: [{{name, cmd}}]"
    if task.task_type == "python" and "handler" not in _params(task):
        yield f"{name}: a python task needs params.handler"
    for pattern in task.allowed_scope or []:
        yield from _outside(pattern, f"{name}: allowed_scope")
    for path in (task.acceptance.expected_files or []) if task.acceptance else []:
        yield from _outside(path, f"{name}: acceptance.expected_files")


def _outside(path: str, field: str) -> Iterator[str]:
    try:
        parts_inside(path, field)
    except InvalidInput as refusal:
        yield refusal.detail


def _once(proposal: DirectiveProposal) -> list[RequiredRequest]:
    wanted = {
        each.request_id: RequiredRequest(each.request_id, each.reason) for each in proposal.required_requests or []
    }
    return list(wanted.values())


class _Resolver:
    """Finds out which tasks the words in `depends_on` mean, and puts parents before children."""

    def __init__(self, tasks: Sequence[TaskProposal]) -> None:
        self.reasons: list[str] = []
        self.notes: list[str] = []
        self._all = tasks
        self._first = self._first_position()
        self._same = self._merge()
        self._kept = sorted(set(self._same))

    def resolve(self) -> list[DraftTask] | None:
        """The tasks in the order in which they can be created; None when there are `reasons` against it."""
        found = {place: self._parents(place) for place in self._kept}
        if self.reasons:
            return None
        names = {place: f"{place + 1}. {self._all[place].title}" for place in self._kept}
        try:
            order = in_order({names[place]: [names[parent] for parent in found[place][0]] for place in self._kept})
        except DependencyCycle as cycle:
            self.reasons.append(cycle.detail)
            return None
        placed = {self._kept[index]: position for position, index in enumerate(order)}
        return [
            DraftTask(
                plan=_plan(self._all[place]),
                number=place + 1,
                inside=tuple(sorted(placed[parent] for parent in found[place][0])),
                outside=tuple(dict.fromkeys(found[place][1])),
            )
            for place in sorted(self._kept, key=placed.__getitem__)
        ]

    def _merge(self) -> list[int]:
        """For each place the first one of the same content."""
        first: dict[bytes, int] = {}
        same = []
        for place, task in enumerate(self._all):
            known = first.setdefault(msgspec.json.encode(replace(task, id=None)), place)
            same.append(known)
            if known != place:
                self.notes.append(f"tasks {known + 1} and {place + 1} are the same ({task.title!r}); one is created")
        ids = [self._all[place].id for place in dict.fromkeys(same) if self._all[place].id]
        if len(set(ids)) < len(ids):
            self.reasons.append("two of its tasks have the same id")
        return same

    def _parents(self, place: int) -> tuple[set[int], list[str]]:
        inside: set[int] = set()
        outside: list[str] = []
        for word in self._all[place].depends_on or []:
            meant = self._meant(word, place)
            if isinstance(meant, int):
                inside.add(self._same[meant])
            elif meant is not None:
                outside.append(meant)
        if self._same[place] in inside:
            self.reasons.append(f"task {self._all[place].title!r} depends on itself")
        return inside, outside

    def _meant(self, word: str | int, place: int) -> int | str | None:
        """The place of a task of the directive, or the id of another task; None when it is neither."""
        name = f"task {self._all[place].title!r}"
        if isinstance(word, str):
            for matches in (self._by_id(word), self._by_title(word)):
                if len(matches) == 1:
                    return matches.pop()
                if matches:
                    self.reasons.append(
                        f"{name} depends on {word!r}, and there are several of that title; use positions"
                    )
                    return None
            if not (word.isascii() and word.isdigit() and int(word) <= len(self._all)):
                return word
        number = int(word)
        if 0 <= number - self._first < len(self._all):
            return number - self._first
        self.reasons.append(f"{name} depends on position {number}; positions go from 1 to {len(self._all)}")
        return None

    def _first_position(self) -> int:
        """Positions count from 1; where a 0 is among them, and nothing that could not be, they were counted from 0."""
        numbers = [word for task in self._all for word in task.depends_on or [] if isinstance(word, int)]
        if 0 not in numbers or max(numbers) >= len(self._all):
            return 1
        self.notes.append("positions in depends_on were counted from 0")
        return 0

    def _by_id(self, word: str) -> set[int]:
        return {self._same[place] for place, task in enumerate(self._all) if task.id == word}

    def _by_title(self, word: str) -> set[int]:
        return {self._same[place] for place, task in enumerate(self._all) if task.title.strip() == word.strip()}


def _plan(task: TaskProposal) -> PlannedTask:
    return PlannedTask(
        id=_usable(task.id),
        title=task.title,
        body=task.body,
        phase=task.phase,
        task_type=task.task_type or "generic",
        steps=[Step(step.name, step.cmd) for step in task.steps or []],
        params=_params(task),
        priority=100 if task.priority is None else task.priority,
        max_attempts=task.max_attempts or 4,
        timeout_seconds=task.timeout_seconds,
        blocked_by=task.blocked_by or [],
        acceptance=_acceptance(task.acceptance),
        allowed_scope=task.allowed_scope or [],
    )


def _params(task: TaskProposal) -> dict[str, object]:
    if isinstance(task.params, list):
        return {each.name: each.value for each in task.params}
    return task.params or {}


def _acceptance(proposal: AcceptanceProposal | None) -> Acceptance | None:
    if proposal is None or not (proposal.expected_files or proposal.checks):
        return None
    checks = [Step(step.name, step.cmd) for step in proposal.checks or []]
    return Acceptance(proposal.expected_files or [], checks)
