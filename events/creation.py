"""Creating tasks: all or nothing per request, many requests in one statement, each with its own answer.

An id that is taken is not an error when the content is the same: the task is answered as it is. The same holds for a
repeated idempotency key. So a client that did not hear the answer may simply ask again.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg
from asyncpg import Connection, Record
from msgspec import Raw, Struct

from events import catalog
from events.dependencies import in_order
from events.errors import DuplicateId, ElRusoError, InvalidInput, TooLarge
from events.hint import CHANNEL, NOTHING, Hint
from events.idempotency_key import reused, task_command
from events.ids import check_new_id, new_task_id
from events.statements import load_statements
from events.task import TaskCreated

SQL = load_statements("events", "commands.sql")

TASK_BYTES_MAX = 1 << 20
"""A whole definition as JSON. Every claim and every list carries it."""


class CreatedTask(Struct, frozen=True):
    """The answer for one task: `created` False when it existed already with the same content.

    `at`: when it was created, as JSON; known of those that were created alone.
    """

    id: str
    seq: int
    priority: int
    created: bool
    at: Raw | None = None


class NewTask(Struct, frozen=True):
    """One task to create, encoded."""

    id: str
    data: Raw
    priority: int
    actor: str
    command_id: UUID | None


class Creation(Struct, frozen=True):
    """One request: its tasks with parents before children, and where each stood in the request."""

    tasks: list[NewTask]
    places: list[int]
    named: list[bool]  # whether the request named the task at that index of `tasks`
    key: UUID | None
    is_lone: bool  # one task that waits for no other
    is_ready: bool  # and for no time either

    @classmethod
    def of(cls, tasks: Sequence[tuple[str | None, TaskCreated]], actor: str, command_id: UUID | None) -> "Creation":
        """Names the unnamed, orders, encodes. Raises DependencyCycle, InvalidInput, TooLarge."""
        named = [(task_id or new_task_id(), definition) for task_id, definition in tasks]
        for task_id, _definition in tasks:
            if task_id:
                check_new_id(task_id)
        if len({task_id for task_id, _ in named}) < len(named):
            raise InvalidInput("an id stands twice in the request; each task needs its own")
        places = in_order({task_id: definition.depends_on for task_id, definition in named})
        is_lone = len(named) == 1 and not named[0][1].depends_on
        is_ready = is_lone and named[0][1].next_run_at is None
        encoded = [_encoded(*named[place], actor, task_command(command_id, place)) for place in places]
        return cls(encoded, places, [bool(tasks[place][0]) for place in places], command_id, is_lone, is_ready)

    @property
    def command_beyond(self) -> UUID | None:
        """The command id of one task more than there are: known if the key was used for a longer request."""
        return task_command(self.key, len(self.tasks))


def _encoded(task_id: str, definition: TaskCreated, actor: str, command_id: UUID | None) -> NewTask:
    data = catalog.encode(definition)
    if len(data) > TASK_BYTES_MAX:
        raise TooLarge(
            f"the task {task_id} ({definition.title[:100]}) takes {len(data)} bytes, and may take {TASK_BYTES_MAX}; "
            "keep long texts in files of the workspace"
        )
    return NewTask(task_id, Raw(data), definition.priority, actor, command_id)


Answer = list[CreatedTask] | ElRusoError


def news_of(answers: Sequence[Answer]) -> Hint:
    """Where to look for what was created; NOTHING when nothing was."""
    new = [task for answer in answers if isinstance(answer, list) for task in answer if task.created]
    if not new:
        return NOTHING
    return Hint(ready=min((task.priority, task.seq) for task in new), events=max(task.seq for task in new))


async def create_and_tell(connection: Connection, creation: Creation) -> list[CreatedTask] | None:
    """One task, and the hint to others, in one round trip. None: do it in another way, the id may be taken."""
    [task] = creation.tasks
    data = str(task.data, "utf-8")
    try:
        row: Any = await connection.fetchrow(
            SQL["create_and_tell"], task.id, task.actor, task.command_id, data, task.priority, CHANNEL
        )
    except (asyncpg.UniqueViolationError, asyncpg.ProgramLimitExceededError):  # the latter: no room for hints
        return None
    return [CreatedTask(task.id, row["seq"], task.priority, True, Raw(row["at"].encode()))]


async def create_singly(connection: Connection, creations: Sequence[Creation]) -> list[Answer]:
    """Requests of one task each: one statement for all of them. Refusals are answers."""
    return await _create(connection, creations) or await _create_free(connection, creations)


async def create_together(connection: Connection, creations: Sequence[Creation]) -> list[Answer]:
    """One request of several tasks, all or none: a taken id takes the whole request back."""
    answers = await _create(connection, creations)
    if answers:
        return answers
    async with connection.transaction():
        [answer] = await _create_free(connection, creations)
        if isinstance(answer, ElRusoError):
            raise answer
    return [answer]


async def _create(connection: Connection, creations: Sequence[Creation]) -> list[Answer] | None:
    """All of them in one statement; None, and nothing is written, when an id or a command is taken."""
    tasks = _tasks(creations)
    try:
        row: Any = await connection.fetchrow(SQL["create_tasks"], catalog.encode(tasks).decode())
    except asyncpg.UniqueViolationError:
        return None
    written = dict(zip(row["ids"] or (), row["seqs"] or (), strict=True))
    return [_answer(creation, [written[task.id] for task in creation.tasks], {}) for creation in creations]


async def _create_free(connection: Connection, creations: Sequence[Creation]) -> list[Answer]:
    """Those whose ids and commands are free; the others are answered by what is there."""
    tasks = _tasks(creations)
    rows = await connection.fetch(SQL["create_free_tasks"], catalog.encode(tasks).decode())
    written = {(row["id"], row["command_id"]): row["seq"] for row in rows}
    seqs = [written.pop((task.id, task.command_id), None) for task in tasks]  # of two with one id the first was written
    left_out = [task for task, seq in zip(tasks, seqs, strict=True) if seq is None]
    known = await _known(connection, left_out, creations) if left_out else {}
    turn = iter(seqs)
    return [_answer(creation, [next(turn) for _ in creation.tasks], known) for creation in creations]


def _tasks(creations: Sequence[Creation]) -> list[NewTask]:
    return [task for creation in creations for task in creation.tasks]


Known = Mapping[str | UUID, Record]


async def _known(connection: Connection, tasks: Sequence[NewTask], creations: Sequence[Creation]) -> Known:
    """What the log has under the ids and command ids of tasks that were left out, and just beyond each request."""
    commands = [task.command_id for task in tasks] + [creation.command_beyond for creation in creations]
    command_ids = [command for command in commands if command is not None]
    rows = await connection.fetch(SQL["creations_known"], [task.id for task in tasks], command_ids)
    return {row["id"]: row for row in rows} | {row["command_id"]: row for row in rows if row["command_id"]}


def _answer(creation: Creation, seqs: Sequence[int | None], known: Known) -> Answer:
    """The answer to one request. `seqs`: where its tasks were written, None for those that were left out."""
    answers: list[CreatedTask | None] = [None] * len(creation.tasks)
    by_key = _known_by_key(creation, known, seqs)
    if by_key and any(seq is not None for seq in seqs):
        return reused(by_key)
    for task, named, place, seq in zip(creation.tasks, creation.named, creation.places, seqs, strict=True):
        if seq is not None:
            answers[place] = CreatedTask(task.id, seq, task.priority, True)
            continue
        row = known.get(task.command_id or task.id) or known[task.id]
        same = _same(row["data"], task.data)
        if by_key and not (same and (row["id"] == task.id or not named)):
            return reused(by_key)
        if not same:
            return DuplicateId(f"the id {task.id} is taken by a task of other content; choose another", id=task.id)
        answers[place] = CreatedTask(row["id"], row["seq"], task.priority, False)
    if by_key and creation.command_beyond in known:
        return reused(by_key)
    return [answer for answer in answers if answer is not None]


def _known_by_key(creation: Creation, known: Known, written: Sequence[int | None]) -> set[str]:
    """Ids of the tasks that an earlier request with the same key created."""
    if not known or creation.key is None:
        return set()
    commands = [creation.command_beyond, *(task.command_id for task in creation.tasks)]
    rows = [known[command] for command in commands if command is not None and command in known]
    return {row["id"] for row in rows if row["seq"] not in written}


def _same(known: str, asked: Raw) -> bool:
    return known.encode() == bytes(asked) or catalog.decode("task.created", known) == catalog.decode(
        "task.created", asked
    )
