"""Signing in to the panel, as a browser does."""

import httpx

from api.tokens import Role
from tests.api.serving import Served


async def sign_in(api: Served, name: str, role: Role) -> str:
    """Make a token, and show it at the sign-in page; the client has the session's cookie afterwards. The token."""
    token = await api.tokens.create_token(name, role)
    assert 303 == (await show_token(api, token)).status_code
    return token


async def show_token(api: Served, token: str, back: str = "/panel") -> httpx.Response:
    """What the sign-in page answers to a token."""
    form = {"token": token, "back": back}
    return await api.client.post("/panel/sign-in", data=form, headers={"Origin": api.url})
