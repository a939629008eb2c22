"""Variables that look like settings and are none."""

from collections.abc import AsyncIterator

from ops.checks.finding import Finding
from ops.config import Config, unknown_settings


async def check_settings(_config: Config) -> AsyncIterator[Finding]:
    """A fault for each unknown variable, with the setting that it may have meant."""
    strange = unknown_settings()
    for name, meant in strange.items():
        yield Finding(
            "fault", "doctor.misspelt_setting" if meant else "doctor.unknown_setting", {"name": name, "meant": meant}
        )
    if not strange:
        yield Finding("fine", "doctor.settings")
