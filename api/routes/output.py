"""What the steps of a run printed."""

from starlette.responses import Response

from api.call import Call
from api.envelope import answer_value
from api.holder import check_run
from api.known import know_run
from api.routes.tasks import answer_page
from api.wire.field import RunId
from api.wire.run import NewOutput, OutputFilter
from events.commands import OutputChunk
from events.errors import LeaseLost


async def list_output(call: Call, run_id: RunId, query: OutputFilter) -> Response:
    """The output of a run's steps, in pieces, in order."""
    await know_run(call.deps.views, run_id)
    page = await call.deps.views.output(int(run_id), step=query.step, after=query.after, limit=query.limit)
    return answer_page(page)


async def add_output(call: Call, run_id: RunId, body: NewOutput) -> Response:
    """Store output of a run that is current; a piece sent twice is kept once."""
    run = await know_run(call.deps.views, run_id)
    await check_run(call, run)
    if run.status != "running":
        raise LeaseLost(f"run {run_id} is not the current run of task {run.task_id}; its output was not stored")
    chunks = [
        OutputChunk(run.task_id, int(run_id), piece.number, piece.step, piece.stream, piece.data)
        for piece in body.chunks
    ]
    await call.deps.commands.append_output(chunks)
    return answer_value({"run_id": run_id, "stored": len(chunks)}, status=201)
