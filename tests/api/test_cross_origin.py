"""Pages of other origins: those that the operator allows use the API, with a token; a cookie never counts for them."""

import pytest

from ops.config import read_config
from ops.errors import OperatorError
from tests.api.serving import Served, refusal_of, serving

OURS, OTHERS = "https://ops.example", "https://evil.example"
ALLOWED = frozenset({OURS})
PREFLIGHT = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}


async def test_an_allowed_page_writes_with_a_token(database: str) -> None:
    """Its preflight is granted, its request is carried out, and it may read the answer, a refusal too."""
    async with serving(database, allowed_origins=ALLOWED) as api:
        token = await api.tokens.create_token("page", "operator")
        asked = await api.client.options("/ops/tasks", headers={"Origin": OURS, **PREFLIGHT})
        assert (200, OURS) == (asked.status_code, asked.headers["access-control-allow-origin"])
        assert {"authorization", "idempotency-key"} <= set(
            asked.headers["access-control-allow-headers"].lower().split(", ")
        )
        headers = {"Origin": OURS, "Authorization": f"Bearer {token}", "Sec-Fetch-Site": "cross-site"}
        made = await api.client.post("/ops/tasks", json={"title": "T"}, headers=headers)
        assert (201, OURS) == (made.status_code, made.headers["access-control-allow-origin"])
        for answer in (made, await api.client.get("/ops/tasks", headers=headers)):
            assert "access-control-allow-credentials" not in answer.headers
            assert "Origin" in answer.headers["vary"]
        refused = await api.client.post("/ops/tasks", json={"title": 7}, headers=headers)
        assert (400, OURS) == (refused.status_code, refused.headers["access-control-allow-origin"])
        without = await api.client.get("/ops/tasks")
        assert "access-control-allow-origin" not in without.headers, "answers are shared, their headers are not"


async def test_other_pages_are_granted_nothing(database: str) -> None:
    """Neither a preflight nor an answer names their origin."""
    async with serving(database, allowed_origins=ALLOWED) as api:
        asked = await api.client.options("/ops/tasks", headers={"Origin": OTHERS, **PREFLIGHT})
        assert (400, False) == (asked.status_code, "access-control-allow-origin" in asked.headers)
        for origin in (OTHERS, "null", f"{OURS}.evil.example", OURS.replace("https", "http")):
            answer = await api.client.get("/health", headers={"Origin": origin})
            assert "access-control-allow-origin" not in answer.headers


async def test_without_a_token_an_allowed_page_does_nothing(database: str) -> None:
    """Before the first token too, when programs of this machine need none; reading counts as well."""
    async with serving(database, allowed_origins=ALLOWED) as api:
        for origin in (OURS, OTHERS):
            headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
            for answer in (
                await api.client.post("/ops/tasks", json={"title": "T"}, headers=headers),
                await api.client.get("/ops/tasks", headers=headers),
            ):
                assert (403, "cross_site") == refusal_of(answer)[:2]
        await api.tokens.create_token("page", "operator")
        assert 401 == (await api.client.get("/ops/tasks", headers={"Origin": OURS})).status_code


async def test_a_session_of_the_panel_is_worth_nothing_from_elsewhere(database: str) -> None:
    """Not at the panel, and not at the API, whose cookies nobody reads."""
    async with serving(database, allowed_origins=ALLOWED) as api:
        token = await api.tokens.create_token("boss", "operator")
        signed_in = await api.client.post("/panel/sign-in", data={"token": token}, headers={"Origin": api.url})
        assert 303 == signed_in.status_code
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in signed_in.cookies.items())}
        assert 200 == (await api.client.get("/panel", headers=cookie)).status_code
        away = cookie | {"Origin": OURS}
        assert 403 == (await api.client.post("/panel/pause", data={}, headers=away)).status_code
        assert "access-control-allow-origin" not in (await api.client.get("/panel", headers=away)).headers
        assert 401 == (await api.client.post("/ops/system/pause", json={}, headers=away)).status_code
        assert not (await api.get("/ops/system/status", headers={"Authorization": f"Bearer {token}"}))["paused"]


async def test_nothing_is_granted_unless_it_is_set(api: Served) -> None:
    """A preflight is what it was: a method that the address does not have."""
    asked = await api.client.options("/ops/tasks", headers={"Origin": OURS, **PREFLIGHT})
    assert 405 == asked.status_code


@pytest.mark.parametrize(
    "value", ["*", "ops.example", "https://ops.example/", "https://Ops.example", "null", "https://*.x"]
)
def test_what_is_no_origin_is_refused_at_the_start(value: str) -> None:
    """A typing error must not become a rule that never matches, or one that always does."""
    with pytest.raises(OperatorError, match="ELRUSO_ALLOWED_ORIGINS"):
        read_config({"HOME": "/", "ELRUSO_ALLOWED_ORIGINS": value})
    config = read_config({"HOME": "/", "ELRUSO_ALLOWED_ORIGINS": f"{OURS}, http://localhost:5173"})
    assert {OURS, "http://localhost:5173"} == config.origins
