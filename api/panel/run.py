"""One run: its steps, its output as it arrives, what it changed, and its task once more."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any
from urllib.parse import quote

import msgspec
from markupsafe import Markup, escape
from msgspec import Meta, Struct
from starlette.responses import HTMLResponse, Response, StreamingResponse

from api.panel.ansi import State, to_html
from api.panel.harmless import COLOURS
from api.panel.paper import HEADERS, part, render
from api.panel.traces import read_part, step_lines
from api.panel.visit import Visit
from api.wire.field import RunId
from events.errors import NotFound
from events.log import last_seq
from events.task import FILE_CHANGES_MAX
from projections.output import Piece

OUTPUT_CHARACTERS = 150_000  # of the output that are shown at once; all of it can be downloaded
ALL = 1 << 26
STEPS_MAX = 100  # the last ones: there a run goes on, or has failed
CHANGES_MAX = 100
PATCH_LINES = 400
RESULT_CHARACTERS = 20_000


class RunView(Struct, frozen=True, forbid_unknown_fields=True):
    """What to look for in the output."""

    find: Annotated[str, Meta(max_length=200)] | None = None


class OutputPlace(Struct, frozen=True, forbid_unknown_fields=True):
    """How far the output has been read, and what was left open there."""

    after: Annotated[int, Meta(ge=0, le=2_147_483_647)] = 0
    classes: Annotated[str, Meta(max_length=200)] = ""
    torn: Annotated[str, Meta(max_length=400)] = ""


class Shown(Struct, frozen=True):
    """A part of the output as HTML, and where it ends."""

    html: Markup
    after: int
    state: State


async def show_run(visit: Visit, run_id: RunId, query: RunView) -> Response:
    """One run."""
    number, board = int(run_id), visit.board
    seq = await last_seq(visit.deps.pool)
    run, brief = await asyncio.gather(board.run(number, STEPS_MAX, CHANGES_MAX), board.run_brief(number))
    if run is None or brief is None:
        raise NotFound(f"there is no run {run_id}")
    (pieces, whole), patch, (step_count, change_count) = await asyncio.gather(
        board.tail_output(number, OUTPUT_CHARACTERS),
        read_part(visit, number, 0, PATCH_LINES),
        board.count_traces(number),
    )
    return render(
        visit,
        "run.html",
        seq=seq,
        run=run,
        brief=brief,
        steps=step_lines(visit, run["steps"]),
        step_count=step_count,
        changes=run["file_changes"],
        change_count=change_count,
        change_limit=FILE_CHANGES_MAX,
        output=dress(visit, pieces, State()),
        whole=whole,
        found=find_lines(pieces, query.find),
        find=query.find,
        files=patch.files if patch else [],
        late=patch is not None and patch.late,
        patch_goes_on=patch is not None and patch.next is not None,
        live=run["status"] == "running",
        result=None if run["result"] is None else _pretty(run["result"])[: RESULT_CHARACTERS + 1],
        result_characters=RESULT_CHARACTERS,
    )


async def show_output(visit: Visit, run_id: RunId, query: OutputPlace) -> Response:
    """What came after a place in the output, as HTML to be appended; headers say how to go on."""
    run = await visit.board.run_brief(int(run_id))
    if run is None:
        raise NotFound(f"there is no run {run_id}")
    pieces = await visit.board.next_output(int(run_id), query.after, OUTPUT_CHARACTERS)
    shown = dress(visit, pieces, State.read(query.classes, query.torn))
    place = {
        "x-after": str(shown.after or query.after),
        "x-classes": shown.state.classes,
        "x-torn": quote(shown.state.torn),
        "x-running": "1" if run.status == "running" or pieces else "0",
    }
    return HTMLResponse(shown.html, headers=HEADERS | place)


async def download_output(visit: Visit, run_id: RunId) -> Response:
    """All output of a run as it was, as a file."""
    if await visit.board.run_brief(int(run_id)) is None:
        raise NotFound(f"there is no run {run_id}")
    return _file(_all_output(visit, int(run_id)), f"run-{run_id}.log")


async def download_patch(visit: Visit, run_id: RunId) -> Response:
    """The whole patch of a run, as a file."""
    patch = await visit.board.patch(int(run_id), 0, ALL)
    if patch is None:
        raise NotFound(f"run {run_id} has no patch")
    return _file(_once(patch.content), f"run-{run_id}.patch")


async def download_result(visit: Visit, run_id: RunId) -> Response:
    """What the handler of a run returned, as JSON in a file."""
    run = await visit.board.run(int(run_id), 0, 0)
    if run is None or run["result"] is None:
        raise NotFound(f"run {run_id} has no result")
    return _file(_once(_pretty(run["result"])), f"run-{run_id}.json")


def _pretty(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode()


async def retry(visit: Visit, run_id: RunId) -> Response:
    """Make the task of a run ready again."""
    run = await visit.board.run_brief(int(run_id))
    if run is None:
        raise NotFound(f"there is no run {run_id}")
    reason = f"run {run_id} is to be tried again"
    changed = await visit.deps.commands.requeue(run.task_id, actor=visit.actor, reason=reason)
    return visit.go(f"/panel/tasks/{part(run.task_id)}", visit.text("task.requeued" if changed else "task.was_ready"))


def dress(visit: Visit, pieces: list[Piece], state: State) -> Shown:
    """Pieces of output as HTML: where another step begins there is a line that says so."""
    parts, step = list[str](), 0
    for piece in pieces:
        if piece.step != step and step:
            state = State()
            mark = escape(visit.text("run.step_mark", number=piece.step))
            parts.append(f'<span class="step-mark">{mark}</span>\n')
        step = piece.step
        html, state = to_html(piece.data, state)
        parts.append(f'<span class="stderr">{html}</span>' if piece.stream == "stderr" else html)
    return Shown(Markup("".join(parts)), pieces[-1].number if pieces else 0, state)


def find_lines(pieces: list[Piece], wanted: str | None, most: int = 200) -> list[tuple[int, str]] | None:
    """The lines of the output that contain a text, numbered within what is shown; None: nothing was sought."""
    if not wanted:
        return None
    lines = COLOURS.sub("", "".join(piece.data for piece in pieces)).splitlines()
    found = [(place, line[:500]) for place, line in enumerate(lines, 1) if wanted.lower() in line.lower()]
    return found[:most]


async def _all_output(visit: Visit, run_id: int) -> AsyncIterator[str]:
    after = 0
    while pieces := await visit.board.next_output(run_id, after, ALL):
        yield "".join(piece.data for piece in pieces)
        after = pieces[-1].number


async def _once(text: str) -> AsyncIterator[str]:
    yield text


def _file(content: AsyncIterator[str], name: str) -> Response:
    headers = HEADERS | {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(content, media_type="text/plain; charset=utf-8", headers=headers)
