"""Who may do what: tokens and roles, and what is refused while there are none."""

from datetime import timedelta
from typing import Any

import pytest

from api.app import ENDPOINTS
from api.auth import Identity, check_binding
from api.permissions import ANYONE
from api.tokens import CACHE_SECONDS, ROLES, Role, TokenStore
from events.errors import Conflict, Forbidden, InvalidInput, NotFound
from tests.api.serving import Served, refusal_of
from tests.support.waiting import eventually

# One request per route that a token can open, harmless whatever it finds.
REQUESTS: list[tuple[str, str, set[Role]]] = [
    ("GET", "/metrics", {"viewer", "operator", "runner", "admin"}),
    ("GET", "/ops/metrics", {"viewer", "operator", "runner", "admin"}),
    ("GET", "/ops/runner/status", {"viewer", "operator", "runner", "admin"}),
    ("POST", "/ops/runner/heartbeat", {"runner", "admin"}),
    ("POST", "/ops/runner/release", {"runner", "admin"}),
    ("GET", "/ops/tasks", {"viewer", "operator", "runner", "admin"}),
    ("POST", "/ops/tasks", {"operator", "admin"}),
    ("POST", "/ops/tasks/claim", {"runner", "admin"}),
    ("POST", "/ops/tasks/x/requeue", {"operator", "runner", "admin"}),
    ("POST", "/ops/tasks/x/cancel", {"operator", "admin"}),
    ("POST", "/ops/tasks/x/priority", {"operator", "admin"}),
    ("POST", "/runners/x/drain", {"operator", "admin"}),
    ("POST", "/runners/x/resume", {"operator", "admin"}),
    ("GET", "/ops/tasks/x/why", {"viewer", "operator", "runner", "admin"}),
    ("GET", "/ops/tasks/x", {"viewer", "operator", "runner", "admin"}),
    ("PATCH", "/ops/tasks/x", {"operator", "runner", "admin"}),
    ("GET", "/runs", {"viewer", "operator", "runner", "admin"}),
    ("POST", "/runs", {"runner", "admin"}),
    ("GET", "/runs/1", {"viewer", "operator", "runner", "admin"}),
    ("PATCH", "/runs/1", {"runner", "admin"}),
    ("POST", "/runs/1/steps", {"runner", "admin"}),
    ("GET", "/runs/1/output", {"viewer", "operator", "runner", "admin"}),
    ("POST", "/runs/1/output", {"runner", "admin"}),
    ("POST", "/runs/1/artifacts", {"runner", "admin"}),
    ("GET", "/runs/1/artifacts/patch", {"viewer", "operator", "runner", "admin"}),
    ("GET", "/ops/directives", {"viewer", "operator", "runner", "admin"}),
    ("POST", "/ops/directives", {"operator", "admin"}),
    ("POST", "/ops/directives/x/apply", {"operator", "admin"}),
    ("GET", "/ops/directives/x/preview", {"viewer", "operator", "runner", "admin"}),
    ("GET", "/ops/directives/x", {"viewer", "operator", "runner", "admin"}),
    ("PATCH", "/ops/directives/x", {"operator", "admin"}),
    ("POST", "/ops/gpt/run", {"operator", "admin"}),
    ("POST", "/ops/gpt/compose", {"operator", "admin"}),
    ("GET", "/ops/gpt/status", {"viewer", "operator", "runner", "admin"}),
    ("GET", "/ops/gpt/runs", {"viewer", "operator", "runner", "admin"}),
    ("GET", "/ops/requests", {"viewer", "operator", "runner", "admin"}),
    ("POST", "/ops/requests", {"operator", "admin"}),
    ("PATCH", "/ops/requests/x", {"admin"}),
    ("POST", "/ops/requests/x/value", {"admin"}),
    ("GET", "/ops/requests/x/value/status", {"viewer", "operator", "runner", "admin"}),
    ("POST", "/ops/requests/x/validate", {"admin"}),
    ("GET", "/ops/system/status", {"viewer", "operator", "runner", "admin"}),
    ("POST", "/ops/system/pause", {"operator", "admin"}),
    ("POST", "/ops/system/resume", {"operator", "admin"}),
    ("POST", "/ops/actions/migrate", {"admin"}),
    ("POST", "/ops/actions/sync-push", {"operator", "admin"}),
    ("POST", "/ops/actions/sync-pull", {"operator", "admin"}),
    ("GET", "/ops/events", {"viewer", "operator", "runner", "admin"}),
    ("HEAD", "/ops/events/stream", {"viewer", "operator", "runner", "admin"}),
]


def bearer(token: str) -> dict[str, str]:
    """The header that shows a token."""
    return {"Authorization": f"Bearer {token}"}


async def test_every_route_asks_for_the_right_role(api: Served) -> None:
    """Each role is let through where it belongs and nowhere else; without a token nobody is."""
    tokens = {role: await api.tokens.create_token(role, role) for role in ROLES}
    assert sum(endpoint.roles is not ANYONE for endpoint in ENDPOINTS) == len(REQUESTS), "a route is missing above"

    for method, path, allowed in REQUESTS:
        anonymous = await api.client.request(method, path)
        assert 401 == anonymous.status_code, (method, path)
        assert "Bearer" == anonymous.headers["www-authenticate"]
        for role, token in tokens.items():
            response = await api.client.request(method, path, headers=bearer(token))
            assert (response.status_code not in (401, 403)) == (role in allowed), (method, path, role, response.text)


async def test_public_routes_need_no_token(api: Served) -> None:
    """Health and the contract are for anyone, also once there are tokens."""
    await api.tokens.create_token("a", "admin")

    for path in ("/health", "/openapi.json", "/"):
        assert (await api.client.get(path, follow_redirects=True)).is_success


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer elr_admin_" + "x" * 43},
        {"Authorization": "Basic YWRtaW46YWRtaW4="},
    ],
)
async def test_a_wrong_token_is_a_401(api: Served, headers: dict[str, str]) -> None:
    """None, an empty one, an unknown one, another scheme."""
    await api.tokens.create_token("a", "admin")

    assert (401, "unauthorized") == refusal_of(await api.client.get("/ops/tasks", headers=headers))[:2]


async def test_a_token_in_the_address_is_no_token(api: Served) -> None:
    """Addresses end up in logs: a token there is not looked at."""
    token = await api.tokens.create_token("a", "admin")

    for name in ("token", "access_token"):
        assert 401 == (await api.client.get("/ops/tasks", params={name: token})).status_code


async def test_the_actor_comes_from_the_token(api: Served) -> None:
    """Humans and runners are named by their tokens, whatever they say themselves."""
    operator = bearer(await api.tokens.create_token("ana", "operator"))
    runner = bearer(await api.tokens.create_token("host-7", "runner"))
    await api.post("/ops/tasks", {"id": "a", "title": "A"}, headers=operator)
    await api.post("/ops/tasks/claim", {"runner_id": "anything"}, headers=runner)

    events = await api.get("/ops/events?id=a", headers=operator)
    assert ["human:ana", "runner:host-7"] == [event["actor"] for event in events]


async def test_a_revoked_token_stops_at_once(api: Served) -> None:
    """Revoked through the same store there is no delay; and the API stays closed although no valid token is left."""
    token = await api.tokens.create_token("a", "admin")
    assert 200 == (await api.client.get("/ops/tasks", headers=bearer(token))).status_code
    await api.tokens.revoke_token("a")

    assert 401 == (await api.client.get("/ops/tasks", headers=bearer(token))).status_code
    assert 401 == (await api.client.get("/ops/tasks")).status_code


async def test_a_token_revoked_elsewhere_stops_when_memory_expires(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that hears no announcement asks the database again after CACHE_SECONDS, which are few."""
    deaf = TokenStore(api.pool)
    token = await api.tokens.create_token("a", "admin")
    assert await deaf.find_token(token)
    await api.tokens.revoke_token("a")
    monkeypatch.setattr("api.tokens.CACHE_SECONDS", 60.0)
    assert await deaf.find_token(token)

    monkeypatch.setattr("api.tokens.CACHE_SECONDS", 0.0)
    assert 0 < CACHE_SECONDS <= 1
    assert await deaf.find_token(token) is None


async def test_a_revocation_is_announced(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever revokes a token, by SQL too, reaches an API that would not ask the database for long."""
    monkeypatch.setattr("api.tokens.CACHE_SECONDS", 600.0)
    token = await api.tokens.create_token("a", "admin")
    assert 200 == (await api.client.get("/ops/tasks", headers=bearer(token))).status_code

    await api.pool.execute("UPDATE log.tokens SET revoked_at = log.now()")
    await eventually(lambda: refused(api, token))


async def test_a_token_expires(api: Served) -> None:
    """Past its time it counts as revoked: it opens nothing, and its name is free."""
    token = await api.tokens.create_token("a", "admin", timedelta(milliseconds=300))
    assert 200 == (await api.client.get("/ops/tasks", headers=bearer(token))).status_code

    await eventually(lambda: refused(api, token))
    assert await api.tokens.create_token("a", "viewer")


async def refused(api: Served, token: str) -> bool:
    """Whether a request with this token is refused."""
    return 401 == (await api.client.get("/ops/tasks", headers=bearer(token))).status_code


async def test_tokens_are_made_and_listed(api: Served) -> None:
    """A token is long, tells its role, is not stored, and its name is taken until it is revoked."""
    token = await api.tokens.create_token("ci", "runner")
    assert token.startswith("elr_runner_")
    assert 43 == len(token.removeprefix("elr_runner_"))
    assert 0 == await api.pool.fetchval("SELECT count(*) FROM log.tokens t WHERE strpos(t::text, $1) > 0", token[-43:])
    with pytest.raises(Conflict):
        await api.tokens.create_token("ci", "admin")
    await api.tokens.revoke_token("ci")
    with pytest.raises(NotFound):
        await api.tokens.revoke_token("ci")
    assert token != await api.tokens.create_token("ci", "viewer")

    [listed] = await api.tokens.list_tokens()
    assert ("ci", "viewer", None) == (listed.name, listed.role, listed.revoked_at)
    for name, role in [("", "admin"), ("a b", "admin"), ("x", "root")]:
        with pytest.raises(InvalidInput):
            await api.tokens.create_token(name, role)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Host": ""},
    ],
    ids=str,
)
async def test_another_site_cannot_make_a_browser_write(api: Served, headers: dict[str, str]) -> None:
    """Without tokens, what a foreign page sends through the operator's browser is refused, and changes nothing."""
    response = await api.client.post("/ops/tasks", json={"title": "A"}, headers=headers)

    assert (403, "cross_site") == refusal_of(response)[:2]
    assert [] == await api.get("/ops/tasks")


async def test_a_page_of_our_own_may_write(api: Served) -> None:
    """The panel, and programs that are no browsers."""
    own: list[dict[str, Any]] = [{"Origin": api.url, "Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {}]

    for headers in own:
        assert 201 == (await api.client.post("/ops/tasks", json={"title": "A"}, headers=headers)).status_code


async def test_a_name_that_leads_here_cannot_read(api: Served) -> None:
    """Without tokens only localhost is answered: a foreign name that resolves to this machine is refused."""
    response = await api.client.get("/ops/tasks", headers={"Host": "rebound.example:8787"})

    assert (403, "cross_site") == refusal_of(response)[:2]


async def test_with_a_token_the_origin_does_not_matter(api: Served) -> None:
    """A browser never adds a token by itself."""
    headers = bearer(await api.tokens.create_token("a", "operator")) | {"Origin": "https://panel.example"}

    response = await api.client.post("/ops/tasks", json={"title": "A"}, headers=headers | {"Host": "api.example"})
    assert 201 == response.status_code


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    """Addresses that only this machine reaches are fine without tokens."""
    check_binding(host, any_tokens=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "elruso.example", ""])
def test_the_network_needs_a_token(host: str) -> None:
    """Any other address is refused with an explanation, until a token was made."""
    with pytest.raises(Forbidden, match="elruso token create"):
        check_binding(host, any_tokens=False)
    check_binding(host, any_tokens=True)


def test_identities_name_actors() -> None:
    """A runner's token speaks for its own name; without tokens a runner's word is taken."""
    assert "runner:x" == Identity("x", "runner").acting_as("r")
    assert "human:x" == Identity("x", "admin").acting_as("r")
    assert "runner:r" == Identity("local", "admin", trusted=True).acting_as("r")
