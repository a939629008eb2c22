"""Sentences that were made in English by somebody else, known again by their wording and said in another language."""

import re
import string
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

from api.text import Language, Text

LONGEST = 10_000
"""Characters. What is longer is somebody's output, and shown as it is."""
NUMBERS = ("number", "attempt", "most", "code")

SayFact = Callable[[str, str, Language], str]


def _as_it_is(_name: str, value: str, _language: Language) -> str:
    return value


class Wordings:
    """A catalogue whose English texts are the wordings. A fact called `rest` is known again by itself.

    `say_fact` says any other fact, given its name and text, in a language.
    """

    def __init__(self, texts: Mapping[str, Text], say_fact: SayFact = _as_it_is) -> None:
        self._texts = texts
        self._say_fact = say_fact

    def said(self, text: str, language: Language) -> str:
        """What is known, in that language; any other text unchanged."""
        if language == "en" or not text or len(text) > LONGEST:
            return text
        for key, opening, pattern in self._patterns:
            if text.startswith(opening) and (found := pattern.fullmatch(text)):
                facts = {name: self._fact(name, value, language) for name, value in found.groupdict().items()}
                return self._texts[key].to(language).format(**facts)
        return text

    def _fact(self, name: str, value: str, language: Language) -> str:
        return self.said(value, language) if name == "rest" else self._say_fact(name, value, language)

    @cached_property
    def _patterns(self) -> tuple[tuple[str, str, re.Pattern[str]], ...]:
        """Each wording: its key, how it begins, and the pattern that it is known by; in the order of the catalogue."""
        return tuple(
            (key, next(iter(string.Formatter().parse(text.en)))[0], re.compile("".join(_parts(text.en)), re.DOTALL))
            for key, text in self._texts.items()
        )


def _parts(wording: str) -> Iterator[str]:
    for literal, name, _, _ in string.Formatter().parse(wording):
        yield re.escape(literal)
        if name is not None:
            yield rf"(?P<{name}>{'-?[0-9]+' if name in NUMBERS else '.+?'})"
