"""Which ids drafts get, and which of them are there already: what is decided while proposals are written.

A proposer that is `tolerant` (a planner) gets another id where its own is taken, and is told what was refused; anybody
else gets all of it as asked, or a refusal.
"""

import secrets
from collections.abc import Iterable

from asyncpg import Record
from msgspec import Struct
from msgspec.structs import replace

from events.directive import Approval, DirectiveProposed
from events.draft import Draft
from events.errors import DuplicateDirective, DuplicateId, UnknownDependency
from events.ids import new_directive_id
from events.planner import RefusedProposal


class Settled(Struct, frozen=True):
    """A directive that can be written."""

    id: str
    event: DirectiveProposed


class Known(Struct, frozen=True):
    """The directive is there already, the same content under the same id."""

    id: str


class Settling:
    """Settles drafts one after the other. `known` are rows of proposal_known (directives.sql)."""

    def __init__(self, known: Iterable[Record], approval: Approval, run: str | None, tolerant: bool) -> None:
        self._directives: dict[str, str] = {}
        self._tasks: set[str] = set()
        self._pending: dict[str, str] = {}
        self._approval = approval
        self._run = run
        self._tolerant = tolerant
        for what, key, value in known:
            match what:
                case "directive":
                    self._directives[key] = value
                case "task":
                    self._tasks.add(key)
                case "pending":
                    self._pending[key] = value

    def settle(self, draft: Draft) -> Settled | Known | RefusedProposal:
        """What becomes of a draft.

        Raises (unless tolerant):
            DuplicateId, DuplicateDirective, UnknownDependency
        """
        notes = list(draft.notes)
        digest = draft.digest
        if not self._tolerant and self._directives.get(draft.id) == digest:
            return Known(draft.id)
        if digest in self._pending:
            same = self._pending[digest]
            return self._refuse(draft, DuplicateDirective(f"the same as the pending directive {same}", id=same))
        unknown = sorted({name for task in draft.tasks for name in task.outside} - self._tasks)
        if unknown:
            detail = (
                f"depends on {', '.join(map(repr, unknown))}: no task of the directive and no known task is called so"
            )
            return self._refuse(draft, UnknownDependency(detail))
        directive_id = self._directive_id(draft, notes)
        task_ids = self._task_ids(draft, directive_id, notes)
        self._directives[directive_id] = digest
        self._pending[digest] = directive_id
        self._tasks.update(task_ids)
        event = replace(draft, notes=notes).event(directive_id, task_ids, self._approval, self._run)
        return Settled(directive_id, event)

    def _refuse(self, draft: Draft, refusal: DuplicateDirective | UnknownDependency) -> RefusedProposal:
        if not self._tolerant:
            raise refusal
        return RefusedProposal(draft.title, refusal.detail)

    def _directive_id(self, draft: Draft, notes: list[str]) -> str:
        if draft.id not in self._directives:
            return draft.id
        if not self._tolerant:
            raise DuplicateId(
                f"the id {draft.id} is taken by a directive of other content; choose another", id=draft.id
            )
        made = new_directive_id()
        notes.append(f"the id {draft.id} is taken by another directive; this one is {made}")
        return made

    def _task_ids(self, draft: Draft, directive_id: str, notes: list[str]) -> list[str]:
        ids: list[str] = []
        for task, wished in zip(draft.tasks, draft.task_ids(directive_id), strict=True):
            task_id = wished
            while task_id in self._tasks or task_id in ids:
                if task.plan.id and not self._tolerant:
                    raise DuplicateId(f"the id {wished} is taken by another task; choose another", id=wished)
                task_id = f"{directive_id}-{task.number}-{secrets.token_hex(2)}"
            if task.plan.id and task_id != wished:
                notes.append(f"the id {wished} is taken by another task; this one is {task_id}")
            ids.append(task_id)
        return ids
