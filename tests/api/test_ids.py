"""One rule for ids; and ids of older logs stay reachable."""

from typing import Any
from urllib.parse import unquote

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.app import ENDPOINTS
from api.panel.pages import PAGES
from events.guardrails import check
from events.ids import CHARACTERS_MAX, WORDS_OF_ADDRESSES, from_path, in_path, problem_of_id
from events.proposal import read_answer
from tests.api.serving import Served, refusal_of

BAD = ["a/why", "claim", "new", "bulk", "run", "prompt", ".", "..", "/", "a/", "//", "a%2Fb", "%2e"]


async def test_an_id_that_no_address_can_hold_is_refused(api: Served) -> None:
    """For tasks and directives, alone and among others, with the reason; nothing is created."""
    for bad in BAD:
        task, directive = {"id": bad, "title": "T"}, {"id": bad, "title": "D"}
        for path, body in (
            ("/ops/tasks", task),
            ("/ops/tasks", [{"title": "T"}, task]),
            ("/ops/directives", directive),
            ("/ops/directives", {"title": "D", "tasks_to_create": [task]}),
        ):
            status, code, detail = refusal_of(await api.client.post(path, json=body))
            assert (400, "invalid_input") == (status, code), (path, body)
            assert repr(bad) in detail
            assert "choose another id" in detail
    assert [[], []] == [await api.get("/ops/tasks"), await api.get("/ops/directives")]


async def test_a_model_that_wishes_for_such_an_id_gets_another() -> None:
    """The directive is taken, and a note says so; a request that nobody could answer is a reason against it."""
    answer = '{"title": "D", "id": "run", "tasks_to_create": [{"id": "a/why", "title": "T", "body": "b"}]}'
    [proposed] = read_answer(answer).directives
    draft = check(proposed, str).draft
    assert draft is not None
    assert ("", "") == (draft.id, draft.tasks[0].plan.id)
    notes = [note.split(",")[0].split(";")[0] for note in draft.notes]
    assert ["the id 'run' is a word of addresses", "the id 'a/why' contains a slash"] == notes
    [proposed] = read_answer('{"title": "D", "required_requests": [{"request_id": "a key/1"}]}').directives
    [reason] = check(proposed, str).reasons
    assert "'a key/1' is not the id of a request" in reason


OLD = ["a/why", "a/b ü", "claim", "new", ".", "..", "50%25", "/", "a/requeue", "?x#y"]


async def test_what_older_logs_hold_is_reachable(api: Served, database: str) -> None:
    """By the API and by the panel, with every command that an address ends in."""
    connection = await asyncpg.connect(database)
    for kind, event_type, data in (
        ("task", "task.created", '{"title": "Old"}'),
        ("directive", "directive.proposed", '{"title": "Old", "digest": "d", "approval": "manual"}'),
        ("request", "request.opened", '{"definition": {"service": "Old"}}'),
    ):
        for name in OLD:
            await connection.execute(
                "INSERT INTO log.events (kind, id, version, type, actor, data) VALUES ($1, $2, 1, $3, 'system', $4)",
                *(kind, name, event_type, data),
            )
    await connection.close()
    for name in OLD:
        part = in_path(name)
        assert name == (await api.get(f"/ops/tasks/{part}"))["id"]
        assert (await api.client.get(f"/ops/tasks/{part}/why")).is_success
        assert "cancelled" == (await api.post(f"/ops/tasks/{part}/cancel"))["status"]
        assert name == (await api.get(f"/ops/directives/{part}"))["id"]
        assert "WITHDRAWN" == (await api.patch(f"/ops/requests/{part}", {"status": "WITHDRAWN"}))["status"]
        for kind in ("tasks", "directives", "requests"):
            page = await api.client.get(f"/panel/{kind}/{part}")
            assert (200, True) == (page.status_code, "Old" in page.text), (kind, name)
    assert (await api.client.get("/panel")).is_success


@given(st.text(min_size=1, max_size=CHARACTERS_MAX).filter(lambda text: text.isprintable()))
def test_an_address_holds_any_id(name: str) -> None:
    """What a server decodes once, and from_path where it must, is the id; and it is one part of the path."""
    part = in_path(name)
    assert name == from_path(unquote(part))
    assert "/" not in part
    assert unquote(part) not in WORDS_OF_ADDRESSES
    if problem_of_id(name) is None:
        assert name == unquote(part)


@pytest.mark.parametrize("table", [ENDPOINTS, PAGES], ids=["API", "panel"])
def test_words_of_addresses_are_no_ids(table: tuple[Any, ...]) -> None:
    """Every fixed word that stands where other addresses have an id."""
    paths = [entry.path.split("/") for entry in table]
    parents = {tuple(parts[:place]) for parts in paths for place, part in enumerate(parts) if "_id" in part}
    words = {
        word for parent in parents for parts in paths for word in parts[len(parent) :][:1] if _below(parts, parent)
    }

    assert {word for word in words if "{" not in word} <= WORDS_OF_ADDRESSES


def _below(parts: list[str], parent: tuple[str, ...]) -> bool:
    return tuple(parts[: len(parent)]) == parent
