"""What is said about runs."""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from api.wire.field import BigCount, Count, Limit, Line, Moment, Number, Path, RunnerId, TaskId, Text
from events.limits import Brief, check_depth, check_moment
from events.task import ArtifactKind, FileChange, Unrecorded

Change = Literal["added", "modified", "deleted", "renamed"]
Sha = Annotated[str, Meta(max_length=200, description="A commit; may be empty.")]

# Words of older runners for the same two ends.
ENDS: dict[str, Literal["done", "failed"]] = {
    "done": "done",
    "success": "done",
    "succeeded": "done",
    "completed": "done",
    "failed": "failed",
    "error": "failed",
}


class RunFilter(Struct, frozen=True, forbid_unknown_fields=True):
    """Which runs to list, newest first."""

    status: Literal["running", "done", "failed", "requeued", "blocked", "cancelled"] | None = None
    task_id: TaskId | None = None
    limit: Limit = 50
    cursor: Annotated[str, Meta(max_length=100)] | None = None


class NewRun(Struct, frozen=True, forbid_unknown_fields=True):
    """A runner begins the run of a task that it has claimed. Without a `branch` it is the task's."""

    task_id: TaskId
    branch: Brief | None = None
    commit_hash: Brief | None = None
    status: str | None = None
    runner_id: RunnerId | None = None
    worker_id: RunnerId | None = None
    started_at: str | None = None

    @property
    def runner(self) -> str | None:
        """The runner that speaks, if it names itself."""
        return self.runner_id or self.worker_id


class NewRunStep(Struct, frozen=True, forbid_unknown_fields=True):
    """A step of a run has ended. `number` counts from 1; left out, it is the next one."""

    step_name: Line
    number: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    cmd: Text | None = None
    exit_code: Number | None = None
    duration_ms: BigCount | None = None
    output_excerpt: Text | None = None
    output_bytes: BigCount | None = None
    truncated: bool = False
    error: Text | None = None
    status: str | None = None
    started_at: str | None = None
    finished_at: str | None = None


class ReportedChange(Struct, frozen=True):
    """A file that a run changed. Runners of all ages report them, so here what is not known is not refused."""

    path: Annotated[Path, Meta(min_length=1)]
    change: str | None = None
    change_type: str | None = None
    added: Count | None = None
    removed: Count | None = None
    renamed_from: Path | None = None
    diffstat: Any = None

    def event(self) -> FileChange:
        """The change as it goes into the log."""
        return FileChange(self.path, self._kind(), self.added, self.removed, self.renamed_from)

    def _kind(self) -> Change:
        word = (self.change or self.change_type or "").lower()
        return next((kind for letters, kind in _KINDS if word.startswith(letters)), "modified")


# git's letters and the words people use
_KINDS: tuple[tuple[tuple[str, ...], Change], ...] = (
    (("a", "create", "new", "?"), "added"),
    (("d", "remove"), "deleted"),
    (("r",), "renamed"),
)


class RunChange(Struct, frozen=True, forbid_unknown_fields=True):
    """How a run ended. `retry` false: do not try the task again."""

    status: Literal["done", "success", "succeeded", "completed", "failed", "error"]
    summary: Text | None = None
    error: Text | None = None
    file_changes: Annotated[list[ReportedChange], Meta(max_length=100_000)] = field(default_factory=list)
    branch: Line | None = None
    commit_hash: Line | None = None
    duration_ms: BigCount | None = None
    result: Any = None
    unrecorded: Annotated[list[Unrecorded], Meta(max_length=1_000)] = field(default_factory=list)
    kept_path: Path | None = None
    kept_until: Moment | None = None
    retry: bool = True
    finished_at: str | None = None
    artifact_path: Path | None = None

    def __post_init__(self) -> None:
        check_moment("kept_until", self.kept_until)
        check_depth("result", self.result)


class NewArtifact(Struct, frozen=True, forbid_unknown_fields=True):
    """A patch or diffstat of a run, redacted by its runner, and the commits between which it lies."""

    kind: ArtifactKind | None = None
    content: str | None = None
    patch: str | None = None
    diffstat: str | None = None
    patch_redacted: str | None = None
    before_sha: Sha | None = None
    after_sha: Sha | None = None

    @property
    def contents(self) -> dict[ArtifactKind, str]:
        """What is to be stored, by its kind."""
        given: dict[ArtifactKind, str | None] = {
            "patch": self.patch_redacted if self.patch is None else self.patch,
            "diffstat": self.diffstat,
        }
        if self.kind is not None:
            given[self.kind] = self.content
        return {kind: content for kind, content in given.items() if content is not None}


class OutputPiece(Struct, frozen=True, forbid_unknown_fields=True):
    """A piece of a step's output. `number` counts the pieces of the run from 1; one sent twice is kept once."""

    number: Annotated[int, Meta(ge=1, le=2_147_483_647)]
    step: Annotated[int, Meta(ge=1, le=100_000)]
    stream: Literal["stdout", "stderr"]
    data: str


class NewOutput(Struct, frozen=True, forbid_unknown_fields=True):
    """Output of a run."""

    chunks: Annotated[list[OutputPiece], Meta(min_length=1, max_length=10_000)]


class OutputFilter(Struct, frozen=True, forbid_unknown_fields=True):
    """Which output to read."""

    step: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    after: Annotated[int, Meta(ge=0, le=2_147_483_647)] = 0
    limit: Limit = 1000
