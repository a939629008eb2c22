"""The vault."""

from collections.abc import AsyncIterator

from ops.checks.finding import Finding
from ops.config import Config
from ops.definitions import read_definitions
from ops.errors import OperatorError
from ops.memory import REQUESTS, memory_file
from ops.vault.keyring import Keyring


async def check_vault(config: Config) -> AsyncIterator[Finding]:
    """Whether it opens, and which of the project's credentials have no value."""
    try:
        entries = Keyring.of(config).vault.read().entries
        defined = [name for each in read_definitions(memory_file(config.workspace, REQUESTS)) for name in each.scopes]
    except OperatorError as error:
        yield Finding("fault", error.key, error.facts)
        return
    yield Finding("fine", "doctor.vault", {"number": len(entries)})
    missing = sorted({name for name in defined if name not in entries})
    if missing:
        yield Finding("note", "doctor.vault_missing", {"names": ", ".join(missing)})
