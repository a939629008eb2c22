"""Acceptance: expected files in the commit, and checks that exit 0."""

from events.paths import parts_inside
from events.task import Acceptance, Step
from runner.run import Run, RunFailed
from runner.step import run_step
from runner.workspace import Workspace


def validate(acceptance: Acceptance) -> None:
    """Refuse, before any work is done, what could never be accepted.

    Raises:
        InvalidInput: an expected file lies outside the workspace.
    """
    for path in acceptance.expected_files:
        parts_inside(path, "acceptance.expected_files")


async def accept(acceptance: Acceptance, run: Run, workspace: Workspace) -> None:
    """Check that every expected file was recorded, then run every check as a step of the run.

    Raises:
        RunFailed: a file is missing, or a check did not exit 0.
    """
    answers = [await workspace.missing(path) for path in acceptance.expected_files]
    missing = [answer for answer in answers if answer is not None]
    if missing:
        raise RunFailed(f"expected files are missing: {', '.join(missing)}")
    if acceptance.checks:
        workspace.expect_changes()
    mode = run.shell_mode()
    for check in acceptance.checks:
        step = Step(f"check: {check.name}", check.cmd, check.timeout_seconds)
        await run_step(run, step, workspace.directory, mode=mode)
