"""A program called `git` that numbers every call and can hold one of them, before or after git has done its work."""

import os
import shlex
import shutil
from pathlib import Path
from typing import Literal

from msgspec import Struct

When = Literal["before", "after"]

# Creating `calls/N` is atomic (noclobber), so that parallel calls get different numbers; nothing is forked for it.
_SCRIPT = """#!/bin/sh
number=1
set -C
until true 2>/dev/null >{calls}/$number; do number=$((number + 1)); done
set +C
printf '%s\\n' "$$" "$*" >{calls}/$number
wanted= when=
read -r wanted when 2>/dev/null <{armed}
[ "$wanted" = "$number" ] || exec {git} "$@"
hold() {{
    echo "$$" >{held}
    until [ -e {verdict} ]; do sleep 0.02; done
    read -r verdict <{verdict}
}}
if [ "$when" = before ]; then
    hold
    [ "$verdict" = pass ] || exit 137
    exec {git} "$@"
fi
{git} "$@"
status=$?
hold
[ "$verdict" = pass ] || exit 137
exit $status
"""


class Call(Struct, frozen=True):
    """One call of git: its number since `reset`, its process, its arguments without the settings before the verb."""

    number: int
    pid: int
    arguments: str


class GitWrapper:
    """The wrapper in `folder`. Put `path` first on the PATH of the process whose calls are to be counted."""

    def __init__(self, folder: Path) -> None:
        real = shutil.which("git")
        assert real is not None
        self._folder = folder
        self._calls = folder / "calls"
        self._armed, self._held, self._verdict = folder / "armed", folder / "held", folder / "verdict"
        program = folder / "bin" / "git"
        program.parent.mkdir(parents=True)
        self._calls.mkdir()
        places = {"calls": self._calls, "armed": self._armed, "held": self._held, "verdict": self._verdict, "git": real}
        program.write_text(_SCRIPT.format(**{name: shlex.quote(str(place)) for name, place in places.items()}))
        program.chmod(0o755)

    @property
    def path(self) -> str:
        """This process's PATH with the wrapper first."""
        return f"{self._folder / 'bin'}{os.pathsep}{os.environ['PATH']}"

    def arm(self, number: int, when: When) -> None:
        """Hold the call of that number, counted from now, until `release`."""
        self.reset()
        draft = self._folder / "draft"
        draft.write_text(f"{number} {when}\n")
        draft.replace(self._armed)

    def reset(self) -> None:
        """Count from 1 again, and hold nothing."""
        for file in (self._armed, self._held, self._verdict):
            file.unlink(missing_ok=True)
        for file in self._calls.iterdir():
            file.unlink(missing_ok=True)

    @property
    def is_holding(self) -> bool:
        """True once the armed call is held."""
        return self._held.exists()

    @property
    def held_pid(self) -> int:
        """The process that is held."""
        return int(self._held.read_text())

    def release(self, passed: bool = True) -> None:
        """Let the held call go on; not `passed`: it exits at once, as if it had been killed."""
        draft = self._folder / "draft"
        draft.write_text("pass\n" if passed else "abort\n")
        draft.replace(self._verdict)

    def calls(self) -> list[Call]:
        """Every call since the last `reset`, in order."""
        numbers = sorted(int(file.name) for file in self._calls.iterdir())
        return [self._call(number) for number in numbers]

    def _call(self, number: int) -> Call:
        pid, _, arguments = (self._calls / str(number)).read_text().partition("\n")
        return Call(number, int(pid or 0), _without_settings(arguments.strip()))


def _without_settings(arguments: str) -> str:
    """`-c name=value` before the verb is the same for every call."""
    words = arguments.split(" ")
    while words[:1] == ["-c"]:
        words = words[2:]
    return " ".join(words)
