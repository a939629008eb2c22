"""ops/RUNBOOK.md as something to execute: its blocks of commands, in order, as an operator would type them.

    ```bash            typed as it stands; must end well, and print what the `text` block after it shows
    ```bash servidor   stays behind in a terminal of its own, once it has printed what is shown
    ```bash manual     cannot be executed here (another machine, a provider, eyes); only its syntax is looked at
    ```text            what the block before it prints; `…` is what changes from one time to the next

An operator who only looks, looks again until there is something to see. So does the test: a block that only asks (no
POST, no PATCH) is repeated until it prints what is shown.
"""

import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from tests.support.waiting import eventually_now

FENCE = re.compile(r"^( *)```(\w*) ?(\w*)(.*)$")
ELLIPSIS = "…"
CHANGES = re.compile(
    r"-X (POST|PATCH)|\./elruso (?!runner status|db url|doctor|vault list|task (list|show)|gpt status)"
)
SECONDS = 60.0
PATIENCE_SECONDS = 30.0
LEAVE_STATE = "export -p | grep -Ev '^declare -[a-z]*r'; printf 'cd %q\\n' \"$PWD\";"  # readonly ones are bash's own


class Block(Struct, frozen=True):
    """Commands, where they stand, how they are marked, and what they print (None: that is not shown)."""

    line: int
    mark: str
    commands: str
    shown: str | None = None

    @property
    def only_looks(self) -> bool:
        """Whether it may be repeated."""
        return not CHANGES.search(self.commands)


def read_blocks(text: str) -> list[Block]:
    """The blocks of commands in the text."""
    blocks: list[Block] = []
    for line, language, mark, content in _fenced(text):
        if language == "bash":
            blocks.append(Block(line, mark, content))
        elif language == "text" and blocks and blocks[-1].shown is None:
            blocks[-1] = Block(blocks[-1].line, blocks[-1].mark, blocks[-1].commands, content)
    return blocks


def shows(shown: str, printed: str) -> bool:
    """Whether what was printed is what is shown. A line of only `…` stands for any number of lines."""
    parts = []
    for line in shown.strip().splitlines():
        if line.strip() == ELLIPSIS:
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(re.escape(part) for part in line.rstrip().split(ELLIPSIS)) + r"\s*\n")
    return re.fullmatch("".join(parts), printed.strip() + "\n") is not None


class Terminal:
    """Where the blocks are typed: each sees the folder and the variables that the one before it left."""

    document = "RUNBOOK.md"

    def __init__(self, checkout: Path, home: Path, environment: dict[str, str], replaced: dict[str, str]) -> None:
        self._state = home / "terminal"
        self._state.write_text("")
        self._checkout = checkout
        self._environment = environment | {"HOME": str(home)}
        self._replaced = replaced
        self._servers: list[subprocess.Popen[str]] = []
        self._readers: list[threading.Thread] = []

    def type(self, block: Block) -> None:
        """Execute a block. Raises AssertionError with its place, its words, and what it printed instead."""
        if block.mark == "servidor":
            printed: list[str] = []
            self._leave_running(block, printed)
            self._expect(block, lambda: (0, "".join(printed)), SECONDS)
        elif block.only_looks and block.shown is not None:
            self._expect(block, lambda: self._run(block), PATIENCE_SECONDS)
        else:
            self._expect(block, lambda: self._run(block), 0.0)

    def is_as_shown(self, block: Block, status: int, printed: str) -> bool:
        """Whether a block ended well and printed what is shown."""
        return status == 0 and (block.shown is None or shows(self._worded(block.shown), printed))

    def close(self) -> None:
        """End what was left running, as Ctrl-C does; it must end well."""
        for server in self._servers:
            server.terminate()
        for reader in self._readers:
            reader.join(SECONDS)  # it ends with what its server prints
        statuses = [server.wait(SECONDS) for server in self._servers]
        self._servers, self._readers = [], []
        assert [0] * len(statuses) == statuses

    def _expect(self, block: Block, look: Callable[[], tuple[int, str]], seconds: float) -> None:
        status, printed = 0, ""

        def fits() -> bool:
            nonlocal status, printed
            status, printed = look()
            return self.is_as_shown(block, status, printed)

        try:
            eventually_now(fits, seconds)
        except AssertionError:
            place = f"{self.document}, line {block.line}:\n{block.commands}"
            instead = f"ended with {status} and printed:\n{printed}\ninstead of:\n{self._worded(block.shown or '')}"
            raise AssertionError(f"{place}\n{instead}") from None

    def _run(self, block: Block) -> tuple[int, str]:
        script = f". {self._state}\n{self._worded(block.commands)}\n{{ {LEAVE_STATE} }} >{self._state}\n"
        done = subprocess.run(
            ["bash", "-aeuo", "pipefail", "-c", script], **self._surroundings, stdout=subprocess.PIPE, timeout=SECONDS
        )
        return done.returncode, done.stdout

    def _leave_running(self, block: Block, printed: list[str]) -> None:
        script = f". {self._state}\nexec env {self._worded(block.commands).strip()}"
        server = subprocess.Popen(["bash", "-ae", "-c", script], **self._surroundings, stdout=subprocess.PIPE)
        reader = threading.Thread(target=_read_into, args=(server, printed))
        reader.start()
        self._servers.append(server)
        self._readers.append(reader)

    @property
    def _surroundings(self) -> dict[str, Any]:
        given = {"env": self._environment, "cwd": self._checkout, "text": True}
        return given | {"stdin": subprocess.DEVNULL, "stderr": subprocess.STDOUT}

    def _worded(self, text: str) -> str:
        for word, other in self._replaced.items():
            text = text.replace(word, other)
        return text


def check_syntax(block: Block) -> str:
    """What bash complains about in a block; nothing if it is well written."""
    return subprocess.run(
        ["bash", "-n"], input=block.commands, capture_output=True, text=True, env=dict(os.environ)
    ).stderr


def _read_into(server: "subprocess.Popen[str]", printed: list[str]) -> None:
    assert server.stdout is not None
    with server.stdout as output:
        printed.extend(output)


def _fenced(text: str) -> Iterator[tuple[int, str, str, str]]:
    """(line, language, mark, content) of every fenced block; one that stands in a list loses its indentation."""
    opened: tuple[int, str, str] | None = None
    indentation, content = "", []
    for number, line in enumerate(text.splitlines(), start=1):
        fence = FENCE.match(line)
        if fence and opened is None:
            opened, indentation, content = (number, fence[2], fence[3]), fence[1], []
        elif fence and opened:
            yield (*opened, "".join(f"{each}\n" for each in content))
            opened = None
        else:
            content.append(line.removeprefix(indentation))
    assert opened is None, f"the block of line {opened and opened[0]} has no end"
