"""The registry of python handlers: what a task of type `python` may call.

handlers = Handlers()

@handlers.task("thumbnail")
async def thumbnail(task: Task) -> dict[str, int]:
    ...
"""

import importlib
import inspect
import traceback
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from msgspec import Struct

from events.errors import InvalidInput
from runner.containment import describe

Function = Callable[["Task"], Awaitable[Any]]
AnyFunction = TypeVar("AnyFunction", bound=Function)


class Task(Struct, frozen=True):
    """What a handler is given. `directory` is None unless the run has a workspace; `secrets` are the values of the
    variables that params.secrets names."""

    id: str
    run_id: int
    attempt: int
    title: str
    body: str | None
    params: dict[str, Any]
    directory: Path | None = None
    secrets: Mapping[str, str] = {}


class Handler(Struct, frozen=True):
    """A registered function. `workspace`: each of its runs gets one."""

    name: str
    function: Function
    workspace: bool = False


class Handlers:
    """Handlers by name."""

    def __init__(self) -> None:
        self._by_name: dict[str, Handler] = {}

    def task(self, name: str, *, workspace: bool = False) -> Callable[[AnyFunction], AnyFunction]:
        """Register an async function under `name`. What it returns, a JSON value or None, is the task's result.

        Raises:
            TypeError: the function is not async: it would block every other run.
            ValueError: the name is taken.
        """

        def register(function: AnyFunction) -> AnyFunction:
            is_async: bool = inspect.iscoroutinefunction(function)
            if not is_async:
                raise TypeError(f"handler {name!r} must be an async function")
            if name in self._by_name:
                raise ValueError(f"handler {name!r} is registered twice")
            self._by_name[name] = Handler(name, function, workspace)
            return function

        return register

    def find(self, name: str) -> Handler | None:
        """The handler of that name, if there is one."""
        return self._by_name.get(name)

    @property
    def names(self) -> list[str]:
        """All names, in order."""
        return sorted(self._by_name)

    @classmethod
    def load(cls, module_name: str) -> Self:
        """All handlers of the registries in a module, for `--handlers`.

        Raises:
            InvalidInput: there is no such module, it cannot be imported, or it has no registry with a handler in it.
        """
        try:
            module = importlib.import_module(module_name)
        except ModuleNotFoundError as problem:
            raise InvalidInput(f"--handlers {module_name}: {problem}") from problem
        except (Exception, SystemExit) as problem:
            last = traceback.extract_tb(problem.__traceback__)[-1]
            reason = f"{describe(problem)} ({last.filename}:{last.lineno})"
            raise InvalidInput(f"--handlers {module_name}: it cannot be imported: {reason}") from problem
        loaded = cls()
        for registry in vars(module).values():
            if isinstance(registry, Handlers):
                loaded._by_name |= registry._by_name
        if not loaded._by_name:
            raise InvalidInput(f"--handlers {module_name}: it holds no Handlers() with a handler")
        return loaded
