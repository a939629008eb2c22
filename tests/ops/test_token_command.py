"""`elruso token`: made, listed with their end, revoked, by a process of its own that a running API hears."""

import asyncio

from tests.api.serving import serving
from tests.api.test_auth import refused
from tests.ops.test_cli import Shell, shell
from tests.support.waiting import eventually

__all__ = ["shell"]


async def test_tokens_expire_and_are_revoked(shell: Shell, database: str) -> None:
    """How long one is valid stands in the list; a wrong length is refused; a revocation reaches the API at once."""
    made = await token(shell, database, "create", "ci", "--role", "viewer", "--expires", "30d")
    await token(shell, database, "create", "ana", "--role", "admin")
    lines = (await token(shell, database, "list")).splitlines()
    assert [True, False] == ["valid until" in line for line in lines]
    for wrong in ("30", "0d", "soon", "-1d"):
        refusal = await token(shell, database, "create", "x", "--role", "viewer", "--expires", wrong)
        assert "30d" in refusal, wrong

    async with serving(database) as api:
        assert not await refused(api, made)
        await token(shell, database, "revoke", "ci")
        await eventually(lambda: refused(api, made))
    assert "revoked" in (await token(shell, database, "list")).splitlines()[0]


async def token(shell: Shell, database: str, *words: str) -> str:
    """What the command prints: its answer, or its refusal."""
    done = await asyncio.to_thread(shell.elruso, "token", *words, DATABASE_URL=database)
    return (done.stdout or done.stderr).strip()
