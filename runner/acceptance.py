"""What must hold after the work is done: files that exist, checks that exit 0."""

from pathlib import Path

from events.paths import parts_inside
from events.task import Acceptance, Step
from runner.run import Run, RunFailed
from runner.step import run_step


def validate(acceptance: Acceptance) -> None:
    """Refuse, before any work is done, what could never be accepted.

    Raises:
        InvalidInput: an expected file lies outside the workspace.
    """
    for path in acceptance.expected_files:
        parts_inside(path, "acceptance.expected_files")


async def accept(acceptance: Acceptance, run: Run, directory: Path) -> None:
    """Look for every expected file, then run every check as a step of the run.

    Raises:
        RunFailed: a file is missing, or a check did not exit 0.
    """
    missing = [path for path in acceptance.expected_files if not exists_inside(directory, path)]
    if missing:
        raise RunFailed(f"expected files are missing: {', '.join(missing)}")
    for check in acceptance.checks:
        await run_step(run, Step(f"check: {check.name}", check.cmd, check.timeout_seconds), directory)


def exists_inside(directory: Path, path: str) -> bool:
    """True when `path` exists below `directory` and no symbolic link leads out of it."""
    found = directory.joinpath(*parts_inside(path, "acceptance.expected_files")).resolve()
    return found.is_relative_to(directory.resolve()) and found.exists()
