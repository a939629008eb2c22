"""Call git: without hooks, prompts, pagers or anybody's aliases and diff drivers in the way."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from msgspec import Struct

from events.errors import ElRusoError
from runner.environment import base_environment
from runner.process_group import end_group

TIMEOUT_SECONDS = 120.0
LAST_WORDS_SECONDS = 1.0

# Several runs share one repository: wait for each other's short locks, and never start a collection in between.
_SETTINGS = {
    "core.hooksPath": os.devnull,
    "core.fsmonitor": "false",
    "core.quotePath": "false",
    "core.filesRefLockTimeout": "10000",
    "core.packedRefsTimeout": "10000",
    "gc.auto": "0",
    "maintenance.auto": "false",
    "advice.detachedHead": "false",
}
_OPTIONS = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
_IDENTITY = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "El Ruso"), ("EMAIL", "elruso@localhost"))
}


class GitFailed(ElRusoError):
    """git refused or did not answer; the detail is what it said."""

    code = "git_failed"


class Git(Struct, frozen=True):
    """git in one directory. `environment` is the runner's own; git sees its harmless part only.

    `ceiling`: where to stop looking for a repository. If a step deletes its worktree's .git, git must not find
    somebody else's repository further up.
    """

    directory: Path
    environment: Mapping[str, str]
    ceiling: Path | None = None

    async def read(self, *arguments: str, given: str = "", limit: int | None = None) -> bytes:
        """What git prints, at most `limit` bytes of it; `given` is its input.

        Raises:
            GitFailed: it exited with an error, or took more than two minutes.
        """
        with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr:
            stdin.write(given.encode(errors="replace"))
            stdin.seek(0)
            process = await asyncio.create_subprocess_exec(
                *("git", *_OPTIONS, *arguments),
                cwd=self.directory,
                env=self._environment(),
                stdin=stdin,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )
            printed, code = await _output_of(process, arguments[0], limit)
            stderr.seek(0)
            said = stderr.read(4096).decode(errors="replace").strip()
        if code:
            raise GitFailed(f"git {arguments[0]}: {said or f'exit code {code}'}", exit_code=code)
        return printed

    async def line(self, *arguments: str, given: str = "") -> str:
        """What git prints, as one line of text."""
        return os.fsdecode((await self.read(*arguments, given=given)).rstrip(b"\n"))

    async def succeeds(self, *arguments: str) -> bool:
        """True when git exits 0: for its questions whose answer is the exit code."""
        try:
            await self.read(*arguments)
        except GitFailed:
            return False
        return True

    def open(self, *arguments: str, stdin: IO[bytes] | None, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
        """git with a pipe from its output, for threads that read more than memory holds; the caller ends it."""
        return subprocess.Popen(
            ["git", *_OPTIONS, *arguments],
            cwd=self.directory,
            env=self._environment(),
            stdin=stdin if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )

    def _environment(self) -> dict[str, str]:
        ceiling = {"GIT_CEILING_DIRECTORIES": str(self.ceiling)} if self.ceiling else {}
        return base_environment(self.environment) | _IDENTITY | {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"} | ceiling


async def _output_of(process: asyncio.subprocess.Process, verb: str, limit: int | None) -> tuple[bytes, int]:
    """Read up to the limit, then stop git: that it was cut short is no failure."""
    assert process.stdout is not None
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            if limit is None:
                return await process.stdout.read(), await process.wait()
            printed = await _read_up_to(process.stdout, limit)
            cut = not process.stdout.at_eof() and bool(await process.stdout.read(1))
            return printed, 0 if cut else await process.wait()
    except TimeoutError:
        raise GitFailed(f"git {verb}: no answer within {TIMEOUT_SECONDS:g} s") from None
    finally:
        if process.returncode is None:
            await end_group(process.pid)
        with suppress(TimeoutError):  # the exit is not told before the pipe is read to its end
            async with asyncio.timeout(LAST_WORDS_SECONDS):
                await process.stdout.read()
                await process.wait()


async def _read_up_to(reader: asyncio.StreamReader, limit: int) -> bytes:
    try:
        return await reader.readexactly(limit)
    except asyncio.IncompleteReadError as end:
        return end.partial
