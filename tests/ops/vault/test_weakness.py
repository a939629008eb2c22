"""Values that would not be hidden, or that would hide everything else."""

import subprocess
from pathlib import Path

import pytest

from ops.vault.weakness import is_everyday, weakness_of


def track(folder: Path, name: str) -> None:
    """Make a folder a repository that knows one file."""
    for line in (["git", "init", "-q"], ["git", "add", name]):
        subprocess.run(line, cwd=folder, check=True)


@pytest.mark.parametrize(
    "value",
    ["production", "PASSWORD", "Password", "password1!", "contraseña", "postgres", "1234567", "000000", "abababab"],
)
def test_everyday_values(value: str) -> None:
    """Words, short numbers, the same characters again and again."""
    assert is_everyday(value)


@pytest.mark.parametrize(
    "value", ["kT9-vQ2xW7", "hunter2hunter2", "48151623420815", "correcthorsebatterystaple", "aBcDeFgHiJ", "p4ssw0rd-x"]
)
def test_other_values(value: str) -> None:
    """Anything that nobody writes by chance."""
    assert not is_everyday(value)


async def test_a_value_in_the_projects_files_is_weak(tmp_path: Path) -> None:
    """The file is named; files that git does not know are no part of the project."""
    (tmp_path / "compose.yml").write_text("password: 'not-so-secret/99'\n")
    (tmp_path / ".env").write_text("KEY=kT9-vQ2xW7\n")
    track(tmp_path, "compose.yml")
    weak = await weakness_of("DB", "not-so-secret/99", tmp_path)
    assert weak is not None
    assert ("DB", "in_project", {"file": "compose.yml"}) == (weak.name, weak.reason, weak.facts)
    assert "not-so-secret" not in weak.detail
    assert await weakness_of("KEY", "kT9-vQ2xW7", tmp_path) is None
    assert await weakness_of("KEY", "not-so-secret/99", tmp_path / "nowhere") is None


async def test_a_value_that_is_too_short_is_weak() -> None:
    """It is not looked for."""
    weak = await weakness_of("PIN", " 1234 ")
    assert weak is not None
    assert "fewer than 6" in weak.detail
