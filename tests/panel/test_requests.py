"""Credentials in the panel: what is missing, the form that takes it, and that no value ever comes back."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from events.request import RequestProvided
from tests.api.serving import Served, serving
from tests.panel.signing import sign_in
from tests.panel.test_pages import page, post, shown_digest

VALUE = "s3cr3t-value-of-ana"
REQUEST = {
    "id": "REQ-100",
    "service": "Mail <b>",
    "scopes": ["MAIL_USER", "MAIL_KEY"],
    "purpose": "Send invoices.",
    "validation_cmd": f'test "$MAIL_KEY" = {VALUE} && echo key is $MAIL_KEY',
}


@pytest.fixture
async def asked(database: str) -> AsyncIterator[Served]:
    """A panel in which a credential is asked for."""
    async with serving(database) as served:
        await served.post("/ops/requests", REQUEST)
        yield served


async def store(api: Served, *pairs: tuple[str, str], **more: str) -> str:
    """Hand in values on the page of the request; what the page says afterwards."""
    more |= {"shown": shown_digest(await page(api, "/panel/requests/REQ-100"))}
    fields = {"name": [name for name, _ in pairs], "value": [value for _, value in pairs], **more}
    answer = await post(api, "/panel/requests/REQ-100/value", fields)
    assert 303 == answer.status_code, answer.text
    return await page(api, answer.headers["location"])


async def test_the_wizard_stores_tries_and_never_shows(asked: Served) -> None:
    """Setup leads to what is missing; a part is not enough; the rest is stored and tried; the value is nowhere."""
    answer = await asked.client.get("/panel/setup")
    assert "/panel/requests/REQ-100" == answer.headers["location"]
    assert "Missing credentials: 1." in await page(asked, "/panel")
    assert "Still missing: MAIL_KEY." in await store(asked, ("MAIL_USER", "ana"), ("MAIL_KEY", ""))
    shown = await store(asked, ("MAIL_USER", ""), ("MAIL_KEY", VALUE), granted="1")
    assert "Stored and tried: " in shown
    assert "provided" in shown
    for path in ("/panel/requests", "/panel/requests/REQ-100", "/panel/log", "/panel/log/1", "/panel/log/2"):
        assert VALUE not in (await page(asked, path)).replace(REQUEST["validation_cmd"], "").replace(
            f"= {VALUE} &amp;&amp;", ""
        ), path
    assert "/panel/requests" == (await asked.client.get("/panel/setup")).headers["location"]
    assert ["MAIL_KEY", "MAIL_USER"] == sorted((await asked.get("/ops/requests"))[0]["granted"])


async def test_a_value_that_does_not_work_is_told(asked: Served) -> None:
    """It is stored, and the page says what its trial said."""
    assert "it does not work" in await store(asked, ("MAIL_USER", "ana"), ("MAIL_KEY", "wrong-value"))


async def test_a_secret_in_another_form_is_refused(asked: Served, database: str) -> None:
    """A title that holds a stored value is not written down."""
    await store(asked, ("MAIL_USER", "ana-maria"), ("MAIL_KEY", "another-secret"))
    form = {"title": "use another-secret", "step": "true"}
    refused = await post(asked, "/panel/tasks/new", form)
    assert (422, False) == (refused.status_code, "another-secret" in refused.text)
    connection = await asyncpg.connect(database)
    assert not await connection.fetchval("SELECT count(*) FROM log.events WHERE data::text LIKE '%another-secret%'")
    await connection.close()


async def test_it_is_withdrawn_and_asked_for_again(asked: Served) -> None:
    """By forms, each leading back to its page."""
    await post(asked, "/panel/requests/REQ-100/withdraw")
    assert "nobody needs it" in await page(asked, "/panel/requests/REQ-100")
    await post(asked, "/panel/requests/REQ-100/ask")
    assert "WAITING" == (await asked.get("/ops/requests"))[0]["status"]


async def test_an_operator_asks_again_and_takes_nothing_away(asked: Served) -> None:
    """As by POST /ops/requests: what was withdrawn is wanted again, what is provided stays so."""
    await sign_in(asked, "olga", "operator")
    requests, path = asked.commands.requests, "/panel/requests/REQ-100"
    await requests.withdraw("REQ-100", None, "human:ana")
    shown = await page(asked, path)
    assert "Ask for it again" in shown
    assert "This takes an administrator." not in shown
    assert 303 == (await post(asked, f"{path}/ask")).status_code
    assert "is-WAITING" in await page(asked, path)
    await requests.provide("REQ-100", RequestProvided(), "human:ana")
    assert 303 == (await post(asked, f"{path}/ask")).status_code
    assert "is-PROVIDED" in await page(asked, path)
    assert 403 == (await post(asked, f"{path}/withdraw")).status_code


async def test_only_an_administrator_hands_in_credentials(asked: Served) -> None:
    """An operator sees the form disabled, and the address behind it refuses."""
    await sign_in(asked, "olga", "operator")
    assert 'disabled title="This takes an administrator."' in await page(asked, "/panel/requests/REQ-100")
    answer = await post(asked, "/panel/requests/REQ-100/value", {"name": "MAIL_KEY", "value": "x-y-z-1"})
    assert 403 == answer.status_code
