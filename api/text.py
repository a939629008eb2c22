"""One message in Spanish and English."""

from typing import Literal

import msgspec

Language = Literal["es", "en"]


class Text(msgspec.Struct, frozen=True):
    """The same message in both languages. `{facts}` are filled in by name."""

    es: str
    en: str

    def to(self, language: Language) -> str:
        """The text in that language, its facts not yet filled in."""
        return self.es if language == "es" else self.en
