"""What click says to a command that was written wrongly, in the operator's language."""

import click

from api.wording import Wordings
from ops.messages import Language, translate
from ops.texts.usage import TEXTS

_WORDINGS = Wordings(TEXTS)


def explain(error: click.ClickException, language: Language) -> str:
    """How the command is written, where help is found, and what is wrong; what is not known stays as click says it."""
    lines = []
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        lines.append(_WORDINGS.said(context.get_usage(), language))
        if context.help_option_names:
            command = f"{context.command_path} {max(context.help_option_names, key=len)}"
            lines.append(f"{translate('usage.hint', language, command=command)}\n")
    return "\n".join([*lines, f"Error: {_WORDINGS.said(error.format_message(), language)}"])
