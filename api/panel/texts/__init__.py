"""What the panel says, in Spanish and English: one key, two texts, the same facts in both."""

from typing import Any

from api.panel.texts import directives, engine, events, frame, home, proposals, refusals, refused, runs, tasks
from api.text import Language, Text

__all__ = ["MESSAGES", "Text", "say"]

MESSAGES: dict[str, Text] = {
    **frame.TEXTS,
    **refusals.TEXTS,
    **refused.TEXTS,
    **proposals.TEXTS,
    **engine.TEXTS,
    **home.TEXTS,
    **tasks.TEXTS,
    **runs.TEXTS,
    **events.TEXTS,
    **directives.TEXTS,
}


def say(key: str, language: Language, **facts: Any) -> str:
    """The message in that language with its facts filled in. An unknown key or a missing fact is a KeyError."""
    return MESSAGES[key].fill(language, facts)
