"""Who gets in: tokens, cookies, roles, and forms of other sites."""

from datetime import timedelta

import pytest

from api.panel.door import COOKIE
from tests.api.serving import Served
from tests.panel.signing import show_token, sign_in
from tests.support.waiting import eventually

SOON = timedelta(milliseconds=300)

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
    answer = await api.client.post(path, data={"title": "x", "step": "y"}, headers=headers)
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

    wrong = await show_token(api, "elr_operator_" + "x" * 43, "/panel/tasks")
    assert 401 == wrong.status_code
    assert "set-cookie" not in wrong.headers

    right = await show_token(api, token, "/panel/tasks")
    assert (303, "/panel/tasks") == (right.status_code, right.headers["location"])
    cookie = right.headers["set-cookie"]
    assert all(word in cookie for word in (f"{COOKIE}_{api.port}=", "HttpOnly", "SameSite=strict", "Path=/panel"))
    assert token not in cookie
    assert "ana" in (await api.client.get("/panel/tasks")).text
    assert 401 == (await api.client.get("/ops/tasks")).status_code, "the cookie opens the panel only"


async def test_a_session_is_no_token(api: Served) -> None:
    """What a service on another port of this host receives with the cookie opens the API in no form, and the database
    has only its digest."""
    await sign_in(api, "ana", "admin")
    session = api.client.cookies[f"{COOKIE}_{api.port}"]
    api.client.cookies.clear()
    for headers in ({"Authorization": f"Bearer {session}"}, {"Cookie": f"{COOKIE}_{api.port}={session}"}):
        assert 401 == (await api.client.get("/ops/tasks", headers=headers)).status_code
    assert 401 == (await show_token(api, session)).status_code
    assert 0 == await api.pool.fetchval("SELECT count(*) FROM log.sessions s WHERE strpos(s::text, $1) > 0", session)


async def test_a_session_is_bound_to_host_and_port(api: Served) -> None:
    """Shown under another name, or in the cookie of another port, it opens nothing."""
    await sign_in(api, "ana", "admin")
    session = api.client.cookies[f"{COOKIE}_{api.port}"]
    api.client.cookies.clear()
    shown = {"Cookie": f"{COOKIE}_{api.port}={session}; {COOKIE}_1={session}; {COOKIE}={session}"}
    assert 200 == (await api.client.get("/panel/tasks", headers=shown)).status_code
    for host in (f"localhost:{api.port}", "127.0.0.1:1", "127.0.0.1"):
        assert 303 == (await api.client.get("/panel/tasks", headers=shown | {"Host": host})).status_code, host


async def test_signing_out_ends_the_session_everywhere(api: Served) -> None:
    """Whoever kept the cookie has nothing; the token is as it was, and so are its other sessions."""
    token = await sign_in(api, "ana", "operator")
    kept = {"Cookie": f"{COOKIE}_{api.port}={api.client.cookies[f'{COOKIE}_{api.port}']}"}
    api.client.cookies.clear()
    await show_token(api, token)
    assert 200 == (await api.client.get("/panel/tasks", headers=kept)).status_code

    await api.client.post("/panel/sign-out", headers={"Origin": api.url} | kept)
    other = dict(api.client.cookies)
    api.client.cookies.clear()
    assert 303 == (await api.client.get("/panel/tasks", headers=kept)).status_code
    api.client.cookies.update(other)
    assert 1 == await api.pool.fetchval("SELECT count(*) FROM log.sessions")
    assert await api.tokens.find_token(token)


async def test_signing_in_again_ends_the_session_before(api: Served) -> None:
    """A browser has one session; an id is never used twice."""
    token = await sign_in(api, "ana", "operator")
    before = {"Cookie": f"{COOKIE}_{api.port}={api.client.cookies[f'{COOKIE}_{api.port}']}"}
    await show_token(api, token)
    assert 200 == (await api.client.get("/panel/tasks")).status_code
    api.client.cookies.clear()
    assert 303 == (await api.client.get("/panel/tasks", headers=before)).status_code


async def test_a_session_ends_with_its_token(api: Served) -> None:
    """Revoked, replaced by another of the same name, or past its time: none of its sessions opens anything."""
    token = await sign_in(api, "ana", "operator")
    assert 200 == (await api.client.get("/panel/tasks")).status_code
    await api.tokens.revoke_token("ana")
    assert 303 == (await api.client.get("/panel/tasks")).status_code
    assert token != await api.tokens.create_token("ana", "operator")
    assert 303 == (await api.client.get("/panel/tasks")).status_code

    assert 303 == (await show_token(api, await api.tokens.create_token("eve", "viewer", SOON))).status_code
    await eventually(lambda: is_signed_out(api))


async def test_a_session_expires(api: Served) -> None:
    """By itself, and it is removed when another one begins."""
    token = await sign_in(api, "ana", "operator")
    await api.pool.execute("UPDATE log.sessions SET expires_at = log.now() + interval '200 ms'")
    await eventually(lambda: is_signed_out(api))
    await show_token(api, token)
    assert 1 == await api.pool.fetchval("SELECT count(*) FROM log.sessions")


async def test_a_cookie_with_a_token_is_removed(api: Served) -> None:
    """Until there were sessions the cookie held the token: it opens nothing now, and the browser is to forget it."""
    token = await api.tokens.create_token("ana", "operator")
    old = {"Cookie": f"{COOKIE}={token}"}
    assert 303 == (await api.client.get("/panel/tasks", headers=old)).status_code
    shown = await api.client.get("/panel/sign-in", headers=old)
    assert f'{COOKIE}=""; expires=' in shown.headers["set-cookie"].replace("Expires", "expires")


async def is_signed_out(api: Served) -> bool:
    """Whether the panel sends its visitor to the sign-in page."""
    return 303 == (await api.client.get("/panel/tasks")).status_code


async def test_by_tls_the_cookie_stays_there(api: Served) -> None:
    """Behind a proxy that ends TLS the cookie is Secure, and only this host can have set it."""
    token = await api.tokens.create_token("ana", "operator")
    headers = {"Origin": api.url, "X-Forwarded-Proto": "https"}
    answer = await api.client.post("/panel/sign-in", data={"token": token}, headers=headers)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"__Host-{COOKIE}_{api.port}=")
    assert ("Secure" in cookie, "Path=/;" in cookie, "Domain" in cookie) == (True, True, False)
    shown = {"Cookie": cookie.partition(";")[0], "X-Forwarded-Proto": "https"}
    assert 200 == (await api.client.get("/panel/tasks", headers=shown)).status_code


async def test_a_link_from_elsewhere_asks_again_with_the_cookie(api: Served) -> None:
    """A strict cookie does not come along with a link of another site: a page that loads itself brings it."""
    await api.tokens.create_token("ana", "operator")
    answer = await api.client.get("/panel/tasks", headers={"Sec-Fetch-Site": "cross-site"})
    assert (200, True) == (answer.status_code, 'http-equiv="refresh"' in answer.text)


async def test_a_viewer_sees_and_cannot_act(api: Served) -> None:
    """Its buttons are disabled, and the forms behind them refuse; a revoked token is out at once."""
    await sign_in(api, "vera", "viewer")
    home = (await api.client.get("/panel")).text
    assert 'disabled title="This takes an operator."' in home
    for path in CHANGES[:-1]:
        assert 403 == (await api.client.post(path, headers={"Origin": api.url})).status_code
    await api.tokens.revoke_token("vera")
    assert 303 == (await api.client.get("/panel")).status_code
    assert 401 == (await api.client.get("/panel/live", headers={"Accept": "text/event-stream"})).status_code
