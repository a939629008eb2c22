"""A working copy is handed on to the next run only if it is as a fresh checkout would be."""

import subprocess
from pathlib import Path

import pytest

from tests.runner.test_workspace import change, workspaces


async def test_what_a_step_mounted_is_not_removed(tmp_path: Path, repository: Path) -> None:
    """A bind mount that a step forgot shows somebody's files; they go neither with the run's nor to the next run."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "file").write_text("theirs")
    places = workspaces(tmp_path, repository)
    await change(places, f"mkdir data; mount --bind {theirs} data || true; echo x > data/new")
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines() if "/data " in line]
    mounted = [point for point in mounted if point.startswith(str(tmp_path))]
    try:
        if not mounted:
            pytest.skip("mounting needs privileges")
        await places.recover()
        assert sorted(path.name for path in theirs.iterdir()) == ["file", "new"]
        async with places.open("T2", 8) as workspace:
            assert sorted(path.name for path in workspace.directory.iterdir()) == [".git", "README.md", "src"]
    finally:
        for point in mounted:
            subprocess.run(["umount", "-l", point], check=True)
        await places.close()
