"""./elruso installs once, quietly, safely, and says what is missing.

The installer on the PATH is a stand-in that makes a folder and a script that prints; the real installation is what
every run of `./elruso test` begins with.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Makes a virtual environment whose python prints its arguments, and notes each installation.
UV = """#!/bin/sh
case $1 in
    venv)
        for venv; do :; done
        mkdir -p "$venv/bin"
        touch "$venv/pyvenv.cfg"
        {
            echo '#!/bin/sh'
            echo 'case "$*" in *version_info* | *xdist*) exit 0 ;; esac'
            echo 'echo "ran $*"'
        } >"$venv/bin/python"
        chmod +x "$venv/bin/python" ;;
    pip) echo installed "$@" >>"$UV_NOTES" ;;
esac
"""


class Checkout:
    """A copy of the script with what it reads, on a path with spaces, and a PATH of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a checkout"
        self.tools = folder / "tools"
        self.notes = folder / "notes"
        self.root.mkdir()
        self.tools.mkdir()
        for name in ("elruso", "pyproject.toml", "constraints.txt"):
            shutil.copy(ROOT / name, self.root / name)
        for name in ("sh", "cat", "cksum", "dirname", "mkdir", "rm", "ls", "tail", "touch", "chmod", "readlink"):
            self.provide(name, shutil.which(name))

    def provide(self, name: str, program: str | None) -> None:
        """Put a program on the PATH under that name."""
        assert program is not None
        (self.tools / name).symlink_to(program)

    def provide_script(self, name: str, text: str) -> None:
        """Put a script on the PATH under that name."""
        (self.tools / name).write_text(text)
        (self.tools / name).chmod(0o755)

    def start(self, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
        """Start ./elruso."""
        return subprocess.Popen(
            ["sh", str(self.root / "elruso"), *arguments],
            env={"PATH": str(self.tools), "UV_NOTES": str(self.notes)} | environment,
            cwd=self.tools,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """Run ./elruso to its end: status, stdout, stderr."""
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    def installations(self) -> int:
        """How often something was installed."""
        return len(self.notes.read_text().splitlines()) if self.notes.exists() else 0


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """A checkout on a machine with Python and uv."""
    made = Checkout(tmp_path)
    made.provide("python3", sys.executable)
    made.provide_script("uv", UV)
    return made


def test_first_start_installs_and_runs_the_command(checkout: Checkout) -> None:
    """The first start installs, says so on stderr, and hands all arguments over untouched."""
    status, out, err = checkout.run("task", "add", "two words")
    assert (0, "ran -P -m ops task add two words\n") == (status, out)
    assert "installing into" in err
    assert 1 == checkout.installations()


def test_later_starts_are_quiet(checkout: Checkout) -> None:
    """Once installed, a start installs nothing and says nothing of its own."""
    checkout.run("up")
    assert (0, "ran -P -m ops up\n", "") == checkout.run("up")
    assert 1 == checkout.installations()


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_changed_pins_install_again(checkout: Checkout, name: str) -> None:
    """A change of what is to be installed installs again, once."""
    checkout.run("up")
    with (checkout.root / name).open("a") as file:
        file.write("# changed\n")
    checkout.run("up")
    checkout.run("up")
    assert 2 == checkout.installations()


def test_moved_checkout_installs_again(checkout: Checkout) -> None:
    """A checkout that was moved is installed again: the environment points to its old place."""
    checkout.run("up")
    checkout.root = checkout.root.rename(checkout.root.with_name("elsewhere"))
    checkout.run("up")
    assert 2 == checkout.installations()


def test_ten_at_once_install_once(checkout: Checkout) -> None:
    """Ten starts at the same time install once, and all run."""
    starts = [checkout.start("up") for _ in range(10)]
    outcomes = [(start.communicate(timeout=60)[0], start.returncode) for start in starts]
    assert [("ran -P -m ops up\n", 0)] * 10 == outcomes
    assert 1 == checkout.installations()


def test_tests_need_the_test_tools_too(checkout: Checkout) -> None:
    """`test` installs the test tools, runs pytest on two workers, and serves as the ordinary installation."""
    status, out, _err = checkout.run("test", "-k", "two words")
    assert (0, "ran -P -m pytest -n 3 --dist loadfile -k two words\n") == (status, out)
    assert ".[test]" in checkout.notes.read_text()
    checkout.run("up")
    assert 1 == checkout.installations()


def test_environment_may_be_elsewhere(checkout: Checkout, tmp_path: Path) -> None:
    """ELRUSO_VENV chooses where to install."""
    checkout.run("up", ELRUSO_VENV=str(tmp_path / "mine"))
    assert (tmp_path / "mine" / "pyvenv.cfg").exists()
    assert not (checkout.root / ".venv").exists()


def test_other_folders_are_not_deleted(checkout: Checkout, tmp_path: Path) -> None:
    """A folder that is no virtual environment is refused, never replaced."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "letter").touch()
    status, _out, err = checkout.run("up", ELRUSO_VENV=str(tmp_path / "precious"))
    assert 1 == status
    assert "is no virtual environment" in err
    assert (tmp_path / "precious" / "letter").exists()


def test_broken_environment_is_made_anew(checkout: Checkout) -> None:
    """An environment whose python is gone, as after an upgrade of the system, is replaced."""
    checkout.run("up")
    (checkout.root / ".venv" / "bin" / "python").unlink()
    assert (0, "ran -P -m ops up\n") == checkout.run("up")[:2]


def test_machine_without_python_is_told(tmp_path: Path) -> None:
    """Without Python 3.11 and without uv, the script says what is needed, in the operator's language."""
    bare = Checkout(tmp_path)
    bare.provide_script("python3", "#!/bin/sh\nexit 1\n")
    status, _out, err = bare.run("up")
    assert (1, "elruso: Python 3.11 or newer is needed and is not on the PATH.\n") == (status, err)
    assert "hace falta Python 3.11" in bare.run("up", LANG="es_AR.UTF-8")[2]


def test_script_may_be_linked(checkout: Checkout, tmp_path: Path) -> None:
    """Called through a link from another folder, the script finds its checkout."""
    link = tmp_path / "elruso"
    link.symlink_to(os.path.relpath(checkout.root / "elruso", tmp_path))
    environment = {"PATH": str(checkout.tools), "UV_NOTES": str(checkout.notes)}
    outcome = subprocess.run(["sh", str(link), "up"], env=environment, capture_output=True, text=True)
    assert "ran -P -m ops up\n" == outcome.stdout
    assert (checkout.root / ".venv").exists()
