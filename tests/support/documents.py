"""Pages of docs/ that are made from the program itself."""

from collections.abc import Iterator

import click

from ops.cli import elruso
from ops.config import LOCALE_NAMES, SETTINGS
from ops.help_formatter import LANGUAGE
from ops.settings import Setting

MADE = "<!-- Made from the program. ELRUSO_TEST_WRITE_DOCS=1 ./elruso test tests/docs writes it anew. -->\n"


def settings_page() -> str:
    """docs/settings.md."""
    lines = [
        "# Settings",
        "",
        MADE,
        "Environment variables, read once when a command starts. A value that will not do ends the command with the",
        "variable, the value and what is allowed; an empty variable counts as unset; `elruso doctor` finds misspelt",
        "ones. Durations are seconds, sizes are bytes.",
        "",
        "| variable | what it sets | allowed | default |",
        "|---|---|---|---|",
        *(_setting_row(setting) for setting in SETTINGS),
        "",
        f"The language of the command line, where `ELRUSO_LANG` is unset, is Spanish if the first of "
        f"{', '.join(f'`{name}`' for name in LOCALE_NAMES)} that is set begins with `es`, otherwise English.",
        "",
        "Two more variables belong to the `./elruso` script and to the tests: `ELRUSO_VENV`, the folder of the virtual",
        "environment (default `.venv` beside the script), and `ELRUSO_TEST_POSTGRES_MAJOR`, 16 or 18, the server that",
        "the tests run on.",
    ]
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """docs/commands.md."""
    lines = ["# Commands", "", MADE, "`--lang es` or `ELRUSO_LANG=es` makes every command speak Spanish.", ""]
    for path, command in _commands(elruso, "elruso"):
        arguments = "".join(f" {parameter.make_metavar(_context())}" for parameter in _arguments(command))
        lines += [f"## {path}{arguments}", "", command.help or "", ""]
        options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
        lines += [f"- `{', '.join(option.opts)}`: {option.help}" for option in options]
        lines += [""] if options else []
    return "\n".join(lines).rstrip() + "\n"


def _setting_row(setting: Setting) -> str:
    names = " or ".join(f"`{name}`" for name in setting.names)
    default = "" if setting.default in (None, "") else f"`{setting.default}`"
    return f"| {names} | {setting.text} | {setting.allowed.en} | {default} |"


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    LANGUAGE.set("en")
    yield path, command
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from _commands(command.commands[name], f"{path} {name}")


def _arguments(command: click.Command) -> list[click.Argument]:
    return [parameter for parameter in command.params if isinstance(parameter, click.Argument)]


def _context() -> click.Context:
    return click.Context(elruso)
