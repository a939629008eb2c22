"""The registry of python handlers."""

import sys
from pathlib import Path

import pytest

from events.errors import InvalidInput
from runner.handlers import Handlers, Task


async def nothing(task: Task) -> None:
    """Do nothing."""


def test_a_blocking_function_is_refused() -> None:
    """A function that is not async would hold up every other run."""

    def blocking(task: Task) -> None:
        pass

    with pytest.raises(TypeError, match="must be an async function"):
        Handlers().task("x")(blocking)  # type: ignore[type-var]


def test_a_name_is_registered_once() -> None:
    """Two handlers of one name are a mistake."""
    handlers = Handlers()
    handlers.task("x")(nothing)
    with pytest.raises(ValueError, match="registered twice"):
        handlers.task("x")(nothing)


def test_the_handlers_of_a_module_are_loaded() -> None:
    """Every registry in the module counts."""
    loaded = Handlers.load("tests.runner.test_execute")
    assert "noop" in loaded.names


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("raise RuntimeError('not today')", r"RuntimeError: not today \(.*broken_jobs.py:1\)"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("def", "SyntaxError"),
        ("import no_such_module", "no_such_module"),
    ],
)
def test_a_module_that_cannot_be_imported_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, complaint: str
) -> None:
    """Whatever its import raises, the message names the module, the error and the line."""
    (tmp_path / "broken_jobs.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_jobs", raising=False)
    with pytest.raises(InvalidInput, match=f"--handlers broken_jobs: .*{complaint}"):
        Handlers.load("broken_jobs")


@pytest.mark.parametrize("module", ["no_such_module", "tests.runner.recording"])
def test_a_module_without_handlers_is_refused(module: str) -> None:
    """A module that is missing or holds no registry is a mistake on the command line."""
    with pytest.raises(InvalidInput, match="--handlers"):
        Handlers.load(module)
