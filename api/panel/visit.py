"""One request to the panel, as a handler sees it."""

from typing import Any, Literal
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse

from api.auth import Identity
from api.deps import ApiDeps
from api.live import Live
from api.panel.engine import said, said_in_summary, said_of_proposal
from api.panel.texts import say
from api.panel.typed_form import Refusal, TypedForm
from api.permissions import OPERATE, READ, Roles
from api.text import Language
from projections.board import Board

Theme = Literal["auto", "light", "dark"]

LANGUAGE_COOKIE = "elruso_language"
THEME_COOKIE = "elruso_theme"
NOTICE_COOKIE = "elruso_notice"
NOTICE_SECONDS = 30
NOTICE_CHARACTERS = 1000


class Visit:
    """The visitor, what the panel works with, and in which language and colours it answers."""

    def __init__(self, request: Request, deps: ApiDeps, live: Live, caller: Identity | None) -> None:
        self.request = request
        self.deps = deps
        self.live = live
        self.caller = caller
        self.language = language_of(request)
        self.theme = theme_of(request)
        self.form: TypedForm | None = None

    @property
    def board(self) -> Board:
        """Every question the panel asks."""
        return self.live.board

    @property
    def actor(self) -> str:
        """The actor of events that this visit causes."""
        return self.caller.actor if self.caller else "human:nobody"

    def may(self, roles: Roles = OPERATE) -> bool:
        """Whether the visitor has one of these roles."""
        return self.caller is not None and self.caller.role in roles

    @property
    def may_read(self) -> bool:
        """Whether the visitor may see anything at all."""
        return self.may(READ)

    def text(self, key: str, **facts: Any) -> str:
        """A message in the visitor's language."""
        return say(key, self.language, **facts)

    def said(self, text: str | None) -> str:
        """A reason or an error of the engine in the visitor's language; anybody else's text as it is."""
        return said(text or "", self.language)

    def proposal(self, text: str) -> str:
        """Why a proposed directive was refused, in the visitor's language."""
        return said_of_proposal(text, self.language)

    def summary(self, text: str) -> str:
        """A run's summary in the visitor's language, as far as the engine made it."""
        return said_in_summary(text, self.language)

    def typed(self, action: str, name: str, default: object = "") -> str:
        """What was typed into a field of the form that posts to `action`, when it is shown again; else the default."""
        values = self.form.values(name) if self.form and self.form.action == action else []
        return values[0] if values else str(default)

    def typed_list(self, action: str, name: str) -> list[str] | None:
        """Every value of a field, as `typed`; None where the form is shown for the first time."""
        return self.form.values(name) if self.form and self.form.action == action else None

    def refusal(self, action: str) -> Refusal | None:
        """Why the form that posts to `action` was refused. Whoever asks displays it."""
        if self.form is None or self.form.refusal is None or self.form.action != action or self.form.refusal.on_top:
            return None
        self.form.refusal.shown = True
        return self.form.refusal

    def path(self) -> str:
        """The address of this page, with its filters."""
        if self.form and self.form.page:
            return self.form.page
        url = self.request.url
        return f"{url.path}?{url.query}" if url.query else url.path

    def go(self, address: str, notice: str | None = None) -> RedirectResponse:
        """Send the visitor to a page of the panel, which shows the notice once."""
        response = RedirectResponse(inside(address), 303)
        if notice is not None:
            text = quote(notice[:NOTICE_CHARACTERS])
            response.set_cookie(
                NOTICE_COOKIE, text, max_age=NOTICE_SECONDS, path="/panel", httponly=True, samesite="strict"
            )
        return response


def inside(address: str) -> str:
    """The address if it is one of the panel, else the panel's first page: nobody is sent elsewhere."""
    safe = address.startswith("/panel") and "\\" not in address and all(character >= " " for character in address)
    return address if safe else "/panel"


def language_of(request: Request) -> Language:
    """What was chosen, else the first language of the browser that we speak, else English."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in ("es", "en"):
        return "es" if chosen == "es" else "en"
    for part in request.headers.get("accept-language", "").lower().split(","):
        name = part.strip()[:2]
        if name in ("es", "en"):
            return "es" if name == "es" else "en"
    return "en"


def theme_of(request: Request) -> Theme:
    """What was chosen, else what the browser says."""
    match request.cookies.get(THEME_COOKIE):
        case "light":
            return "light"
        case "dark":
            return "dark"
    return "auto"
