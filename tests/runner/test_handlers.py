"""The registry of python handlers."""

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


@pytest.mark.parametrize("module", ["no_such_module", "tests.runner.recording"])
def test_a_module_without_handlers_is_refused(module: str) -> None:
    """A module that is missing or holds no registry is a mistake on the command line."""
    with pytest.raises(InvalidInput, match="--handlers"):
        Handlers.load(module)
