"""What it costs to look for secrets: per megabyte of a step's output, and per megabyte of a run's commits.

The baseline of the output is the redactor of eca167c, taken from the history of the repository: it knew fewer forms.
The baseline of the commits is git, which writes the same objects out for nobody.
"""

import asyncio
import os
import secrets
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runner.commit_scan import scan_commits
from runner.git import Git
from runner.redact import Redactor
from tests.bench.machine import ROOT
from tests.bench.measure import Row, by_turns
from tests.bench.plan import Plan
from tests.bench.report import Result
from tests.bench.server import Bench

BEFORE = "eca167c:runner/redact.py"
VALUES = (0, 5, 50)
PIECE = 65_536  # what a pipe holds
LINES = {
    "log": "2026-11-30 12:00:00 INFO compiled src/module/file.py in 3 ms\n",
    "JSON and colours": '{"level":"info","msg":"GET /items?id=3%20x","path":"C:\\\\x\\u00e9"}\n'
    "\x1b[32mPASSED\x1b[0m tests/test_a.py\n",
}


async def run(bench: Bench, plan: Plan) -> Result:
    """Milliseconds for each megabyte, by turns: of processor time for output, of the clock for commits."""
    before = await asyncio.to_thread(_redactor_of_before)
    megabytes = plan.sizes.redacted_megabytes
    rows = []
    for name, line in LINES.items():
        text = (line * (megabytes * 1_000_000 // len(line) + 1))[: megabytes * 1_000_000]
        for count in VALUES:
            plan.voice.say(f"redaction: {name}, {count} values")
            rows.append(await _output_row(f"{name}, {count} values known", text, count, before, plan.runs))
    plan.voice.say("redaction: commits")
    rows.append(await _commit_row(megabytes, plan.runs))
    title = "looking for secrets in a step's output and in a run's commits"
    return Result("redaction", title, "the redactor of eca167c; git cat-file", rows, {}, {"megabytes": megabytes})


async def _output_row(what: str, text: str, count: int, before: Callable[[list[str]], Any] | None, runs: int) -> Row:
    values = [secrets.token_urlsafe(30) for _ in range(count)]
    sides: dict[str, Any] = {"ours": Redactor(values)}
    if before is not None:
        sides["baseline"] = before(values)

    async def measured(redactor: Any) -> float:
        return await asyncio.to_thread(_milliseconds_per_megabyte, redactor, text)

    samples = await by_turns(runs, {side: _bound(measured, redactor) for side, redactor in sides.items()})
    return Row(what, "ms/MB", samples["ours"], samples.get("baseline", []), "lower")


def _milliseconds_per_megabyte(redactor: Any, text: str) -> float:
    begun = time.thread_time()
    stream = redactor.stream()
    for start in range(0, len(text), PIECE):
        stream.feed(text[start : start + PIECE])
    stream.finish()
    return (time.thread_time() - begun) * 1e9 / len(text)


async def _commit_row(megabytes: int, runs: int) -> Row:
    with tempfile.TemporaryDirectory(prefix="elruso-") as folder:
        base, result = await asyncio.to_thread(_repository, Path(folder), megabytes)
        git, redactor = Git(Path(folder), os.environ), Redactor([secrets.token_urlsafe(30) for _ in range(5)])

        async def ours() -> float:
            begun = time.perf_counter()
            assert await scan_commits(git, base, result, redactor) == []
            return (time.perf_counter() - begun) * 1000 / megabytes

        async def baseline() -> float:
            begun = time.perf_counter()
            script = (
                f"git rev-list --objects {result} ^{base} | cut -d' ' -f1 | git cat-file --batch --buffer > /dev/null"
            )
            await asyncio.to_thread(subprocess.run, ["/bin/sh", "-ec", script], cwd=folder, check=True)
            return (time.perf_counter() - begun) * 1000 / megabytes

        samples = await by_turns(runs, {"ours": ours, "baseline": baseline})
    return Row("commits, 5 values known", "ms/MB", samples["ours"], samples["baseline"], "lower")


def _repository(folder: Path, megabytes: int) -> tuple[str, str]:
    """Files of 100 kB in one commit; its parent and itself."""

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "gc.auto=0")
        done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, check=True, text=True)
        return done.stdout.strip()

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "base")
    base = git("rev-parse", "HEAD")
    for number in range(megabytes * 10):
        (folder / f"f{number}").write_text(f"{number} {LINES['log']}" * 1600)
    git("add", "-A")
    git("commit", "-q", "-m", "result")
    return base, git("rev-parse", "HEAD")


def _bound(measured: Callable[[Any], Any], redactor: Any) -> Callable[[], Any]:
    return lambda: measured(redactor)


def _redactor_of_before() -> Callable[[list[str]], Any] | None:
    """The class as it was; None where the history does not reach so far."""
    shown = subprocess.run(["git", "show", BEFORE], cwd=ROOT, capture_output=True, text=True)
    if shown.returncode:
        return None
    module = types.ModuleType("redact_before")
    sys.modules[module.__name__] = module
    exec(compile(shown.stdout, BEFORE, "exec"), module.__dict__)  # our own source, as it was committed
    redactor: Callable[[list[str]], Any] = module.__dict__["Redactor"]
    return redactor
