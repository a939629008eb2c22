"""How commands speak: texts by key in the operator's language, answers on stdout, everything else on stderr.

`command`, `group`, `option` are click's, save that `help` is a key of ops.messages. A command takes the Terminal:

    @command("url", help="help.db.url")
    @click.pass_obj
    def url(terminal: Terminal) -> None: ...
"""

from collections.abc import Callable
from contextvars import ContextVar
from functools import cached_property
from typing import Any, TypeVar

import click

from ops.config import Config, read_config
from ops.messages import Language, translate

LANGUAGE: ContextVar[Language] = ContextVar("language", default="en")

Function = Callable[..., Any]
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
        """A message in the operator's language."""
        return translate(key, self.language, **facts)

    def say(self, key: str, **facts: Any) -> None:
        """Tell the operator something by the way, on stderr, so that stdout can be piped."""
        click.echo(self.text(key, **facts), err=True)

    def show(self, answer: str) -> None:
        """Print what was asked for, on stdout."""
        click.echo(answer)


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


class Group(_Helped, click.Group):
    """A click group whose help is a message key."""

    command_class = Command


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
