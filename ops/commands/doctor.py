"""`elruso doctor`: looks at settings, database and workspace, and says what to mend."""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator

import click
import msgspec

from events.errors import Unavailable
from ops.config import Config, unknown_settings
from ops.database import running_database
from ops.definitions import read_definitions
from ops.errors import OperatorError
from ops.memory import REQUESTS, memory_file
from ops.migrate import read_schema, state_of
from ops.settings import without_password
from ops.terminal import Terminal, command
from ops.vault.keyring import Keyring
from projections import horizon
from runner.linux import IS_LINUX


class Finding(msgspec.Struct, frozen=True):
    """One thing looked at: whether it is well, and a message that says what was found and what to do."""

    well: bool
    key: str
    facts: dict[str, object] = {}


@command("doctor", help="help.doctor")
@click.pass_obj
def doctor(terminal: Terminal) -> None:
    """Look at everything; exit status 1 if anything needs mending. Starts nothing and changes nothing."""
    findings = asyncio.run(_examine(terminal.config))
    for finding in findings:
        terminal.show(f"{'✓' if finding.well else '✗'} {terminal.text(finding.key, **finding.facts)}")
    if not all(finding.well for finding in findings):
        raise SystemExit(1)
    terminal.show(terminal.text("doctor.well"))


async def _examine(config: Config) -> list[Finding]:
    looks = (_look_at_settings, _look_at_workspace, _look_at_vault, _look_at_steps, _look_at_database)
    return [finding for look in looks async for finding in look(config)]


async def _look_at_settings(_config: Config) -> AsyncIterator[Finding]:
    strange = unknown_settings()
    for name, meant in strange.items():
        key = "doctor.misspelt_setting" if meant else "doctor.unknown_setting"
        yield Finding(False, key, {"name": name, "meant": meant})
    if not strange:
        yield Finding(True, "doctor.settings")


async def _look_at_workspace(config: Config) -> AsyncIterator[Finding]:
    if shutil.which("git") is None:
        yield Finding(False, "doctor.no_git")
    if config.workspace and not config.workspace.is_dir():
        yield Finding(False, "doctor.no_workspace", {"folder": config.workspace})


async def _look_at_vault(config: Config) -> AsyncIterator[Finding]:
    try:
        entries = Keyring.of(config).vault.read().entries
        defined = [name for each in read_definitions(memory_file(config.workspace, REQUESTS)) for name in each.scopes]
    except OperatorError as error:
        yield Finding(False, error.key, error.facts)
        return
    missing = sorted({name for name in defined if name not in entries})
    yield Finding(True, "doctor.vault", {"number": len(entries)})
    if missing:
        yield Finding(True, "doctor.vault_missing", {"names": ", ".join(missing)})


async def _look_at_steps(_config: Config) -> AsyncIterator[Finding]:
    """What holds the steps of a task on this system (docs/adr/0018 and 0019)."""
    as_root = "doctor.steps_as_root" if os.geteuid() == 0 else "doctor.steps_held"
    yield Finding(True, as_root if IS_LINUX else "doctor.steps_in_groups")


async def _look_at_database(config: Config) -> AsyncIterator[Finding]:
    database = running_database(config, "elruso-doctor")
    if database is None:
        yield Finding(True, "doctor.server_stopped")
        return
    try:
        connection = await database.connect()
    except Unavailable as error:
        yield Finding(False, "doctor.unreachable", {"detail": error.detail})
        return
    try:
        version = await connection.fetchval("SHOW server_version")
        yield Finding(True, "doctor.server", {"version": version, "address": without_password(database.url)})
        state = await state_of(connection, read_schema())
        yield Finding(state == "current", f"doctor.schema_{state}")
        for holder in await horizon.list_holders(connection, horizon.FORGOTTEN_SECONDS):
            facts = {"name": holder.name, "minutes": round(holder.seconds / 60), "remedy": holder.remedy}
            yield Finding(False, "doctor.holder", facts)
    finally:
        await connection.close()
    if database.direct_url is None:
        yield Finding(False, "doctor.no_listener")
