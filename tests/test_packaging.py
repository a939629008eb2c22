"""The five package names are ours wherever El Ruso is installed, and a wheel holds all it needs."""

import importlib.metadata
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support.tidiness import PACKAGES

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def unpacked_wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The contents of the wheel built from this checkout."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "unpacked")
    return folder / "unpacked"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_distribution_brings_our_names(package: str) -> None:
    """No installed distribution other than El Ruso ships a package of ours."""
    owners = importlib.metadata.packages_distributions().get(package, [])
    assert {"elruso"} >= set(owners)


@pytest.mark.skipif(
    not any(found.name == "elruso" for found in importlib.metadata.distributions()),
    reason="El Ruso is not installed in this environment; ./elruso test installs it",
)
def test_names_lead_here_from_anywhere(tmp_path: Path) -> None:
    """From another folder, without this one on the path, the five names are this checkout's."""
    names = ", ".join(PACKAGES)
    script = f"import {names}; print(*[package.__file__ for package in ({names})], sep='\\n')"
    command = [sys.executable, "-P", "-c", script]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert [str(ROOT / package / "__init__.py") for package in PACKAGES] == printed.split("\n")[:-1]


def test_wheel_has_every_file_of_the_packages(unpacked_wheel: Path) -> None:
    """Python, SQL, templates and all: what a package's folder holds is in the wheel, and schema.sql too."""
    sources = {
        path.relative_to(ROOT)
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    packed = {path.relative_to(unpacked_wheel) for path in unpacked_wheel.rglob("*") if path.is_file()}
    assert set() == sources - packed
    assert Path("ops/schema.sql") in packed


def test_wheel_has_nothing_else(unpacked_wheel: Path) -> None:
    """Tests and documents stay in the checkout."""
    folders = {path.name for path in unpacked_wheel.iterdir() if not path.name.endswith(".dist-info")}
    assert set(PACKAGES) == folders


def test_schema_is_found_in_the_wheel(unpacked_wheel: Path, tmp_path: Path) -> None:
    """Installed from a wheel, the program finds the schema inside its package."""
    script = "from ops.migrate import schema_sql; print(schema_sql(), end='')"
    command = [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(unpacked_wheel)!r}); {script}"]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert (ROOT / "schema.sql").read_text() == printed
