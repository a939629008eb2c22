"""README's five minutes can be done: every line after a `$` is typed, in order, into a shell on a real system."""

import asyncio
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.test_runbook import DIRECTIVE, ROOT, free_port, home, is_installed
from tests.support.openai_server import openai_server, proposes
from tests.support.postgres import MAJOR
from tests.support.runbook import Block, Terminal, check_syntax, shows

__all__ = ["home"]

README = (ROOT / "README.md").read_text()
TOUR = README.partition("## Five minutes")[2].partition("\n## ")[0]
VARIES = ((r"runner:\S+", "runner:…"), (r'"runner":"[^"]*"', '"runner":"…"'), (r"\d+", "0"), (r" +", " "))
"""What is another from one time to the next: names of runners, numbers, and the room that they take."""


def read_tour(text: str) -> Iterator[Block]:
    """The commands of the indented blocks, each with what is shown below it."""
    text = re.sub("```.*?```", lambda block: "\n" * block[0].count("\n"), text, flags=re.DOTALL)
    lines = [(number, line[4:]) for number, line in enumerate(text.splitlines(), 1) if line.startswith("    ")]
    while lines:
        number, line = lines.pop(0)
        if not line.startswith("$ "):
            continue
        command = line[2:]
        while check_syntax(Block(number, "", command)):
            command += "\n" + lines.pop(0)[1]
        shown: list[str] = []
        while lines and not lines[0][1].startswith("$ "):
            shown.append(lines.pop(0)[1])
        yield Block(number, "servidor" if " up " in command else "", command + "\n", "\n".join(shown) or None)


def steady(text: str) -> str:
    """The text without what varies."""
    for pattern, instead in VARIES:
        text = re.sub(pattern, instead, text)
    return text


class Tourist(Terminal):
    """Types as a reader does: reads over what varies, expects an error that is shown, takes `d-…` for the id above."""

    document = "README.md"

    def is_as_shown(self, block: Block, status: int, printed: str) -> bool:
        """Whether it is the same to a reader."""
        if found := re.search(r"\bd-\w+", printed):
            self._replaced["d-…"] = found[0]
        fails = (block.shown or "").startswith("ERROR")
        return fails == bool(status) and (block.shown is None or shows(steady(block.shown), steady(printed)))


@pytest.mark.skipif(not is_installed(), reason="README types ./elruso, which would install itself")
@pytest.mark.timeout(300)
async def test_the_tour_is_as_typed(home: Path) -> None:
    """Each command, in an empty home, prints what is shown; before a server is started the one before it is stopped."""
    port, [handlers] = free_port(), re.findall("```python\n(.*?)```", TOUR, re.DOTALL)
    (home / "jobs.py").write_text(handlers)
    environment = {
        **{"PATH": os.environ["PATH"], "ELRUSO_VENV": sys.prefix, "ELRUSO_PORT": str(port), "PYTHONPATH": str(home)},
        **{"ELRUSO_POSTGRES_MAJOR": str(MAJOR), "ELRUSO_LANG": "en", "LESS": ""},
    }
    async with openai_server() as model:
        model.will(proposes(DIRECTIVE))
        tourist = Tourist(ROOT, home, environment | {"OPENAI_BASE_URL": model.url}, {":8787": f":{port}"})
        try:
            for block in read_tour(TOUR):
                if block.mark == "servidor":
                    await asyncio.to_thread(tourist.close)
                await asyncio.to_thread(tourist.type, block)
        finally:
            await asyncio.to_thread(tourist.close)


def test_the_tour_is_there() -> None:
    """It still shows most of what it is to show, and no command needs a comment, which not every shell takes."""
    commands = [block.commands for block in read_tour(TOUR)]
    assert len(commands) > 15
    assert [] == [command for command in commands if " # " in command]
    words = ("up --workspace", "audit", "db psql", "gpt run", "directive preview", "task show", "tail")
    assert [] == [word for word in words if not any(word in command for command in commands)]
