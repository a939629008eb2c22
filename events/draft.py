"""A proposal that passed the guardrails: everything about it is settled but its ids, which the log decides about."""

import hashlib
from typing import Any

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from events.directive import Approval, DirectiveProposed, PlannedTask, RequiredRequest

encode = msgspec.json.Encoder(order="sorted").encode


class DraftTask(Struct, frozen=True):
    """A task and what it depends on: `inside` are places in the draft's own list, `outside` ids of other tasks.

    `plan.id` is empty where the proposer wished for none. `number` is where it stood in the proposal, from 1.
    """

    plan: PlannedTask
    number: int
    inside: tuple[int, ...] = ()
    outside: tuple[str, ...] = ()


class Draft(Struct, frozen=True):
    """A directive to be proposed. Its tasks stand parents before children. `id` is empty where none was wished for."""

    id: str
    title: str
    body: str | None
    acceptance_criteria: list[str]
    risks: list[str]
    required_requests: list[RequiredRequest]
    tasks: list[DraftTask]
    notes: list[str] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """SHA-256 of the content, ids aside: two directives that want the same have the same."""
        tasks = [
            (replace(task.plan, id="", title=_plain(task.plan.title)), sorted(task.inside), sorted(task.outside))
            for task in self.tasks
        ]
        wanted = sorted(request.request_id for request in self.required_requests)
        content = (_plain(self.title), _plain(self.body or ""), wanted, tasks)
        return hashlib.sha256(encode(content)).hexdigest()

    def event(self, directive_id: str, task_ids: list[str], approval: Approval, run: str | None) -> DirectiveProposed:
        """The event that proposes it, its tasks under these ids, in the draft's order."""
        planned = [
            replace(
                task.plan,
                id=task_id,
                depends_on=[*(task_ids[place] for place in task.inside), *task.outside],
            )
            for task, task_id in zip(self.tasks, task_ids, strict=True)
        ]
        return DirectiveProposed(
            title=self.title,
            digest=self.digest,
            approval=approval,
            body=self.body,
            acceptance_criteria=self.acceptance_criteria,
            risks=self.risks,
            required_requests=self.required_requests,
            tasks_to_create=planned,
            planner_run=run,
            notes=self.notes,
            extra=self.extra,
        )

    def is_content_of(self, event: DirectiveProposed) -> bool:
        """Whether the event proposes this, ids aside."""
        names = ("digest", "title", "body", "acceptance_criteria", "risks", "required_requests", "extra")
        return all(getattr(self, name) == getattr(event, name) for name in names)

    def task_ids(self, directive_id: str) -> list[str]:
        """The ids its tasks would like to have: those wished for, else the directive's with a number."""
        return [task.plan.id or f"{directive_id}-{task.number}" for task in self.tasks]


def _plain(text: str) -> str:
    """Without differences that make no difference."""
    return " ".join(text.split()).casefold()
