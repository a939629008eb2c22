"""How click lays out help, with its own words in the operator's language."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import click

from ops.messages import Language, translate

LANGUAGE: ContextVar[Language] = ContextVar("language", default="en")

_WORDS = {
    "Options": "help.words.options",
    "Commands": "help.words.commands",
    "Show this message and exit.": "help.words.help",
    "Show the version and exit.": "help.words.version",
    "[OPTIONS]": "help.words.some_options",
    "COMMAND [ARGS]...": "help.words.some_command",
    "[default: ": "help.words.default",
}


class HelpFormatter(click.HelpFormatter):
    """Click's formatter; what click itself says is translated."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """The line that says how the command is written."""
        super().write_usage(prog, _translated(args), prefix or f"{translate('help.words.usage', LANGUAGE.get())} ")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Names and what they mean, in two columns."""
        super().write_dl([(name, _translated(meaning)) for name, meaning in rows], col_max, col_spacing)

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        """A heading with what stands below it."""
        with super().section(_translated(name)):
            yield


class Context(click.Context):
    """A context whose help is laid out by our formatter."""

    formatter_class = HelpFormatter


def _translated(text: str) -> str:
    for word, key in _WORDS.items():
        text = text.replace(word, translate(key, LANGUAGE.get()))
    return text
