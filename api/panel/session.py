"""Signing in and out, and how the panel looks to this browser."""

from typing import Annotated, Literal

from msgspec import Meta, Struct
from starlette.responses import RedirectResponse, Response

from api.panel.door import audience, let_in, let_out, remove_token_cookie, session_id
from api.panel.paper import render
from api.panel.visit import LANGUAGE_COOKIE, THEME_COOKIE, Theme, Visit, inside
from api.text import Language

YEAR_SECONDS = 365 * 24 * 3600
Address = Annotated[str, Meta(max_length=2000)]


class SignInView(Struct, frozen=True):
    """Where to go afterwards."""

    back: Address = "/panel"


class SignInForm(Struct, frozen=True, forbid_unknown_fields=True):
    """The token, and where to go afterwards."""

    token: Annotated[str, Meta(max_length=500)] = ""
    back: Address = "/panel"


class PreferencesForm(Struct, frozen=True, forbid_unknown_fields=True):
    """One choice, and where it was made."""

    language: Language | None = None
    theme: Theme | None = None
    back: Address = "/panel"


async def show_sign_in(visit: Visit, query: SignInView) -> Response:
    """The page that asks for a token."""
    if visit.may_read:
        return RedirectResponse(inside(query.back), 303)
    response = render(visit, "sign_in.html", back=query.back, wrong=False)
    remove_token_cookie(visit.request, response)
    return response


async def sign_in(visit: Visit, form: SignInForm) -> Response:
    """Take a token, once, and give a session for it; one that this browser had ends."""
    token = form.token.strip()
    if await visit.deps.tokens.find_token(token) is None:
        return render(visit, "sign_in.html", status=401, back=form.back, wrong=True)
    request, sessions = visit.request, visit.live.sessions
    if visit.caller is not None:
        await sessions.end(session_id(request))
    response = visit.go(form.back)
    let_in(request, response, await sessions.begin(token, audience(request)))
    return response


async def sign_out(visit: Visit) -> Response:
    """End the session, here and wherever its cookie may be."""
    await visit.live.sessions.end(session_id(visit.request))
    response = visit.go("/panel/sign-in")
    let_out(visit.request, response)
    return response


async def prefer(visit: Visit, form: PreferencesForm) -> Response:
    """Remember a language or colours, in this browser."""
    response = visit.go(form.back)
    choices: list[tuple[str, Language | Theme | Literal[None]]] = [
        (LANGUAGE_COOKIE, form.language),
        (THEME_COOKIE, form.theme),
    ]
    for name, choice in choices:
        if choice is not None:
            response.set_cookie(name, choice, max_age=YEAR_SECONDS, path="/panel", httponly=True, samesite="strict")
    return response
