"""Run git non-interactively, without hooks and without automatic garbage collection."""

import asyncio
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import IO

from msgspec import Struct
from msgspec.structs import replace

from events.errors import ElRusoError
from runner.environment import base_environment
from runner.linux import IS_LINUX
from runner.pipe import Pipe
from runner.process_group import end_process, spawn
from runner.runner_mark import MARK, own_mark

TIMEOUT_SECONDS = 600.0

# Several runs share one repository: wait for ref locks, and never start a garbage collection.
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
    """git failed or timed out; the detail is what it printed to stderr."""

    code = "git_failed"


class Git(Struct, frozen=True):
    """git in one directory. `environment` is the runner's own; git gets only its base variables (base_environment).

    `ceiling`: where git stops searching for a repository. If a step deletes a `.git`, git must not find another
    repository further up. `variables` are added to git's environment (GIT_DIR, for instance). `timeout_seconds` limits
    each command.
    """

    directory: Path
    environment: Mapping[str, str]
    ceiling: Path | None = None
    variables: Mapping[str, str] = {}
    timeout_seconds: float = TIMEOUT_SECONDS

    def with_variables(self, **variables: str) -> "Git":
        """A copy with more environment variables."""
        return replace(self, variables={**self.variables, **variables})

    async def read(self, *arguments: str, given: str | bytes = "", limit: int | None = None) -> bytes:
        """What git prints to stdout, at most `limit` bytes; `given` is its stdin.

        Raises:
            GitFailed: it exited with an error, or exceeded `timeout_seconds`.
        """
        with tempfile.TemporaryFile() as stdin, tempfile.TemporaryFile() as stderr:
            stdin.write(given if isinstance(given, bytes) else given.encode(errors="surrogateescape"))
            stdin.seek(0)
            run = self._read_all if limit is None else partial(self._read_some, limit)
            printed, code = await run(arguments, stdin, stderr)
            stderr.seek(0)
            message = stderr.read(4096).decode(errors="replace").strip()
        if code:
            raise GitFailed(f"git {_verb(arguments)}: {message or f'exit code {code}'}", exit_code=code)
        return printed

    async def _read_all(self, arguments: Sequence[str], stdin: IO[bytes], stderr: IO[bytes]) -> tuple[bytes, int]:
        with tempfile.TemporaryFile() as stdout:
            process = await self._start(arguments, stdin, stdout, stderr)
            async with self._bounded(process, _verb(arguments)):
                code = await process.wait()
            stdout.seek(0)
            return stdout.read(), code

    async def _read_some(
        self, limit: int, arguments: Sequence[str], stdin: IO[bytes], stderr: IO[bytes]
    ) -> tuple[bytes, int]:
        """Read up to the limit, then end git. Reaching the limit is not an error."""
        printed = bytearray()

        async def collect(data: bytes) -> None:
            printed.extend(data)
            if len(printed) > limit:
                raise _Enough

        with Pipe() as stdout:
            with stdout.writer() as writer:
                process = await self._start(arguments, stdin, writer, stderr)
            async with self._bounded(process, _verb(arguments)):
                try:
                    await stdout.pump(collect)
                except _Enough:
                    return bytes(printed[:limit]), 0
                return bytes(printed), await process.wait()

    async def _start(
        self, arguments: Sequence[str], stdin: IO[bytes], stdout: IO[bytes] | int, stderr: IO[bytes]
    ) -> asyncio.subprocess.Process:
        try:
            return await spawn(
                *("git", *_OPTIONS, *arguments),
                cwd=self.directory,
                env=self._environment(),
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
            )
        except OSError as problem:  # git is not installed, or its directory has vanished
            raise GitFailed(f"git {_verb(arguments)}: cannot start: {problem}") from problem

    @asynccontextmanager
    async def _bounded(self, process: asyncio.subprocess.Process, verb: str) -> AsyncIterator[None]:
        """A block of at most `timeout_seconds`, however it is left; afterwards the process has ended."""
        try:
            async with asyncio.timeout(self.timeout_seconds):
                yield
        except TimeoutError:
            advice = "ELRUSO_GIT_SECONDS on the runner is the limit"
            raise GitFailed(f"git {verb}: no answer within {self.timeout_seconds:g} s; {advice}") from None
        finally:
            if process.returncode is None:
                await end_process(process)

    async def line(self, *arguments: str, given: str | bytes = "") -> str:
        """What git prints, as one line of text."""
        return os.fsdecode((await self.read(*arguments, given=given)).rstrip(b"\n"))

    async def paths(self, *arguments: str, given: str | bytes = "") -> list[str]:
        """What git prints with -z: paths, with bytes that are not UTF-8 as surrogate escapes."""
        return [os.fsdecode(path) for path in (await self.read(*arguments, given=given)).split(b"\0") if path]

    async def succeeds(self, *arguments: str) -> bool:
        """True when git exits with 0; for commands that answer by their exit code."""
        try:
            await self.read(*arguments)
        except GitFailed:
            return False
        return True

    async def is_ancestor(self, ancestor: str, commit: str) -> bool:
        """True when `ancestor` is `commit` or an ancestor of it; False also when either is unknown."""
        return await self.succeeds("merge-base", "--is-ancestor", ancestor, commit)

    async def is_in_any(self, commit: str, tips: Iterable[str]) -> bool:
        """True when the history of one of `tips` holds `commit`."""
        for tip in tips:
            if await self.is_ancestor(commit, tip):
                return True
        return False

    def open(self, *arguments: str, stdin: IO[bytes] | None, stderr: IO[bytes]) -> subprocess.Popen[bytes]:
        """Start git with a pipe from its stdout, for threads that stream large output. The caller must end it."""
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
        own = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"} | ({MARK: own_mark()} if IS_LINUX else {})
        return base_environment(self.environment) | _IDENTITY | own | ceiling | dict(self.variables)


def _verb(arguments: Sequence[str]) -> str:
    """What git was asked to do: the first word that is no setting."""
    words = iter(arguments)
    return next((word for word in words if word != "-c" or not next(words)), "")


class _Enough(Exception):
    """The limit of bytes to read is reached."""
