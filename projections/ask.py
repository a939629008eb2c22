"""One question to the database, its answer in JSON."""

from asyncpg import Pool


async def ask(pool: Pool, statement: str, *arguments: object) -> bytes:
    """The JSON that a statement answers with, as bytes to be passed on; empty when it answers null or nothing."""
    text: str | None = await pool.fetchval(statement, *arguments)
    return b"" if text is None else text.encode()
