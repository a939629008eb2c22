"""Every message exists in both languages and speaks of the same facts."""

import string

import pytest

from ops.errors import OperatorError
from ops.messages import MESSAGES, Text, translate


def facts(text: str) -> set[str]:
    """The names of the facts a text speaks of."""
    return {name for _text, name, _format, _conversion in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", sorted(MESSAGES))
def test_both_languages_agree(key: str) -> None:
    """Both texts are there and name the same facts."""
    message = MESSAGES[key]
    assert message.es.strip()
    assert message.en.strip()
    assert facts(message.es) == facts(message.en)


def test_translation_fills_in_the_facts() -> None:
    """A message is given in the language asked for, with its facts."""
    assert "Arrancando PostgreSQL en /x …" == translate("postgres.starting", "es", folder="/x")
    assert "Starting PostgreSQL in /x …" == translate("postgres.starting", "en", folder="/x")


def test_facts_that_are_texts_are_translated_too() -> None:
    """A fact that has two texts itself is said in the same language as the message."""
    kind = Text(es="número", en="number")
    assert "se permite número" in translate("config.invalid", "es", name="X", value="y", allowed=kind)
    assert "allowed is number" in translate("config.invalid", "en", name="X", value="y", allowed=kind)


def test_error_keeps_key_and_facts() -> None:
    """An operator's error can be said in any language later; as text it is English."""
    error = OperatorError("migrate.old_server", version=12)
    assert "PostgreSQL 12" in str(error)
    assert "hace falta el 14" in translate(error.key, "es", **error.facts)
