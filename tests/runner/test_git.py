"""What git prints, up to a limit."""

import asyncio
from pathlib import Path

from runner.git import Git

OFTEN = 40  # a fifth of them used to wait for ever
LIMIT = 100_000


async def test_an_answer_that_is_cut_short_comes_every_time(tmp_path: Path) -> None:
    """git is stopped while it still prints, its pipe full, and the answer so far comes: once and every time."""
    git = Git(tmp_path, {})
    await git.read("init")
    (tmp_path / "big").write_text("x" * 50 * LIMIT)
    for _ in range(OFTEN):
        async with asyncio.timeout(30):
            printed = await git.read("diff", "--no-index", "/dev/null", "big", limit=LIMIT)
        assert LIMIT == len(printed)
