"""`elruso bench` as its users meet it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from ops.postgres.server import Server
from tests.bench.machine import ROOT


def elruso(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """Run one command to its end."""
    own = {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-m", "ops", *words]
    return subprocess.run(command, env=own, cwd=home, capture_output=True, text=True, timeout=110)


def test_given_server_is_used(postgres: Server, tmp_path: Path) -> None:
    """With --database nothing is made under HOME; stdout is one JSON document, and no database is left behind."""
    database = postgres.url("postgres")
    measured = elruso(tmp_path, "bench", "lifecycle", "--json", "--runs", "1", "--tasks", "30", "--database", database)
    assert 0 == measured.returncode, measured.stderr
    document = json.loads(measured.stdout)
    assert not document["postgres"]["own"]
    assert postgres.password not in measured.stdout
    [lifecycle] = document["benchmarks"]
    assert lifecycle["well"]
    assert ["1 runner", "2 runners"] == [row["what"] for row in lifecycle["rows"]]
    assert [] == list(tmp_path.iterdir())


def test_unknown_benchmark_is_refused(tmp_path: Path) -> None:
    """A name that is none ends with 1 and the names that there are, before anything is started."""
    refused = elruso(tmp_path, "bench", "speed")
    assert 1 == refused.returncode
    assert "lifecycle, wakeup" in refused.stderr
    assert [] == list(tmp_path.iterdir())


def test_log_of_a_given_server_cannot_be_read(tmp_path: Path) -> None:
    """`idle` on a given server is refused with the reason."""
    refused = elruso(tmp_path, "bench", "idle", "--database", "postgresql://me@127.0.0.1:1/db")
    assert 1 == refused.returncode
    assert "server of our own" in refused.stderr


def test_load_generator_is_asked_for(tmp_path: Path) -> None:
    """Without wrk `api` is refused, and says how to get it."""
    own = {"HOME": str(tmp_path), "PATH": str(tmp_path), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-P", "-m", "ops", "bench", "api"]
    refused = subprocess.run(command, env=own, cwd=tmp_path, capture_output=True, text=True, timeout=110)
    assert 1 == refused.returncode
    assert "apt-get install wrk" in refused.stderr
