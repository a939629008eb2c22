"""Callbacks that want to be told; one that fails is logged and disturbs nobody else."""

from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

News = TypeVar("News")

log = structlog.get_logger(__name__)


class Subscribers(Generic[News]):
    """An ordered set of callbacks. They are called in the event loop and must return at once."""

    def __init__(self) -> None:
        self._callbacks: dict[object, Callable[[News], None]] = {}

    def add(self, callback: Callable[[News], None]) -> Callable[[], None]:
        """Have `callback` told from now on; call what this returns to end that (more than once does no harm)."""
        key = object()
        self._callbacks[key] = callback
        return lambda: _forget(self._callbacks, key)

    def tell(self, news: News) -> None:
        """Call everyone, in the order in which they came."""
        for callback in tuple(self._callbacks.values()):
            try:
                callback(news)
            except Exception:
                log.exception("subscriber.failed", subscriber=repr(callback))


def _forget(callbacks: dict[object, Callable[[News], None]], key: object) -> None:
    callbacks.pop(key, None)
