"""The command line: its commands, its language, its errors and exit statuses.

Exit status 0: done. 1: refused or failed; the text on stderr says what to do. 2: the command was written wrongly.
130: interrupted.
"""

import os
import signal
import sys

import asyncpg
import click

from api.panel.engine import said_of_refusal
from events.errors import ElRusoError
from ops.commands.audit import audit_command
from ops.commands.bench import bench
from ops.commands.db import db
from ops.commands.directive import directive
from ops.commands.doctor import doctor
from ops.commands.gpt import gpt
from ops.commands.runner import runner
from ops.commands.serve import serve
from ops.commands.sync import sync
from ops.commands.tail import tail
from ops.commands.task import task
from ops.commands.tokens import token
from ops.commands.up import up
from ops.commands.vault import vault
from ops.config import environment_language
from ops.engine import own_version
from ops.errors import OperatorError, from_os_error
from ops.help_formatter import LANGUAGE
from ops.inside_run import find_surrounding_run
from ops.messages import Language
from ops.terminal import Terminal, group, option, write_error, write_traceback
from ops.usage import explain

COMMANDS: tuple[click.Command, ...] = (
    *(up, serve, runner, task, directive, gpt, sync, vault, token),
    *(db, audit_command, tail, doctor, bench),
)


def _speak(_context: click.Context, _option: click.Parameter, language: Language | None) -> None:
    LANGUAGE.set(language or LANGUAGE.get())


@group("elruso", help="help.elruso", context_settings={"help_option_names": ["-h", "--help"]})
@option(
    "--lang",
    type=click.Choice(["es", "en"]),
    is_eager=True,
    expose_value=False,
    callback=_speak,
    help="help.lang",
)
@click.version_option(own_version())
@click.pass_context
def elruso(context: click.Context) -> None:
    """The top; see help.elruso."""
    context.obj = terminal = Terminal()
    if (run := find_surrounding_run()) is not None:
        terminal.say("terminal.inside_run", task=run.task_id, run=run.run_id)


for registered in COMMANDS:
    elruso.add_command(registered)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and end the process with its exit status."""
    LANGUAGE.set(environment_language())
    sys.excepthook = write_traceback
    sys.exit(_run(arguments))


def _run(arguments: list[str] | None) -> int:
    terminal = Terminal()
    try:
        outcome = elruso.main(arguments, prog_name="elruso", standalone_mode=False)
        return outcome if isinstance(outcome, int) else 0
    except click.ClickException as error:
        write_error(explain(error, terminal.language))
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        terminal.say("terminal.interrupted")
        return 130
    except OperatorError as error:
        terminal.say("terminal.error", detail=terminal.text(error.key, **error.facts))
        return 1
    except ElRusoError as error:
        terminal.say("terminal.error", detail=said_of_refusal(error.detail, terminal.language))
        return 1
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        terminal.say("terminal.error", detail=terminal.text("terminal.database", detail=str(error)))
        return 1
    except BrokenPipeError:  # whoever read what we print has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        refusal = from_os_error(error)
        terminal.say("terminal.error", detail=terminal.text(refusal.key, **refusal.facts))
        return 1
