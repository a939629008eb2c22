"""One question to the database, its answer in JSON."""

from typing import Any, Protocol


class Asked(Protocol):
    """What is asked: a pool, or a connection of it."""

    async def fetchval(self, query: str, *arguments: Any) -> Any:
        """The first value of the first row."""


async def ask(asked: Asked, statement: str, *arguments: object) -> bytes:
    """The JSON that a statement answers with, as bytes to be passed on; empty when it answers null or nothing."""
    text: str | None = await asked.fetchval(statement, *arguments)
    return b"" if text is None else text.encode()
