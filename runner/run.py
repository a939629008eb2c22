"""One run while it is executed, and what every run of the process shares."""

import time
from collections.abc import Mapping
from typing import Protocol

import msgspec
from msgspec import Struct

from events import catalog
from events.errors import ElRusoError, InvalidInput
from events.task import TaskCreated
from runner.control import NoControl, RunControl
from runner.environment import child_environment
from runner.granting import Grants, NoGrants, secrets_of
from runner.handlers import Handlers
from runner.output import OUTPUT_LIMIT
from runner.redact import Redactor
from runner.reporting import Reporter, Unheard
from runner.shell import ShellMode
from runner.workspace import Workspaces
from runner.workspace.changes import Changes


class Claim(Protocol):
    """A claimed task, as the claim returned it."""

    @property
    def task_id(self) -> str:
        """The task."""

    @property
    def run_id(self) -> int:
        """The run that the claim began."""

    @property
    def attempt(self) -> int:
        """1 for the first."""

    @property
    def definition(self) -> msgspec.Raw:
        """The JSON of its TaskCreated."""


class Context(Struct, frozen=True, kw_only=True):
    """What all runs of a process share. Build it once.

    `environment` is the runner's own, of which a step sees the harmless part; `granted` is added to it, and from
    `secrets` what the task names.
    `agent` is the command line that takes a prompt on stdin. A Worker puts its own reporter and control in. `shell` is
    how steps run whose task does not say it in params.shell. `step_seconds` limits steps that name no limit of their
    own, `output_limit_bytes` is what is kept of one step's output.
    """

    workspaces: Workspaces
    redactor: Redactor
    reporter: Reporter = Unheard()
    control: RunControl = NoControl()
    handlers: Handlers = msgspec.field(default_factory=Handlers)
    agent: str | None = None
    environment: Mapping[str, str] = {}
    granted: Mapping[str, str] = {}
    secrets: Grants = NoGrants()
    shell: ShellMode = "plain"
    step_seconds: float | None = None
    output_limit_bytes: int = OUTPUT_LIMIT


class RunFailed(ElRusoError):
    """The run ended badly. `retry`: another attempt may end well."""

    code = "run_failed"

    def __init__(self, detail: str, retry: bool = True) -> None:
        super().__init__(detail)
        self.retry = retry


class Finished(Struct, frozen=True):
    """What an executor has to say at its good end. `result` is a JSON value."""

    summary: str | None = None
    result: object = None


class Run:
    """A claimed task on its way to an outcome.

    Raises:
        InvalidInput: its definition cannot be read.
    """

    __slots__ = (
        *("attempt", "branch", "changes", "context", "definition"),
        *("run_id", "secrets", "started", "steps", "task_id"),
    )

    def __init__(self, claim: Claim, context: Context, started: float) -> None:
        self.task_id = claim.task_id
        self.run_id = claim.run_id
        self.attempt = claim.attempt
        self.context = context
        self.started = started
        self.steps = 0
        self.branch: str | None = None
        self.secrets: Mapping[str, str] = {}
        self.changes = NO_CHANGES
        try:
            self.definition: TaskCreated = catalog.decode("task.created", claim.definition)
        except InvalidInput as problem:
            raise InvalidInput(f"the definition of task {claim.task_id} cannot be read: {problem.detail}") from problem

    def restart_clock(self) -> None:
        """Count the run's time from now on, without the wait for its workspace."""
        self.started = time.monotonic()

    def seconds_left(self) -> float | None:
        """Until the task's own timeout; None: it has none.

        Raises:
            RunFailed: it has passed.
        """
        whole = self.definition.timeout_seconds
        if whole is None:
            return None
        left = whole - (time.monotonic() - self.started)
        if left <= 0:
            raise self.out_of_time()
        return left

    def out_of_time(self) -> RunFailed:
        """The failure of a run that used up the task's timeout."""
        return RunFailed(f"the task's timeout of {self.definition.timeout_seconds:g} s has passed")

    def take_secrets(self) -> None:
        """Have what the task names in params.secrets.

        Raises:
            InvalidInput: that is no list of names.
            SecretNotGranted: the operator has not granted one of them.
        """
        self.secrets = secrets_of(self.definition.params, self.context.secrets, self.context.granted)

    def shell_mode(self) -> ShellMode:
        """How the shell runs its steps and checks.

        Raises:
            InvalidInput: params.shell of a shell task is neither "plain" nor "strict".
        """
        wanted = self.definition.params.get("shell") if self.definition.steps else None
        match wanted:
            case None:
                return self.context.shell
            case "plain":
                return "plain"
            case "strict":
                return "strict"
        raise InvalidInput('params.shell: "strict" (bash -euo pipefail) or "plain"')

    def environment(self) -> dict[str, str]:
        """The environment of its steps."""
        granted = {**self.context.granted, **self.secrets}
        given = child_environment(self.context.environment, granted, self.task_id, self.run_id)
        ceiling = str(self.context.workspaces.runs_directory.absolute())
        return given | {"GIT_CEILING_DIRECTORIES": ceiling}  # git must not find a repository around the run directory


NO_CHANGES = Changes()
