"""Commands and prompts as HTML for the approver, with hidden characters marked (ADR 0022)."""

from html import escape

from markupsafe import Markup
from msgspec import Struct

from api.panel.harmless import marker_box
from api.panel.moments import number
from api.panel.texts import say
from api.text import Language
from events.visible_text import Marker, line_count, marker_limit, plain_label, segments

EXCERPT_CHARACTERS = 2000
MARKER_CHARACTERS = 60  # of HTML, at least, for a marker


class ShownText(Struct, frozen=True):
    """A text as HTML, its number of lines, and how many of its characters were cut."""

    html: Markup
    lines: int
    omitted: int = 0


class Room:
    """The HTML budget of a page, so that no directive makes it larger than a browser can display.

    `complete` becomes False with the first text that does not fit; the page must then not offer approval.
    """

    def __init__(self, characters: int, language: Language) -> None:
        self._left = characters
        self._language = language
        self.complete = True

    def take(self, characters: int) -> bool:
        """Reserve characters for markup. False: there are not as many left."""
        if self._left < characters:
            self.complete = False
            return False
        self._left -= characters
        return True

    def show(self, text: str) -> ShownText:
        """The text; its beginning, or nothing, if it does not fit."""
        lines = line_count(text)
        # Rendering many markers is slow and blocks other requests, so the size is estimated first.
        if len(text) + MARKER_CHARACTERS * marker_limit(text) <= self._left:
            html = command_html(text, self._language)
            if len(html) <= self._left:
                self._left -= len(html)
                return ShownText(html, lines)
        self.complete = False
        excerpt = text[: min(EXCERPT_CHARACTERS, self._left)]
        html = command_html(excerpt, self._language)
        self._left = max(0, self._left - len(html))
        return ShownText(html, lines, len(text) - len(excerpt))


def command_html(text: str, language: Language) -> Markup:
    """A command or a prompt as HTML."""
    parts = [
        escape(part, quote=False) if isinstance(part, str) else marker_box(_label(part, language), part.name)
        for part in segments(text)
    ]
    return Markup("".join(parts))


def _label(marker: Marker, language: Language) -> str:
    if marker.kind == "character":
        return plain_label(marker)
    key = f"marker.{marker.kind}"
    if marker.repeats == 1:
        return say(f"{key}.one", language)
    return say(key, language, count=number(marker.repeats, language))
