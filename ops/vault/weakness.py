"""Weak values: too short to be redacted, or so common that unrelated text is redacted as well.

A value is redacted wherever it occurs. One that is too short is not searched for at all; a common word, or a string in
the project's own files, is redacted everywhere, and each run that commits it fails.
"""

import asyncio
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from api.credentials import Weakness
from ops.config import inherited_environment
from ops.messages import MESSAGES
from runner.git import Git, GitFailed
from runner.redact import MIN_VALUE, Redactor

LONGEST_WORD = 16  # letters; what is longer is a passphrase, or no word at all
FEWEST_DIGITS = 8  # digits; shorter numbers are years, ports, sizes and ids
FEWEST_CHARACTERS = 4  # different ones
SEARCHED_BYTES = 32 * 1024 * 1024
SEARCHED_FILE_BYTES = 4 * 1024 * 1024
CHUNK_BYTES = 256 * 1024

_WORD = re.compile(r"[^\W\d_]+[\d!.]{0,2}")  # password1! is one, too


async def weakness_of(name: str, value: str, workspace: Path | None = None) -> Weakness | None:
    """The weakness of a variable's value, or None. `workspace`: its tracked files are searched for the value."""
    trimmed = value.strip()
    if len(trimmed) < MIN_VALUE:
        return _weakness(name, "short", least=MIN_VALUE)
    if is_everyday(trimmed):
        return _weakness(name, "everyday")
    file = await _file_with(trimmed, workspace) if workspace else None
    return _weakness(name, "in_project", file=file) if file else None


def is_everyday(value: str) -> bool:
    """Whether a value is a word, a short number, or has fewer than FEWEST_CHARACTERS different characters."""
    is_word = len(value) <= LONGEST_WORD and bool(_WORD.fullmatch(value)) and _is_written_like_a_word(value)
    return is_word or (value.isdigit() and len(value) < FEWEST_DIGITS) or len(set(value)) < FEWEST_CHARACTERS


def _is_written_like_a_word(value: str) -> bool:
    letters = value.rstrip("0123456789!.")
    return letters.islower() or letters.isupper() or letters.istitle()


def _weakness(name: str, reason: Literal["short", "everyday", "in_project"], **facts: object) -> Weakness:
    return Weakness(name, reason, MESSAGES[f"vault.{reason}"].en.format(name=name, **facts), facts)


async def _file_with(value: str, workspace: Path) -> str | None:
    """The first tracked file that contains the value. Untracked files, such as .env, may contain it legitimately."""
    try:
        listed = await Git(workspace, inherited_environment()).read("ls-files", "-z")
    except (GitFailed, OSError):
        return None
    return await asyncio.to_thread(_search, value, workspace, listed)


def _search(value: str, workspace: Path, listed: bytes) -> str | None:
    redactor, left = Redactor([value]), SEARCHED_BYTES
    for name in filter(None, listed.split(b"\0")):
        path = workspace / os.fsdecode(name)
        search = redactor.search()
        for chunk in _chunks(path):
            search.feed(chunk)
            left -= len(chunk)
        if search.finish():
            return os.fsdecode(name).encode(errors="replace").decode()
        if left <= 0:
            break
    return None


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        if not path.is_file() or path.is_symlink() or path.stat().st_size > SEARCHED_FILE_BYTES:
            return
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except OSError:
        return
