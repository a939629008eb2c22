"""Templates -> responses, with the headers that all of them have."""

from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any
from urllib.parse import unquote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse

from api.panel import moments
from api.panel.command_text import command_html
from api.panel.harmless import harmless_line, show
from api.panel.navigation import navigation
from api.panel.visit import NOTICE_COOKIE, Visit
from events.ids import in_path

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",  # with no-referrer a browser would not say which site a form came from
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


def render(visit: Visit, template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """A page, in the visitor's language and colours."""
    notice = unquote(visit.request.cookies.get(NOTICE_COOKIE, ""))
    context |= {"notice": notice, "navigation": navigation(visit)}
    html = _fill(visit, template, context)
    refusal = visit.form and visit.form.refusal
    if refusal and not refusal.shown:  # the form is not on the page any more
        refusal.on_top = True
        html = _fill(visit, template, context)
    response = HTMLResponse(html, status, HEADERS)
    if notice:
        response.delete_cookie(NOTICE_COOKIE, path="/panel", httponly=True, samesite="strict")
    return response


def _fill(visit: Visit, template: str, context: dict[str, Any]) -> str:
    return (
        _environment()
        .get_template(template)
        .render(
            visit=visit,
            t=visit.text,
            said=visit.said,
            here=visit.path().partition("?")[0],
            number=lambda value: moments.number(value, visit.language),
            money=lambda value: moments.money(value, visit.language),
            percent=lambda value: moments.percent(value, visit.language),
            command=lambda text: command_html(text, visit.language),
            **context,
        )
    )


def render_part(visit: Visit, template: str, **context: Any) -> HTMLResponse:
    """A piece of a page, for the script."""
    html = _environment().get_template(template).render(visit=visit, t=visit.text, said=visit.said, **context)
    return HTMLResponse(html, headers=HEADERS)


def static_bytes(name: str) -> bytes:
    """A file of static/. Raises FileNotFoundError."""
    return files("api.panel").joinpath("static", name).read_bytes()


@cache
def static_address(name: str) -> str:
    """The address of a static file, which changes with its content."""
    return f"/panel/static/{name}?v={sha256(static_bytes(name)).hexdigest()[:12]}"


def localize_markup(visit: Visit, key: str, facts: dict[str, Any]) -> Markup:
    """A message as HTML: facts that are markup stay so, text is made harmless. Messages themselves hold no markup."""
    return Markup(visit.text(key, **{name: escape(show(fact)) for name, fact in facts.items()}))


def address(path: str, **parameters: Any) -> str:
    """A path of the panel with a query string; parameters that are None or empty are left out."""
    given = {name: value for name, value in parameters.items() if value not in (None, "", False)}
    return f"{path}?{urlencode(given, doseq=True)}" if given else path


def part(text: str) -> str:
    """An id as one part of a path."""
    return in_path(text)


def prepare_templates() -> None:
    """Compile them all: some 20 ms each, which the first visitor of a page would wait for."""
    environment = _environment()
    for name in environment.list_templates():
        environment.get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("api.panel"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=show,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # the files are those of the installed package
    )
    environment.globals |= {"static": static_address, "address": address, "part": part, "one_line": harmless_line}
    environment.filters |= {
        "clock": moments.clock,
        "ago": moments.ago,
        "span": moments.span,
        "ms": moments.milliseconds,
        "size": moments.size,
    }
    return environment
