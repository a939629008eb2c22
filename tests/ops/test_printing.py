"""What a process prints by itself loses its secrets."""

import io

import click
import pytest

from ops.printing import RedactedText
from runner.redact import Redactor


def test_prints_lose_secrets_and_nothing_else() -> None:
    """Print by print, in pieces, and through click; lines are passed on when they are complete."""
    target = io.StringIO()
    text = RedactedText(target, Redactor(["hunter2hunter2", "two\nlines"]))
    print("a line with hunter2", end="", file=text)
    print("hunter2 in it", file=text)
    assert "a line with [redacted] in it\n" == target.getvalue()
    click.echo("by click: two", file=text)
    text.write("lines and hunter2")
    text.finish()
    assert "a line with [redacted] in it\nby click: [redacted] and hunter2" == target.getvalue()


def test_it_is_a_text_stream() -> None:
    """It says of itself what its target says, and takes no bytes."""
    text = RedactedText(io.StringIO(), Redactor())
    assert (True, False) == (text.writable(), text.isatty())
    with pytest.raises(TypeError):
        text.write(b"")  # type: ignore[arg-type]
