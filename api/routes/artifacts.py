"""The patch a run made, and its diffstat."""

from starlette.responses import PlainTextResponse, Response

from api.call import Call
from api.envelope import answer_value
from api.holder import check_run
from api.known import know_run
from api.wire.field import RunId
from api.wire.run import NewArtifact
from events.errors import InvalidInput, NotFound
from events.task import ArtifactKind


async def show_artifact(call: Call, run_id: RunId, kind: ArtifactKind) -> Response:
    """A run's patch or diffstat, redacted by its runner; as plain text if that is what is asked for."""
    found = await call.deps.views.artifact(int(run_id), kind)
    if found is None:
        raise NotFound(f"run {run_id} has no {kind}")
    if "text/plain" in (call.header("accept") or ""):
        return PlainTextResponse(found.content)
    facts = {"before_sha": found.before_sha, "after_sha": found.after_sha, "late": found.late}
    return answer_value({"run_id": run_id, "kind": kind, "content": found.content, kind: found.content} | facts)


async def add_artifact(call: Call, run_id: RunId, body: NewArtifact) -> Response:
    """Store a run's patch or diffstat, or both, once and before the run's end, which seals them.

    For 15 minutes after the end they are taken, too, where the run has none: marked as `late`, and sealed by nothing.
    """
    contents = body.contents
    if not contents:
        raise InvalidInput("say what to store: `kind` and `content`, or `patch`, or `diffstat`")
    await check_run(call, await know_run(call.deps.views, run_id))
    commits = (body.before_sha, body.after_sha)
    save = call.deps.commands.save_artifact
    late = [kind for kind, content in contents.items() if not await save(int(run_id), kind, content, commits)]
    return answer_value({"run_id": run_id, "stored": sorted(contents), "late": sorted(late)}, status=201)
