"""Proposals: read from what a model writes, held against the guardrails, made into drafts."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.directive import PlannedTask
from events.draft import Draft
from events.errors import InvalidInput
from events.guardrails import Checked, check
from events.proposal import read_answer
from events.task import TaskCreated


def draft(*tasks: dict[str, Any], **directive: Any) -> Draft:
    """The draft of one directive, which must pass."""
    checked = checked_of(*tasks, **directive)
    assert checked.draft is not None, checked.reasons
    return checked.draft


def checked_of(*tasks: dict[str, Any], **directive: Any) -> Checked:
    """One directive, held against the guardrails; "hunter2" is a secret."""
    proposal = {"title": "D", "tasks_to_create": list(tasks)} | directive
    [proposed] = read_answer(json.dumps(proposal)).directives
    return check(proposed, lambda text: text.replace("hunter2", "[redacted]"))


def order(made: Draft) -> list[str]:
    """The titles of its tasks, in the order in which they will be created."""
    return [task.plan.title for task in made.tasks]


@pytest.mark.parametrize("text", ["", "soup", "[1, 2", '{"directives": 7}', '{"a": 1}', "```json\n{\n```", "7"])
def test_what_holds_no_directives_is_refused(text: str) -> None:
    """With a reason; nothing is guessed."""
    with pytest.raises(InvalidInput):
        read_answer(text)


def test_every_task_that_is_wrong_is_told() -> None:
    """Not only the first one, so that one round of mending will do."""
    tasks = [{"title": 1}, {"title": "fine"}, {"title": "x", "priority": "high"}]
    reading = read_answer(json.dumps([{"title": "D", "tasks_to_create": tasks}, {"title": "E"}]))

    assert ["E"] == [each.proposal.title for each in reading.directives]
    assert ["tasks_to_create[0].title", "tasks_to_create[2].priority"] == [
        problem.partition(": ")[0].removeprefix("directives[0].") for problem in reading.problems
    ]


@settings(deadline=None)
@given(st.text() | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(json.dumps))
def test_no_text_is_too_strange(text: str) -> None:
    """Whatever a model writes: directives, problems, or one refusal."""
    with suppress(InvalidInput):
        read_answer(text)


def test_depends_on_names_ids_titles_and_positions() -> None:
    """Of the same directive, in this order; whatever else it names is an id of another task."""
    made = draft(
        {"title": "last", "depends_on": ["T-1", "second", 4, "4", "elsewhere"]},
        {"title": "first", "id": "T-1"},
        {"title": "second", "depends_on": [2]},
        {"title": "fourth"},
    )
    assert ["first", "second", "fourth", "last"] == order(made)
    assert ((0, 1, 2), ("elsewhere",)) == (made.tasks[3].inside, made.tasks[3].outside)
    event = made.event("d-1", made.task_ids("d-1"), "auto", None)
    assert ["T-1", "d-1-3", "d-1-4", "d-1-1"] == [task.id for task in event.tasks_to_create]
    assert ["T-1", "d-1-3", "d-1-4", "elsewhere"] == event.tasks_to_create[3].depends_on


def test_positions_may_be_counted_from_0() -> None:
    """As many models do: a 0 among them tells; the notes say so."""
    made = draft({"title": "a"}, {"title": "b", "depends_on": [0]}, {"title": "c", "depends_on": [1]})
    assert [(), (0,), (1,)] == [task.inside for task in made.tasks]
    assert ["positions in depends_on were counted from 0"] == made.notes


@pytest.mark.parametrize(
    ("tasks", "words"),
    [
        ([{"title": "a", "depends_on": ["a"]}], "depends on itself"),
        ([{"title": "a", "depends_on": ["b"]}, {"title": "b", "depends_on": [1]}], "wait for each other"),
        ([{"title": "a", "depends_on": [0]}], "depends on itself"),
        ([{"title": "a", "depends_on": [0, 2]}, {"title": "b"}], "positions go from 1 to 2"),
        ([{"title": "a", "depends_on": [7]}], "position 7"),
        ([{"title": "a"}, {"title": "a", "body": "b"}, {"title": "c", "depends_on": ["a"]}], "use positions"),
        ([{"title": "a", "id": "x"}, {"title": "b", "id": "x"}], "the same id"),
        ([{"title": "a", "allowed_scope": ["/etc"]}], "allowed_scope"),
        ([{"title": "a", "allowed_scope": ["src/../../x"]}], "allowed_scope"),
        ([{"title": "a", "acceptance": {"expected_files": ["~/x"]}}], "expected_files"),
        ([{"title": "a", "task_type": "shell"}], "needs steps"),
        ([{"title": "a", "task_type": "python"}], "params.handler"),
        ([{"title": "a", "body": "log in with hunter2"}], "secret"),
        ([{"title": "a\0b"}], "NUL"),
    ],
)
def test_the_guardrails(tasks: list[dict[str, Any]], words: str) -> None:
    """Each refusal has its reason, and no reason has a secret."""
    checked = checked_of(*tasks)
    assert checked.draft is None
    assert any(words in reason for reason in checked.reasons), checked.reasons
    assert not any("hunter2" in reason for reason in [*checked.reasons, checked.title])


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Two tasks, two reasons."""
    checked = checked_of({"title": "a", "allowed_scope": [".."]}, {"title": "b", "task_type": "shell"})
    assert 2 == len(checked.reasons)


def test_tasks_of_the_same_content_are_one() -> None:
    """What depends on the second depends on the first; the notes say so."""
    twin = {"title": "a", "body": "b"}
    made = draft(twin, twin, {"title": "c", "depends_on": [1, 2]})

    assert ["a", "c"] == order(made)
    assert (0,) == made.tasks[1].inside
    assert ["tasks 1 and 2 are the same ('a'); one is created"] == made.notes


def test_the_digest_knows_the_content() -> None:
    """Ids, letter case and white space make no difference; a command, a dependency, a credential do."""
    tasks = [{"title": "a", "steps": [{"name": "x", "cmd": "ls"}]}, {"title": "b"}]
    first = draft(*tasks).digest

    assert first == draft(*({**task, "id": f"t{n}"} for n, task in enumerate(tasks)), id="d-9", title=" d ").digest
    others = [
        draft({**tasks[0], "steps": [{"name": "x", "cmd": "ls -l"}]}, tasks[1]),
        draft(tasks[0], {**tasks[1], "depends_on": [1]}),
        draft(*tasks, required_requests=[{"request_id": "REQ-1"}]),
        draft(*tasks, title="E"),
    ]
    assert 5 == len({first, *(other.digest for other in others)})


def test_parameters_may_be_pairs() -> None:
    """As the strict schema has them; an object means the same."""
    pairs = draft({"title": "a", "params": [{"name": "secrets", "value": ["KEY"]}]})
    assert {"secrets": ["KEY"]} == pairs.tasks[0].plan.params
    assert pairs.digest == draft({"title": "a", "params": {"secrets": ["KEY"]}}).digest


def test_a_planned_task_becomes_the_task_it_says() -> None:
    """Its fields are those of task.created, so that the log can make one from the other."""
    ours = set(PlannedTask.__struct_fields__) - {"id"}
    assert ours == set(TaskCreated.__struct_fields__) - {"directive_id", "branch", "next_run_at"}
    planned = PlannedTask(id="t", title="a", priority=7, depends_on=["b"])
    assert TaskCreated("a", priority=7, depends_on=["b"], directive_id="d") == planned.definition("d")
