"""What a run printed, in pieces, and what it made: a patch, a diffstat."""

from asyncpg import Pool
from msgspec import Struct

from events.log import PAGE_BYTES
from events.statements import load_statements
from projections.page import Page

_sql = load_statements("projections", "output.sql")

PIECES_MAX = 500  # pieces that are looked at for one screen


class Piece(Struct, frozen=True):
    """Some output of one step, as it arrived."""

    number: int
    step: int
    stream: str
    data: str


class Artifact(Struct, frozen=True):
    """A part of a patch or diffstat, how long all of it is, and whether it came after the run's end."""

    content: str
    characters: int
    late: bool


class WholeArtifact(Struct, frozen=True):
    """A patch or diffstat, and the commits before it and with it, as its runner named them. `late`: it came after the
    run's end, which does not vouch for it."""

    content: str
    before_sha: str | None = None
    after_sha: str | None = None
    late: bool = False


async def list_output(pool: Pool, run_id: int, step: int | None, after: int, limit: int) -> Page:
    """The pieces `{number, step, stream, at, data}` after the piece `after`; `next` is the number to go on after."""
    rows = (await pool.fetch(_sql["list_output"], run_id, step, after, limit + 1, PAGE_BYTES))[:limit]
    data = ",".join(row["data"] for row in rows)
    goes_on = bool(rows) and rows[-1]["following"] is not None
    return Page(f"[{data}]".encode(), next=str(rows[-1]["chunk"]) if goes_on else None)


async def find_artifact(pool: Pool, run_id: int, kind: str) -> WholeArtifact | None:
    """A run's "patch" or "diffstat", or None."""
    row = await pool.fetchrow(_sql["find_artifact"], run_id, kind)
    return None if row is None else WholeArtifact(*row.values())


async def tail_output(pool: Pool, run_id: int, characters: int) -> tuple[list[Piece], bool]:
    """The newest pieces of about so many characters, in order; and whether they begin with the first."""
    rows = await pool.fetch(_sql["tail_output"], run_id, characters, PIECES_MAX)
    pieces = [Piece(row["chunk"], row["step"], row["stream"], row["data"]) for row in rows]
    return pieces, not rows or rows[0]["first"]


async def next_output(pool: Pool, run_id: int, after: int, characters: int) -> list[Piece]:
    """The pieces after the piece `after`, of about so many characters."""
    rows = await pool.fetch(_sql["next_output"], run_id, after, characters, PIECES_MAX)
    return [Piece(*row.values()) for row in rows]


async def cut_artifact(pool: Pool, run_id: int, kind: str, after: int, characters: int) -> Artifact | None:
    """A part of a run's "patch" or "diffstat": `characters` behind the first `after`; or None."""
    row = await pool.fetchrow(_sql["cut_artifact"], run_id, kind, after, characters)
    return None if row is None else Artifact(*row.values())


async def find_file_in_patch(pool: Pool, run_id: int, after: int) -> int | None:
    """How many characters stand before the next file of a run's patch, from there on; None: none follows."""
    place: int | None = await pool.fetchval(_sql["find_file_in_patch"], run_id, after)
    return place
