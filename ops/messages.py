"""What the command line says, in Spanish and English: one key, two texts, the same facts in both."""

from typing import Any

from ops.texts import (
    audit,
    bench,
    config,
    db,
    definitions,
    directive,
    doctor,
    gpt,
    migrate,
    postgres,
    runner,
    serve,
    sync,
    task,
    terminal,
    tokens,
    usage,
    vault,
)
from ops.texts.text import Language, Text

__all__ = ["MESSAGES", "Language", "Text", "translate"]

MESSAGES: dict[str, Text] = {
    **audit.TEXTS,
    **bench.TEXTS,
    **config.TEXTS,
    **db.TEXTS,
    **definitions.TEXTS,
    **directive.TEXTS,
    **doctor.TEXTS,
    **gpt.TEXTS,
    **migrate.TEXTS,
    **postgres.TEXTS,
    **runner.TEXTS,
    **serve.TEXTS,
    **sync.TEXTS,
    **task.TEXTS,
    **terminal.TEXTS,
    **tokens.TEXTS,
    **usage.TEXTS,
    **vault.TEXTS,
}


def translate(key: str, language: Language, **facts: Any) -> str:
    """The message in that language with its facts filled in, those that are texts themselves in the same language.

    An unknown key or a missing fact is a KeyError.
    """
    said = {name: fact.to(language) if isinstance(fact, Text) else fact for name, fact in facts.items()}
    return MESSAGES[key].fill(language, said)
