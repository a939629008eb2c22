"""Text of strangers, shown so that it does nothing: markup is escaped, what steers the reader's eye is made visible."""

import re
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup, escape

from events.visible_text import HIDDEN, HIDDEN_IN_PROSE, Marker

COLOURS = re.compile("\x1b\\[[0-9;:]{0,40}[A-Za-z]")  # outside of a terminal they mean nothing
LINE_ENDS = re.compile("[\t\n]")
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
    return _marked(escaped)


def harmless_line(text: str) -> Markup:
    """A name, a path: the same, and a line feed or a tab in it shows."""
    return Markup(LINE_ENDS.sub(_visible, str(harmless(text))))


def harmless_each(texts: Sequence[str]) -> list[str]:
    """Each of the texts as HTML: the same, but many short ones cost little more than one long one."""
    joined = BETWEEN.join(texts)
    parts = str(escape(COLOURS.sub("", joined) if "\x1b" in joined else joined)).split(BETWEEN)
    if len(parts) != len(texts):
        return [str(harmless(text)) for text in texts]
    return [str(_marked(part)) for part in parts] if HIDDEN.search("".join(parts)) else parts


def marker_box(label: str, title: str) -> str:
    """A small box that stands for hidden text. No text can imitate it: the brackets of tags are escaped."""
    return f'<span class="steering" title="{escape(title)}">{escape(label)}</span>'


def _marked(escaped: str) -> Markup:
    return Markup(HIDDEN_IN_PROSE.sub(_visible, escaped))


def _visible(match: "re.Match[str]") -> str:
    return marker_box(f"U+{ord(match[0]):04X}", Marker("character", 1, match[0]).name)
