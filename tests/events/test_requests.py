"""Credentials are asked for, provided and withdrawn; each change is one event, and the same again is none."""

import asyncio
from typing import Any

import msgspec
import pytest

from events.commands import Commands
from events.connect import Database
from events.errors import IllegalTransition, NotFound
from events.hint import Hint
from events.log import read_stream
from events.request import RequestDefinition, RequestProvided
from events.requests import Wanted
from projections.views import Views

OPENAI = RequestDefinition("OpenAI", scopes=["OPENAI_API_KEY"], purpose="plan", validation_cmd="true")
PROVIDED = RequestProvided(["OPENAI_API_KEY"], "vault")
ANA = "human:ana"


async def look(database: str, request_id: str = "REQ-009") -> Any:
    """The request as the API shows it."""
    async with Database(database).pool(1) as pool:
        rows = {row["id"]: row for row in msgspec.json.decode(await Views(pool).requests())}
        return rows[request_id]


async def types(database: str, request_id: str = "REQ-009") -> list[str]:
    """What happened to a request, e.g. `opened`."""
    connection = await Database(database).connect()
    try:
        return [event.type.partition(".")[2] for event in await read_stream(connection, "request", request_id)]
    finally:
        await connection.close()


async def test_a_life(commands: Commands, database: str) -> None:
    """Opened, provided, provided anew, withdrawn, opened again: the view says who, when and what at each turn."""
    assert ["REQ-009"] == await commands.requests.open([Wanted("REQ-009", OPENAI, "a plan is wanted")], "gpt")
    seen = await look(database)
    assert ("WAITING", "OpenAI", ["OPENAI_API_KEY"]) == (seen["status"], seen["service"], seen["scopes"])
    assert ("a plan is wanted", "gpt", None) == (seen["reason"], seen["changed_by"], seen["provided_at"])

    await commands.requests.provide("REQ-009", PROVIDED, ANA)
    seen = await look(database)
    assert ("PROVIDED", "vault", ANA) == (seen["status"], seen["place"], seen["provided_by"])
    await commands.requests.provide("REQ-009", PROVIDED, "human:eva", again=True)
    assert "human:eva" == (await look(database))["provided_by"]

    await commands.requests.withdraw("REQ-009", "another provider", ANA)
    assert ("WITHDRAWN", "another provider") == ((seen := await look(database))["status"], seen["reason"])
    assert ["REQ-009"] == await commands.requests.open([Wanted("REQ-009")], "gpt")
    seen = await look(database)
    assert ("WAITING", "OpenAI", None) == (seen["status"], seen["service"], seen["provided_by"])
    assert ["opened", "provided", "provided", "withdrawn", "opened"] == await types(database)


async def test_the_same_again_is_no_event(commands: Commands, database: str) -> None:
    """Asking for what is asked for, providing what is there, withdrawing what is withdrawn: nothing is appended."""
    wanted = [Wanted("REQ-009", OPENAI), Wanted("REQ-001"), Wanted("REQ-009", OPENAI)]
    assert ["REQ-001", "REQ-009"] == await commands.requests.open(wanted, "gpt")
    assert [] == await commands.requests.open([Wanted("REQ-009", OPENAI, "why not"), Wanted("REQ-001")], "gpt")
    for _ in range(2):
        await commands.requests.provide("REQ-009", PROVIDED, ANA)
    assert [] == await commands.requests.open([Wanted("REQ-009")], "gpt")
    assert ["opened", "provided"] == await types(database)
    for _ in range(2):
        await commands.requests.withdraw("REQ-009", None, ANA)
    assert ["opened", "provided", "withdrawn"] == await types(database)


async def test_another_definition_asks_anew(commands: Commands, database: str) -> None:
    """A changed definition is an event, and what was provided under the old one is WAITING again."""
    await commands.requests.open([Wanted("REQ-009")], "gpt")
    assert ["REQ-009"] == await commands.requests.open([Wanted("REQ-009", OPENAI)], "human:sync")
    await commands.requests.provide("REQ-009", PROVIDED, ANA)
    wider = msgspec.structs.replace(OPENAI, scopes=["OPENAI_API_KEY", "OPENAI_ORG"])
    assert ["REQ-009"] == await commands.requests.open([Wanted("REQ-009", wider)], "human:sync")
    seen = await look(database)
    assert ("WAITING", ["OPENAI_API_KEY", "OPENAI_ORG"]) == (seen["status"], seen["scopes"])


async def test_what_was_provided_can_be_asked_for_again(commands: Commands, database: str) -> None:
    """A key that has ceased to work is asked for again, once."""
    await commands.requests.provide("REQ-009", PROVIDED, ANA, definition=OPENAI)
    wanted = [Wanted("REQ-009", reason="the key was refused")]
    assert [["REQ-009"], []] == [await commands.requests.open(wanted, "gpt", again=True) for _ in range(2)]
    seen = await look(database)
    assert ("WAITING", "the key was refused", "OpenAI") == (seen["status"], seen["reason"], seen["service"])


async def test_what_nobody_asked_for_is_opened_with_its_definition(commands: Commands, database: str) -> None:
    """Providing an unknown request opens it in the same statement when its definition is known, else it is refused."""
    with pytest.raises(NotFound, match="REQ-009"):
        await commands.requests.provide("REQ-009", PROVIDED, ANA)
    await commands.requests.provide("REQ-009", PROVIDED, ANA, definition=OPENAI)
    await commands.requests.withdraw("REQ-001", "no", ANA, definition=OPENAI)
    assert ["opened", "provided"] == await types(database)
    assert ["opened", "withdrawn"] == await types(database, "REQ-001")
    assert "OpenAI" == (await look(database))["service"]


async def test_a_withdrawn_request_cannot_be_provided(commands: Commands) -> None:
    """It must be opened again first, and the refusal says what it is."""
    await commands.requests.open([Wanted("REQ-009", OPENAI)], "gpt")
    await commands.requests.withdraw("REQ-009", None, ANA)
    with pytest.raises(IllegalTransition, match="REQ-009 is WITHDRAWN"):
        await commands.requests.provide("REQ-009", PROVIDED, ANA, definition=OPENAI)


async def test_many_at_once_open_it_once(database: str) -> None:
    """Of several processes that ask for the same credential at the same moment, one opens it."""

    async def ask() -> list[str]:
        async with Commands(Database(database)) as commands:
            return await commands.requests.open([Wanted("REQ-009", OPENAI)], "gpt")

    answers = await asyncio.gather(*(ask() for _ in range(5)))
    assert [["REQ-009"]] == [answer for answer in answers if answer]
    assert ["opened"] == await types(database)


async def test_nobody_is_woken_but_the_viewers(database: str) -> None:
    """A request is no work: it is announced to event streams and to nobody else."""
    hints: list[Hint | str] = []
    async with Commands(Database(database), hints.append) as commands:
        await commands.requests.open([Wanted("REQ-009", OPENAI)], "gpt")
        await commands.requests.provide("REQ-009", PROVIDED, ANA)
    assert [Hint(events=1), Hint(events=2)] == hints
