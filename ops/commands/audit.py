"""`elruso audit`: do the views say what the log says?"""

import asyncio

import click
import msgspec

from ops.database import use_database
from ops.terminal import Terminal, command, option
from projections.audit import AuditReport, audit


@command("audit", help="help.audit")
@option("--json", "as_json", is_flag=True, help="help.json")
@click.pass_obj
def audit_command(terminal: Terminal, as_json: bool) -> None:
    """Fold the log in Python, compare every row of every view, check what must hold between streams."""
    with (
        use_database(terminal.config, terminal.say, "elruso-audit") as database,
        terminal.progress("audit.reading") as show,
    ):
        report = asyncio.run(audit(database.connect, show))
    if as_json:
        terminal.show_document(msgspec.json.format(msgspec.json.encode(report), indent=2).decode())
    else:
        _tell(terminal, report)
    if not report.sound:
        raise SystemExit(1)


def _tell(terminal: Terminal, report: AuditReport) -> None:
    for name, rows in report.rows.items():
        terminal.show(f"  {name:<14} {rows:>12,}")
    for found in report.differences:
        where = f"{found.view}[{found.key}]{f'.{found.column}' if found.column else ''}"
        terminal.show(terminal.text("audit.difference", where=where, log=found.log_says, view=found.view_says))
    for violation in report.violations:
        terminal.show(terminal.text(f"audit.{violation.code}", id=violation.id, other=violation.other))
    if report.violating:
        terminal.show(terminal.text("audit.violated", violating=report.violating))
    key = "audit.identical" if report.identical else "audit.differs"
    facts = {"events": report.events, "rows": report.compared, "differing": report.differing, "seconds": report.seconds}
    terminal.show(terminal.text(key, **facts))
