"""How commands speak: texts by key in the operator's language, answers on stdout, everything else on stderr.

Nothing else in `ops` prints. Whatever leaves here is made visible first (events/visible_text.py): titles, log lines and
errors come from models and from other machines, and a terminal obeys what they contain (ADR 0022).

`command`, `group`, `option` are click's, save that `help` is a key of ops.messages. A command takes the Terminal:

    @command("url", help="help.db.url")
    @click.pass_obj
    def url(terminal: Terminal) -> None: ...
"""

import json
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from types import TracebackType
from typing import Any, Literal, TypeVar

import click
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text as StyledText

from events.visible_text import Marker, escape_json, plain_label, visible, visible_line, visible_text
from ops.config import Config, read_config
from ops.help_formatter import LANGUAGE, Context
from ops.messages import Language, translate

LINE_FEED = " ␊ "  # how a fact of a message shows where it had one
MANY_LINES = ("output", "detail")  # facts: what a program printed, what is wrong

Function = Callable[..., Any]
Overflow = Literal["fold", "ellipsis"]
Decorated = TypeVar("Decorated", bound=Function)


class Terminal:
    """What a command is given: the settings, read when first asked for, and a voice."""

    @cached_property
    def config(self) -> Config:
        """The settings of this process. Raises OperatorError, which ends the command."""
        return read_config()

    @property
    def language(self) -> Language:
        """The operator's language."""
        return LANGUAGE.get()

    def text(self, key: str, **facts: Any) -> str:
        """A message in the operator's language. Only facts that are texts of many lines keep their line feeds.

        A title or a reason cannot forge a line of its own that way.
        """
        return translate(key, self.language, **{name: _on_one_line(name, fact) for name, fact in facts.items()})

    def say(self, key: str, **facts: Any) -> None:
        """Tell the operator something by the way, on stderr, so that stdout can be piped."""
        write_error(self.text(key, **facts))

    def show(self, answer: str) -> None:
        """Print what was asked for, on stdout; it may have several lines."""
        click.echo(visible_text(answer))

    def show_line(self, answer: str) -> None:
        """Print one line of a list: line feeds and tabs in its values become markers too."""
        click.echo(visible_line(answer))

    def show_json(self, value: Any, indent: int | None = 2) -> None:
        """Print a value as JSON. What a terminal would obey is written as an escape, so it is the same document."""
        self.show_document(json.dumps(value, ensure_ascii=False, indent=indent))

    def show_document(self, document: str) -> None:
        """The same for a value that is JSON already."""
        click.echo(escape_json(document))

    def show_table(self, columns: Sequence[tuple[str, Overflow]], rows: Iterable[Sequence[Any]]) -> None:
        """Print a table; each column has a name, and what becomes of its values that are too long for the terminal.

        In a pipe nothing is cut or wrapped: one line a row.
        """
        shown = [["" if cell is None else visible_line(str(cell)) for cell in row] for row in rows]
        if not sys.stdout.isatty():
            self._show_rows([[name for name, _ in columns], *shown])
            return
        table = Table(box=None, pad_edge=False)
        for name, overflow in columns:
            table.add_column(name, overflow=overflow, no_wrap=overflow == "ellipsis")
        for row in shown:
            table.add_row(*row)
        Console(markup=False, highlight=False).print(table)

    def _show_rows(self, rows: Sequence[Sequence[str]]) -> None:
        widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            click.echo("  ".join(map(set_cell_size, row, widths)).rstrip())

    def show_verbatim(self, answer: str) -> None:
        """Print data for another program, byte for byte; made visible where a person reads it instead of a program."""
        watched = sys.stdout.isatty()
        click.echo(visible_text(answer) if watched else answer, color=True)  # else click drops escapes from a pipe

    def show_command(self, command: str, indent: str, first: str = "") -> None:
        """Print a command as whoever approves it must see it, its lines below each other; `first` begins the first."""
        lines = visible(command, self._label).split("\n")
        click.echo("\n".join((first if first and not number else indent) + line for number, line in enumerate(lines)))

    def ask(self, key: str, *, confirm: bool = False, **facts: Any) -> str:
        """What the operator types, unseen. Raises click.Abort."""
        prompt = visible_line(self.text(key, **facts))
        answer: str = click.prompt(prompt, hide_input=True, confirmation_prompt=confirm, err=True)
        return answer

    @contextmanager
    def progress(self, key: str) -> Iterator[Callable[[int, int], None]]:
        """A bar on stderr while the block lasts; call what it yields with how much is done, of how much.

        It appears with the first call that has something to do. Silent in a pipe.
        """
        console = Console(stderr=True)
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        bar = Progress(*columns, console=console, disable=not console.is_terminal, transient=True)
        task = bar.add_task(visible_line(self.text(key)), total=None)

        def show(done: int, total: int) -> None:
            if total > 0:
                bar.start()
                bar.update(task, completed=done, total=total)

        try:
            yield show
        finally:
            bar.stop()

    @contextmanager
    def status(self, key: str) -> Iterator[Callable[[str], None]]:
        """A line on stderr while the block lasts; call what it yields with what it says from now on."""
        console = Console(stderr=True, markup=False, highlight=False)
        with console.status(StyledText(visible_line(self.text(key)))) as line:
            yield lambda said: line.update(StyledText(visible_line(said)))

    @property
    def is_watched(self) -> bool:
        """Whether stderr is a terminal."""
        return Console(stderr=True).is_terminal

    def _label(self, marker: Marker) -> str:
        if marker.kind == "character":
            return plain_label(marker)
        key = f"terminal.marker.{marker.kind}"
        return self.text(key if marker.repeats != 1 else f"{key}.one", count=marker.repeats)


def _on_one_line(name: str, fact: Any) -> Any:
    return fact.replace("\n", LINE_FEED) if isinstance(fact, str) and name not in MANY_LINES else fact


def write_error(text: str) -> None:
    """Print a text on stderr."""
    click.echo(visible_text(text), err=True)


def write_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Print what Python prints of an exception that nobody expected; a replacement for sys.excepthook."""
    write_error("".join(traceback.format_exception(kind, error, trace)).rstrip("\n"))


class _Helped:
    """Turns the help key given at definition into text when help is shown."""

    _help_key: str | None = None

    @property
    def help(self) -> str | None:
        return self._help_key and translate(self._help_key, LANGUAGE.get())

    @help.setter
    def help(self, key: str | None) -> None:
        self._help_key = key


class Option(_Helped, click.Option):
    """A click option whose help is a message key."""


class Command(_Helped, click.Command):
    """A click command whose help is a message key."""

    context_class = Context

    def get_short_help_str(self, limit: int = 0) -> str:
        """Its first sentence, whole: the list of commands has room for a second line."""
        return re.split(r"(?<=\.) ", self.help or "")[0]


class Group(_Helped, click.Group):
    """A click group whose help is a message key."""

    context_class = Context
    command_class = Command
    get_short_help_str = Command.get_short_help_str


Group.group_class = Group


def command(name: str, help: str) -> Callable[[Function], Command]:
    """Make a command of its own; `help` is a message key."""
    return click.command(name, cls=Command, help=help)


def group(name: str, help: str, **settings: Any) -> Callable[[Function], Group]:
    """Make a group; its commands are added with `@group.command(name, help=key)`."""
    return click.group(name, cls=Group, help=help, **settings)


def option(*names: str, **settings: Any) -> Callable[[Decorated], Decorated]:
    """Give a command an option; `help` is a message key."""
    return click.option(*names, cls=Option, **settings)
