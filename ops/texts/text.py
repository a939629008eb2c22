"""One message in Spanish and English; the panel (api/panel/texts) speaks with the same."""

from api.text import Language, Text

__all__ = ["Language", "Text"]
