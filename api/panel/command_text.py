"""Commands and prompts as HTML, for whoever decides about them: whole, with everything in them visible (ADR 0022)."""

from html import escape

from markupsafe import Markup
from msgspec import Struct

from api.panel.harmless import marker_box
from api.panel.moments import number
from api.panel.texts import say
from api.text import Language
from events.visible_text import Marker, line_count, marker_limit, plain_label, segments

EXCERPT_CHARACTERS = 2000
MARKER_CHARACTERS = 60  # of HTML that a marker has at least


class ShownText(Struct, frozen=True):
    """A text as HTML, how many lines it has, and how many of its characters are not shown."""

    html: Markup
    lines: int
    omitted: int = 0


class Room:
    """How much HTML a page has left for texts, so that no directive makes it larger than a browser can show.

    `complete` turns False with the first text that does not fit; then the page must not offer an approval.
    """

    def __init__(self, characters: int, language: Language) -> None:
        self._left = characters
        self._language = language
        self.complete = True

    def has_any(self, price: int) -> bool:
        """Whether there is room for one more thing of that price, which is taken."""
        if self._left < price:
            self.complete = False
            return False
        self._left -= price
        return True

    def show(self, text: str) -> ShownText:
        """The text; where it does not fit, its beginning, or nothing."""
        lines = line_count(text)
        # Rendering is dear where much is hidden, and holds up other requests: its price is estimated first.
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
    """A command, a prompt."""
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
