"""Who gets in: tokens, cookies, roles, and forms of other sites."""

import pytest

from api.panel.door import COOKIE
from tests.api.serving import Served

CHANGES = ["/panel/pause", "/panel/resume", "/panel/tasks/new", "/panel/tasks/x/cancel", "/panel/preferences"]


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {},
    ],
)
async def test_a_form_of_another_site_is_refused(api: Served, path: str, headers: dict[str, str]) -> None:
    """403, and nothing changes; also when nobody says where it comes from."""
    answer = await api.client.post(path, data={"title": "x", "commands": "y"}, headers=headers)
    assert 403 == answer.status_code
    assert "cross_site" in answer.text
    assert [] == await api.get("/ops/events")


async def test_a_strange_name_is_refused_while_there_are_no_tokens(api: Served) -> None:
    """A name that was made to lead here (DNS rebinding) shows nothing."""
    assert 403 == (await api.client.get("/panel", headers={"Host": "evil.example"})).status_code


async def test_signing_in(api: Served) -> None:
    """Without a token there is only the page that asks for one; the cookie is out of reach of scripts and sites."""
    token = await api.tokens.create_token("ana", "operator")
    asked = await api.client.get("/panel/tasks?status=ready")
    assert (303, "/panel/sign-in?back=/panel/tasks%3Fstatus%3Dready") == (asked.status_code, asked.headers["location"])
    assert 200 == (await api.client.get(asked.headers["location"])).status_code

    form = {"token": "elr_operator_" + "x" * 43, "back": "/panel/tasks"}
    wrong = await api.client.post("/panel/sign-in", data=form, headers={"Origin": api.url})
    assert 401 == wrong.status_code
    assert "set-cookie" not in wrong.headers

    right = await api.client.post("/panel/sign-in", data=form | {"token": token}, headers={"Origin": api.url})
    assert (303, "/panel/tasks") == (right.status_code, right.headers["location"])
    cookie = right.headers["set-cookie"]
    assert all(word in cookie for word in (f"{COOKIE}={token}", "HttpOnly", "SameSite=strict", "Path=/panel"))
    assert "ana" in (await api.client.get("/panel/tasks")).text
    assert 401 == (await api.client.get("/ops/tasks")).status_code, "the cookie opens the panel only"

    await api.client.post("/panel/sign-out", headers={"Origin": api.url})
    assert 303 == (await api.client.get("/panel/tasks")).status_code


async def test_by_tls_the_cookie_stays_there(api: Served) -> None:
    """Behind a proxy that ends TLS the cookie is Secure."""
    token = await api.tokens.create_token("ana", "operator")
    headers = {"Origin": api.url, "X-Forwarded-Proto": "https"}
    answer = await api.client.post("/panel/sign-in", data={"token": token}, headers=headers)
    assert "Secure" in answer.headers["set-cookie"]


async def test_a_link_from_elsewhere_asks_again_with_the_cookie(api: Served) -> None:
    """A strict cookie does not come along with a link of another site: a page that loads itself brings it."""
    await api.tokens.create_token("ana", "operator")
    answer = await api.client.get("/panel/tasks", headers={"Sec-Fetch-Site": "cross-site"})
    assert (200, True) == (answer.status_code, 'http-equiv="refresh"' in answer.text)


async def test_a_viewer_sees_and_cannot_act(api: Served) -> None:
    """Its buttons are disabled, and the forms behind them refuse; a revoked token is out at once."""
    api.client.cookies.set(COOKIE, await api.tokens.create_token("vera", "viewer"), path="/panel")
    home = (await api.client.get("/panel")).text
    assert 'disabled title="This takes an operator."' in home
    for path in CHANGES[:-1]:
        assert 403 == (await api.client.post(path, headers={"Origin": api.url})).status_code
    await api.tokens.revoke_token("vera")
    assert 303 == (await api.client.get("/panel")).status_code
    assert 401 == (await api.client.get("/panel/live", headers={"Accept": "text/event-stream"})).status_code
