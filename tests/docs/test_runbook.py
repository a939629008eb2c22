"""ops/RUNBOOK.md can be done: every block of commands is typed, in order, into a terminal on a real system."""

import asyncio
import os
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeGuard

import pytest

from events import errors
from ops.postgres import control
from tests.support.openai_server import openai_server, proposes
from tests.support.postgres import MAJOR, scratch_folder
from tests.support.runbook import Block, Terminal, check_syntax, read_blocks, shows

ROOT = Path(__file__).parent.parent.parent
RUNBOOK = (ROOT / "ops" / "RUNBOOK.md").read_text()
BLOCKS = read_blocks(RUNBOOK)

DIRECTIVE: dict[str, Any] = {
    "title": "Ordenar la documentación",
    "body": "Nadie encuentra nada.",
    "acceptance_criteria": ["Hay un índice."],
    "risks": [],
    "required_requests": [],
    "tasks_to_create": [
        {
            "title": "Escribir el índice",
            "phase": "documentación",
            "task_type": "shell",
            "steps": [{"name": "escribir", "cmd": "echo '# Índice' > INDICE.md"}],
        },
        {
            "title": "Revisar el índice",
            "phase": "documentación",
            "task_type": "shell",
            "steps": [{"name": "mirar", "cmd": "true"}],
            "depends_on": ["Escribir el índice"],
        },
    ],
}


@pytest.fixture
def home() -> Iterator[Path]:
    """An operator's home, with the key that the runbook has them put into a file."""
    with scratch_folder() as folder:
        (folder / "clave-openai.txt").write_text("sk-prueba-0123456789abcdef\n")
        yield folder
        control.stop(folder / ".elruso" / f"postgres-{MAJOR}", MAJOR, force=True)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def is_installed() -> bool:
    """Whether this environment is the one that ./elruso of this checkout has made."""
    note = Path(sys.prefix) / ".installed-run"
    return note.exists() and note.read_text().startswith(f"{ROOT.resolve()} ")


@pytest.mark.skipif(not is_installed(), reason="the runbook types ./elruso, which would install itself")
@pytest.mark.timeout(400)
async def test_every_block_does_what_it_shows(home: Path) -> None:
    """Typed one after the other in a fresh home, all blocks end well and print what the runbook shows."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "ELRUSO_VENV": sys.prefix,
        "ELRUSO_PORT": str(port),
        "ELRUSO_POSTGRES_MAJOR": str(MAJOR),
    }
    async with openai_server() as model:
        model.will(proposes(DIRECTIVE), proposes(DIRECTIVE | {"title": "Ordenar las pruebas"}))
        terminal = Terminal(ROOT, home, environment | {"OPENAI_BASE_URL": model.url}, {":8787": f":{port}"})
        try:
            for block in BLOCKS:
                if block.mark != "manual":
                    await asyncio.to_thread(terminal.type, block)
        finally:
            await asyncio.to_thread(terminal.close)
    assert ["sk-prueba-0123456789abcdef"] == sorted(set(model.keys) - {""})


def test_what_cannot_be_typed_is_counted() -> None:
    """The runbook says how many of its blocks only an operator can try, and they are well written at least."""
    manual = [block for block in BLOCKS if block.mark == "manual"]
    told = re.search(r"tus ojos: hay (\d+)", RUNBOOK)
    assert told is not None
    assert int(told[1]) == len(manual)
    assert [] == [(block.line, check_syntax(block)) for block in BLOCKS if check_syntax(block)]
    assert {"", "servidor", "manual"} == {block.mark for block in BLOCKS}


def test_refusals_are_those_of_the_api() -> None:
    """Each refusal that the runbook explains exists, with that status."""
    told = set(re.findall(r"(\d{3}) `([a-z_]+)`", RUNBOOK))
    known = {(f"{each.http_status}", each.code) for each in vars(errors).values() if is_refusal(each)}
    assert len(told) >= 4
    assert set() == told - known


def is_refusal(value: object) -> TypeGuard[type[errors.ElRusoError]]:
    """Whether a thing of events/errors.py is a refusal."""
    return isinstance(value, type) and issubclass(value, errors.ElRusoError)


def test_most_of_it_is_shown() -> None:
    """The runbook still has the sections that an operator looks for."""
    sections = set(re.findall(r"^## (.+)$", RUNBOOK, re.M))
    assert {"Troubleshooting", "Mantenimiento", "Archivos clave", "Panel web", "Verificar operación"} <= sections
    assert sum(bool(block.shown) for block in BLOCKS) > len(BLOCKS) // 2


@pytest.mark.parametrize(
    ("shown", "printed", "fits"),
    [
        ("a …\nb", "a 1\nb\n", True),
        ("a …\nb", "a 1\nc\n", False),
        ("…\nb", "x\ny\nb\n", True),
        ("…\nb", "b\n", True),
        ("b", "b\nmore\n", False),
        ("{.*}", "{x}\n", False),
    ],
)
def test_what_is_shown_is_compared(shown: str, printed: str, fits: bool) -> None:
    """`…` stands for what changes, a line of it for any lines, and everything else for itself."""
    assert fits == shows(shown, printed)


def test_a_block_that_fails_is_told(home: Path) -> None:
    """A block that ends badly, or prints something else, fails with its line; state passes from block to block."""
    terminal = Terminal(ROOT, home, {"PATH": os.environ["PATH"]}, {})
    terminal.type(Block(1, "", "WHO=ana\ncd /\n"))
    terminal.type(Block(2, "", 'echo "$WHO $PWD"\n', "ana /"))
    for commands, shown in (("false | cat\n", None), ("./elruso --version > /dev/null; echo b\n", "a")):
        with pytest.raises(AssertionError, match=r"RUNBOOK.md, line 7"):
            terminal.type(Block(7, "", commands, shown))
