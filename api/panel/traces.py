"""What a run left: its steps, the files it changed, its patch. Its page shows a part, pages of their own all of it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated, Any

from markupsafe import Markup
from msgspec import Meta, Struct
from starlette.responses import Response

from api.panel.charts import share
from api.panel.command_text import command_html
from api.panel.moments import milliseconds, size
from api.panel.paper import address, render
from api.panel.patch import FileDiff, read_patch
from api.panel.visit import Visit
from api.wire.field import RunId
from events.errors import NotFound
from projections.briefs import RunBrief

PATCH_LINES_PER_PAGE = 1000
PATCH_CHARACTERS = 200_000
STEP_CHARACTERS = 5000  # of a command, and of its output, that are shown
ERROR_CHARACTERS = 2000

Rows = list[dict[str, Any]]
Place = Annotated[int, Meta(ge=0, le=2_147_483_647 - PATCH_CHARACTERS)]


class Trace(Struct, frozen=True):
    """A list that a run left: the last word of its address, what it is ordered by, how much of it is on a page."""

    name: str
    key: str
    per_page: int


STEPS = Trace("steps", key="number", per_page=100)
CHANGES = Trace("changes", key="path", per_page=200)


class StepsView(Struct, frozen=True, forbid_unknown_fields=True):
    """Behind which step the page begins."""

    after: Place = 0


class ChangesView(Struct, frozen=True, forbid_unknown_fields=True):
    """Behind which path the page begins."""

    after: Annotated[str, Meta(max_length=5000)] = ""


class PatchView(Struct, frozen=True, forbid_unknown_fields=True):
    """Behind how many characters of the patch the page begins."""

    after: Place = 0


class StepLine(Struct, frozen=True):
    """A step in words; `bar` is how long it took beside the others, out of 100."""

    number: int
    name: str
    status: str
    bar: float
    duration: str
    exit: str
    cmd: Markup
    omitted: int
    error: str
    excerpt: str
    about: str


class PatchPart(Struct, frozen=True):
    """Files of a patch, and where the part behind them begins; None: these are the last. `late`: as Artifact."""

    files: list[FileDiff]
    next: int | None
    late: bool


async def show_steps(visit: Visit, run_id: RunId, query: StepsView) -> Response:
    """A page of a run's steps, the first one first."""
    steps, around = await _read_page(visit, run_id, STEPS, visit.board.steps, query.after)
    return render(visit, "run_steps.html", steps=step_lines(visit, steps), **around)


async def show_changes(visit: Visit, run_id: RunId, query: ChangesView) -> Response:
    """A page of the files that a run changed, by path."""
    changes, around = await _read_page(visit, run_id, CHANGES, visit.board.changes, query.after)
    return render(visit, "run_changes.html", changes=changes, **around)


async def show_patch(visit: Visit, run_id: RunId, query: PatchView) -> Response:
    """A page of a run's patch."""
    run, patch = await asyncio.gather(
        _find_run(visit, run_id), read_part(visit, int(run_id), query.after, PATCH_LINES_PER_PAGE)
    )
    if patch is None:
        raise NotFound(f"run {run_id} has no patch")
    path = f"/panel/runs/{run_id}/patch"
    return render(
        visit,
        "run_patch.html",
        run=run,
        files=patch.files,
        late=patch.late,
        next=patch.next and address(path, after=patch.next),
        first=query.after and path,
    )


def step_lines(visit: Visit, steps: Sequence[dict[str, Any]]) -> list[StepLine]:
    """The steps in words, once for each, so that no template asks for them."""
    longest = max((step["duration_ms"] or 0 for step in steps), default=0)
    return [_line(visit, step, longest) for step in steps]


def _line(visit: Visit, step: dict[str, Any], longest: int) -> StepLine:
    code, took, command = step["exit_code"], step["duration_ms"], step["cmd"] or ""
    about = visit.text("run.output_size", size=size(step["output_bytes"]))
    return StepLine(
        number=step["number"],
        name=step["name"],
        status="done" if code == 0 else "failed",
        bar=share(took or 0, longest),
        duration=milliseconds(took),
        exit=visit.text("run.no_exit") if code is None else visit.text("run.exit", code=code),
        cmd=command_html(command[:STEP_CHARACTERS], visit.language),
        omitted=max(0, len(command) - STEP_CHARACTERS),
        error=visit.said((step["error"] or "")[:ERROR_CHARACTERS]),
        excerpt=(step["output_excerpt"] or "")[:STEP_CHARACTERS],
        about=f"{about} · {visit.text('run.truncated')}" if step["truncated"] else about,
    )


async def read_part(visit: Visit, run_id: int, after: int, lines: int) -> PatchPart | None:
    """The files of a run's patch behind so many characters, of so many lines at most; None: it has no patch."""
    found = await visit.board.patch(run_id, after, PATCH_CHARACTERS)
    if found is None:
        return None
    end = after + len(found.content)
    part = read_patch(found.content, lines, whole=end >= found.characters)
    following: int | None = after + part.length
    if any(file.cut for file in part.files):
        following = await visit.board.next_file(run_id, after + part.length)
    elif following is not None and following >= found.characters:
        following = None
    return PatchPart(part.files, following, found.late)


async def _read_page(
    visit: Visit, run_id: RunId, trace: Trace, read: Callable[[int, Any, int], Awaitable[Rows]], after: int | str
) -> tuple[Rows, dict[str, Any]]:
    """What is listed behind `after`, and what stands around it on the page."""
    number, path = int(run_id), f"/panel/runs/{run_id}/{trace.name}"
    run, rows, (steps, changes) = await asyncio.gather(
        _find_run(visit, run_id),
        read(number, after, trace.per_page + 1),
        visit.board.count_traces(number),
    )
    shown = rows[: trace.per_page]
    return shown, {
        "run": run,
        "total": {"steps": steps, "changes": changes}[trace.name],
        "next": len(rows) > len(shown) and address(path, after=shown[-1][trace.key]),
        "first": after and path,
    }


async def _find_run(visit: Visit, run_id: RunId) -> RunBrief:
    run = await visit.board.run_brief(int(run_id))
    if run is None:
        raise NotFound(f"there is no run {run_id}")
    return run
