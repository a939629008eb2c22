"""One message in Spanish and English."""

import string
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Language = Literal["es", "en"]


class Text(msgspec.Struct, frozen=True):
    """The same message in both languages. `{facts}` are filled in by name.

    `{count:task waits|tasks wait}` is the first wording where the fact is 1, else the second.
    """

    es: str
    en: str

    def to(self, language: Language) -> str:
        """The text in that language, its facts not yet filled in."""
        return self.es if language == "es" else self.en

    def fill(self, language: Language, facts: Mapping[str, Any]) -> str:
        """The text in that language with its facts. Raises KeyError for a fact that is missing."""
        return _FORMATTER.vformat(self.to(language), (), facts)


class _PluralFormatter(string.Formatter):
    def format_field(self, value: Any, format_spec: str) -> Any:
        one, separator, many = format_spec.partition("|")
        if separator:
            return one if str(value) == "1" else many
        return super().format_field(value, format_spec)


_FORMATTER = _PluralFormatter()
