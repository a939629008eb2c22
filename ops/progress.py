"""How long work shows that it moves: a bar with the time left, on stderr, when somebody is watching."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ops.terminal import Terminal


@contextmanager
def progress(terminal: Terminal, key: str) -> Iterator[Callable[[int, int], None]]:
    """A bar while the block lasts; call what it yields with how much is done, of how much. Silent in a pipe."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(terminal.text(key), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
