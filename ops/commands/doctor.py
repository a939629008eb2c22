"""`elruso doctor`: examines settings, database and workspace, and says what to mend."""

import asyncio

import click

from ops.checks import CHECKS
from ops.checks.finding import Finding
from ops.config import Config
from ops.terminal import Terminal, command


@command("doctor", help="help.doctor")
@click.pass_obj
def doctor(terminal: Terminal) -> None:
    """Look at everything; exit status 1 if anything needs mending. Starts nothing and changes nothing."""
    findings = asyncio.run(_examine(terminal.config))
    for finding in findings:
        terminal.show(f"{finding.mark} {terminal.text(finding.key, **finding.facts)}")
    if any(finding.grade == "fault" for finding in findings):
        raise SystemExit(1)
    terminal.show(terminal.text("doctor.well"))


async def _examine(config: Config) -> list[Finding]:
    return [finding for check in CHECKS async for finding in check(config)]
