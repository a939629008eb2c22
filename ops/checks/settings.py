"""Variables that look like settings and are none."""

from collections.abc import AsyncIterator

from ops.checks.finding import Finding
from ops.config import Config, libpq_variables, unknown_settings


async def check_settings(config: Config) -> AsyncIterator[Finding]:
    """A fault for each unknown variable, with the setting that it may have meant; what has a say in DATABASE_URL."""
    strange = unknown_settings()
    for name, meant in strange.items():
        yield Finding(
            "fault", "doctor.misspelt_setting" if meant else "doctor.unknown_setting", {"name": name, "meant": meant}
        )
    if not strange:
        yield Finding("fine", "doctor.settings")
    if config.database_url and (names := libpq_variables()):
        yield Finding("note", "doctor.libpq_variables", {"names": ", ".join(names)})
