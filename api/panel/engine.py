"""The engine's own words, in the visitor's language.

Reasons and errors stand in the log as the engine words them. Its wordings are few (texts/engine.py), so they are known
again when they are shown; whatever is not known, an operator's reason or a command's last line, stays as it is.
"""

import re
import string
from collections.abc import Iterator
from functools import cache

from api.panel.texts import MESSAGES, say
from api.panel.texts.engine import TEXTS
from api.text import Language

LONGEST = 10_000
"""Characters. What is longer is somebody's output, and shown as it is."""
NUMBERS = ("number", "attempt", "most", "code")


def said(text: str, language: Language) -> str:
    """What the engine said, in that language; any other text unchanged."""
    if language == "en" or not text or len(text) > LONGEST:
        return text
    for key, opening, pattern in _wordings():
        if text.startswith(opening) and (found := pattern.fullmatch(text)):
            facts = {name: _fact(name, value, language) for name, value in found.groupdict().items()}
            return say(key, language, **facts)
    return text


def _fact(name: str, value: str, language: Language) -> str:
    if name == "rest":
        return said(value, language)
    if name == "status" and f"status.{value}" in MESSAGES:
        return say(f"status.{value}", language)
    return value


@cache
def _wordings() -> tuple[tuple[str, str, re.Pattern[str]], ...]:
    """Each wording: its key, how it begins, and the pattern that it is known by; in the order of the catalogue."""
    return tuple(
        (key, next(iter(string.Formatter().parse(text.en)))[0], re.compile("".join(_pattern(text.en)), re.DOTALL))
        for key, text in TEXTS.items()
    )


def _pattern(wording: str) -> Iterator[str]:
    for literal, name, _, _ in string.Formatter().parse(wording):
        yield re.escape(literal)
        if name is not None:
            yield rf"(?P<{name}>{'-?[0-9]+' if name in NUMBERS else '.+?'})"
