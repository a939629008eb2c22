"""Scan commits for known secrets before they reach the operator's repository.

    findings = await scan_commits(git, base, result, redactor)
    if findings:
        fail(refusal(findings))

The scan reads every object reachable from `result` and not from `base`: blobs (symlink targets are blobs) of every
commit in between, file names, and commit and tag objects with their messages, authors and signatures. Objects are
streamed from `git rev-list --objects` and `git cat-file --batch` on a thread, so memory does not grow with a blob.

Only values that the redactor knows are reported (stored, granted, settings), in every form it recognises. The shapes of
keys are not: repositories legitimately hold test keys. A value that `base` already has at the same path, or in its own
header (its author's address), is not reported: it is in the operator's history already, and each run that changes the
file would fail. Compressed content is not unpacked.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Literal

from msgspec import Struct

from runner.git import Git, GitFailed
from runner.redact import Redactor, SecretSearch

CommittedSecrets = Literal["refuse", "allow"]
"""`refuse`: a run whose commits hold a stored value fails, and nothing is fetched. `allow`: commits are not scanned."""

CHUNK_BYTES = 256 * 1024
FINDINGS_MAX = 100
NAMED_FINDINGS = 10  # in the message of a refusal
NAME_SEPARATOR = b"\x01"  # no encoding skips it, so no value is found across two names
LINE_BYTES = 1 << 16  # a header of cat-file: an id, a type, a size and a path

# Steps can add replace refs and grafts; git's fetch ignores them and transfers the objects themselves.
_AS_IT_IS = {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_GRAFT_FILE": os.devnull}


class Finding(Struct, frozen=True):
    """One place that holds a known value, never the value itself.

    `where` is for people: a path, or "commit message of <id>". A path that contains a value is redacted.
    """

    kind: Literal["content", "name", "commit", "tag"]
    where: str


class _Object(Struct, frozen=True):
    """One header of `git cat-file --batch`."""

    id: str
    type: str
    size: int
    path: bytes


async def scan_commits(
    git: Git, base: str, result: str, redactor: Redactor, present: Iterable[str] = ()
) -> list[Finding]:
    """At most FINDINGS_MAX findings in the objects reachable from `result` and not from `base`; "": from no commit.

    `present`: commits that the operator's repository has already; what they hold is not reported either.

    Raises:
        GitFailed: git refused, or an object is missing.
    """
    scan = _Scan(git, [base, *present] if base else [*present], result, redactor)
    try:
        return await asyncio.to_thread(scan.run)
    except asyncio.CancelledError:
        scan.stop()
        raise


def refusal(findings: list[Finding]) -> str:
    """The error of a run that is refused: up to NAMED_FINDINGS places, and the next step."""
    places = ", ".join(dict.fromkeys(finding.where for finding in findings[:NAMED_FINDINGS]))
    more = f" and {len(findings) - NAMED_FINDINGS} more" if len(findings) > NAMED_FINDINGS else ""
    return (
        f"the run would commit a stored secret: {places}{more}; no commit of it was taken over. "
        "Let the step read the value from its environment instead of writing it down, or set "
        "ELRUSO_COMMITTED_SECRETS=allow on the runner"
    )


class _Scan:
    """One scan, on a thread of its own."""

    def __init__(self, git: Git, present: Sequence[str], result: str, redactor: Redactor) -> None:
        self._git = git.with_variables(**_AS_IT_IS)
        self._base = present[0] if present else ""
        base, *others = [f"^{commit}" for commit in present] or [""]
        self._revisions = [result, *filter(None, [base]), "--ignore-missing", *others]  # a ref may be dangling
        self._redactor = redactor
        self._findings: dict[Finding, None] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = threading.Event()

    def run(self) -> list[Finding]:
        """Scan to the end, or until FINDINGS_MAX findings."""
        with tempfile.TemporaryFile() as listed:
            with self._reading("rev-list", "--objects", *self._revisions, "--") as output:
                while chunk := output.read(CHUNK_BYTES):
                    listed.write(chunk)
            listed.seek(0)
            header = "--batch=%(objectname) %(objecttype) %(objectsize) %(rest)"
            with self._reading("cat-file", "--buffer", header, stdin=listed) as output:
                for each in _objects(output):
                    self._look_at(each, output)
                    if self._stopped.is_set() or len(self._findings) >= FINDINGS_MAX:
                        break
        return list(self._findings)[:FINDINGS_MAX]

    def stop(self) -> None:
        """End the scan from another thread, by killing its git."""
        self._stopped.set()
        process = self._process
        if process is not None:
            process.kill()

    # ------------------------------------------------------------------ objects

    def _look_at(self, each: _Object, output: IO[bytes]) -> None:
        match each.type:
            case "blob":
                self._look_at_path(each)
                found = _search(self._redactor, _content(output, each.size))
                if found and found - self._found_in_base(each):
                    self._add("content", self._path(each.path))
            case "tree":
                self._look_at_path(each)
                self._look_at_tree(each, output)
            case kind:  # a commit or an annotated tag: headers with names and signatures, and the message
                found = _search(self._redactor, _content(output, each.size))
                if found and found - self._found_in_base_commit():
                    self._add("tag" if kind == "tag" else "commit", f"{kind} message of {each.id}")

    def _look_at_path(self, each: _Object) -> None:
        """Search the whole path: a value that contains a slash is in no single name."""
        if each.path and _found(self._redactor, each.path) and not self._is_in_base(each.path):
            self._add("name", self._path(each.path))

    def _look_at_tree(self, each: _Object, output: IO[bytes]) -> None:
        """Search the names in a tree: rev-list does not list the blob of a renamed file, which is in the base."""
        known: frozenset[str] | None = None
        for names in _tree_names(_content(output, each.size), len(each.id) // 2):
            if not _found(self._redactor, NAME_SEPARATOR.join(names)):
                continue
            if known is None:
                known = self._found_in_base(each)
            for name in names:
                if _search(self._redactor, [name]) - known:
                    self._add("name", self._path(each.path + b"/" + name if each.path else name))

    def _add(self, kind: Literal["content", "name", "commit", "tag"], where: str) -> None:
        self._findings[Finding(kind, where)] = None

    def _path(self, path: bytes) -> str:
        return self._redactor.redact(path.decode(errors="replace"))

    # ------------------------------------------------------------------ the base

    def _is_in_base(self, path: bytes) -> bool:
        return bool(self._base) and self._succeeds("cat-file", "-e", f"{self._base}:{os.fsdecode(path)}")

    def _found_in_base(self, each: _Object) -> frozenset[str]:
        """The values that the object at the same path of `base` holds."""
        if not self._base:
            return frozenset()
        name = f"{self._base}:{os.fsdecode(each.path)}"
        if not self._succeeds("cat-file", "-e", name):
            return frozenset()
        with self._reading("cat-file", each.type, name) as output:
            if each.type == "tree":
                names = (NAME_SEPARATOR.join(names) for names in _tree_names(_chunks(output), len(each.id) // 2))
                return frozenset[str]().union(*(_search(self._redactor, [joined]) for joined in names))
            return _search(self._redactor, _chunks(output))

    def _found_in_base_commit(self) -> frozenset[str]:
        """The values that the commit itself holds: the operator's own address, say, with which steps commit, too."""
        if not self._base:
            return frozenset()
        with self._reading("cat-file", "commit", self._base) as output:
            return _search(self._redactor, _chunks(output))

    # ------------------------------------------------------------------ git

    def _succeeds(self, *arguments: str) -> bool:
        try:
            with self._reading(*arguments) as output:
                output.read()
        except GitFailed:
            return False
        return True

    @contextmanager
    def _reading(self, *arguments: str, stdin: IO[bytes] | None = None) -> Iterator[IO[bytes]]:
        """git's output as a pipe; git is killed if the block leaves it unread."""
        with tempfile.TemporaryFile() as stderr, self._git.open(*arguments, stdin=stdin, stderr=stderr) as process:
            outer, self._process = self._process, process
            assert process.stdout is not None
            try:
                if self._stopped.is_set():
                    process.kill()
                yield process.stdout
                ended = not process.stdout.read(1)
            except BaseException:
                process.kill()
                raise
            finally:
                self._process = outer
            if not ended:  # the caller has found enough
                process.kill()
            elif process.wait():
                stderr.seek(0)
                detail = stderr.read(4096).decode(errors="replace").strip()
                raise GitFailed(f"git {arguments[0]}: {detail or f'exit code {process.returncode}'}")


def _objects(output: IO[bytes]) -> Iterator[_Object]:
    """The headers of `git cat-file --batch`. The caller reads each object's content before it asks for the next."""
    while header := output.readline(LINE_BYTES):
        if header == b"\n":  # follows the previous content
            continue
        words = header.rstrip(b"\n").split(b" ", 3)
        if len(words) < 3 or not words[2].isdigit():
            raise GitFailed(f"git cat-file: {header.decode(errors='replace').strip()}")
        yield _Object(words[0].decode(), words[1].decode(), int(words[2]), words[3] if len(words) > 3 else b"")


def _content(output: IO[bytes], size: int) -> Iterator[bytes]:
    while size:
        chunk = output.read(min(size, CHUNK_BYTES))
        if not chunk:
            raise GitFailed("git cat-file: ended in the middle of an object")
        size -= len(chunk)
        yield chunk


def _chunks(output: IO[bytes]) -> Iterator[bytes]:
    while chunk := output.read(CHUNK_BYTES):
        yield chunk


def _tree_names(chunks: Iterable[bytes], id_bytes: int) -> Iterator[list[bytes]]:
    """The names in a tree, a list per chunk. Entries are `mode SP name NUL id`."""
    entry = re.compile(rb"[0-7]{1,6} ([^\0]+)\0.{%d}" % id_bytes, re.DOTALL)
    rest = b""
    for chunk in chunks:
        rest += chunk
        names, end = [], 0
        while match := entry.match(rest, end):
            names.append(match[1])
            end = match.end()
        rest = rest[end:]
        yield names


def _search(redactor: Redactor, chunks: Iterable[bytes]) -> frozenset[str]:
    """The known values in a stream of bytes. Reads it to its end."""
    search: SecretSearch = redactor.search()
    for chunk in chunks:
        search.feed(chunk)
    return search.finish()


def _found(redactor: Redactor, data: bytes) -> bool:
    return bool(_search(redactor, [data]))
