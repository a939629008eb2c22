"""Text of strangers, shown so that it does nothing: markup is escaped, what steers the reader's eye is made visible."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

# Controls (but for line ends and tabs), and characters that turn or hide text around them.
COLOURS = re.compile("\x1b\\[[0-9;:]{0,40}[A-Za-z]")  # outside of a terminal they mean nothing
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]")
BETWEEN = "\ufdd0"  # no character; should one of the texts have it all the same, each is looked at by itself


def show(value: Any) -> Any:
    """What a template writes for a value: text harmless, Markup as it is, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return harmless(value)
    return value


def harmless(text: str) -> Markup:
    """`text` as HTML."""
    escaped = escape(COLOURS.sub("", text) if "\x1b" in text else text)
    return Markup(STEERING.sub(_visible, escaped)) if STEERING.search(escaped) else escaped


def harmless_each(texts: Sequence[str]) -> list[str]:
    """Each of the texts as HTML: the same, but many short ones cost little more than one long one."""
    together = str(harmless(BETWEEN.join(texts))).split(BETWEEN)
    return together if len(together) == len(texts) else [str(harmless(text)) for text in texts]


def _visible(match: "re.Match[str]") -> str:
    """A small box that names the character."""
    character = match[0]
    name = unicodedata.name(character, "control character").lower()
    return f'<span class="steering" title="{name}">U+{ord(character):04X}</span>'
