"""Every refusal the engine can utter. Errors of PostgreSQL and its driver become these in events/database_errors.py.

    ElRusoError
    ├── InvalidInput            400  the request itself is wrong; the detail names the field
    ├── Unauthorized            401  no token, or an unknown one
    ├── Forbidden               403  the token's role may not do this
    ├── NotFound                404
    ├── Conflict                409  the world is not as the caller assumed
    │   ├── WrongVersion             another writer appended to the stream first
    │   ├── IllegalTransition        the stream's state does not allow the event
    │   ├── LeaseLost                the run is no longer the task's current run
    │   ├── DuplicateId              the id is taken by a task of other content
    │   ├── IdempotencyKeyReused     the idempotency key belongs to a request of other content
    │   ├── NotEligible              the task cannot be claimed now
    │   ├── BeyondTheLog             the log ends before the event that the caller names
    │   ├── DuplicateDirective       a directive of the same content is pending
    │   ├── RequestsMissing          credentials that it needs are not provided
    │   ├── KeyMissing               the planner has no key for its model
    │   ├── PlannerBusy              the planner is at work already
    │   └── BudgetSpent              the planner has spent what it may spend a day
    ├── TooLarge                413
    ├── Unprocessable           422  well-formed, but it cannot be carried out
    │   ├── UnknownDependency
    │   ├── DependencyCycle
    │   ├── NothingToExecute
    │   ├── SecretNotGranted         a task names a secret that the operator did not grant
    │   ├── SecretInText             the text holds a value of the vault
    │   └── DirectiveRefused         a directive breaks a rule
    ├── Paused                  423  the system hands out no work
    ├── Draining                423  this runner is handed no work
    ├── PlannerFailed           502  the model gave no answer that could be used
    ├── Unavailable             503  the database cannot be reached, or cannot do this now; it may be sent again
    └── DatabaseFault           500  an unexpected error of the database

`code` goes on the wire as "error", `detail` tells what to do next. Of those with `tells`, the facts go there as "meta".
"""

from typing import Any, ClassVar


class ElRusoError(Exception):
    """Base of all refusals: a stable `code`, an HTTP status, and a detail for humans."""

    http_status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    tells: ClassVar[bool] = False

    def __init__(self, detail: str, **facts: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.facts = facts


class InvalidInput(ElRusoError):
    """The request itself is wrong; the detail names the field."""

    http_status = 400
    code = "invalid_input"


class Unauthorized(ElRusoError):
    """No token, or an unknown one."""

    http_status = 401
    code = "unauthorized"


class Forbidden(ElRusoError):
    """The token's role may not do this, or nobody may."""

    http_status = 403
    code = "forbidden"


class NotFound(ElRusoError):
    """There is no such thing."""

    http_status = 404
    code = "not_found"


class Conflict(ElRusoError):
    """The world is not as the caller assumed."""

    http_status = 409
    code = "conflict"


class WrongVersion(Conflict):
    """Another writer appended to the stream first."""

    code = "wrong_version"


class IllegalTransition(Conflict):
    """The stream's state does not allow the event."""

    code = "illegal_transition"


class LeaseLost(Conflict):
    """The run is no longer the task's current run."""

    code = "lease_lost"


class DuplicateId(Conflict):
    """The id is taken by a task of other content."""

    code = "duplicate_id"


class IdempotencyKeyReused(Conflict):
    """The idempotency key belongs to a request of other content."""

    code = "idempotency_key_reused"


class NotEligible(Conflict):
    """The task cannot be claimed now."""

    code = "not_eligible"


class BeyondTheLog(Conflict):
    """The log ends before the event that the caller names: `facts["last_seq"]`. What it has seen is another log."""

    code = "beyond_the_log"
    tells = True


class DuplicateDirective(Conflict):
    """A directive of the same content is pending."""

    code = "duplicate_directive"
    tells = True


class RequestsMissing(Conflict):
    """Credentials that it needs are not provided. `facts["requests"]` lists them."""

    code = "requests_missing"
    tells = True


class KeyMissing(Conflict):
    """The planner has no key for its model."""

    code = "openai_key_missing"
    tells = True


class PlannerBusy(Conflict):
    """The planner is at work already; `facts["run_id"]` names the run."""

    code = "planner_busy"
    tells = True


class BudgetSpent(Conflict):
    """The planner has spent what it may spend a day."""

    code = "planner_budget_spent"
    tells = True


class TooLarge(ElRusoError):
    """The request is larger than the limit."""

    http_status = 413
    code = "too_large"


class Unprocessable(ElRusoError):
    """Well-formed, but it cannot be carried out."""

    http_status = 422
    code = "unprocessable"


class UnknownDependency(Unprocessable):
    """A task depends on one that does not come before it."""

    code = "unknown_dependency"


class DependencyCycle(Unprocessable):
    """Tasks of one request wait for each other."""

    code = "dependency_cycle"


class NothingToExecute(Unprocessable):
    """The task holds nothing that a runner could execute."""

    code = "no_actionable_steps"


class SecretNotGranted(Unprocessable):
    """A task names a secret that is not in the vault, or that the operator has not granted to tasks."""

    code = "secret_not_granted"


class SecretInText(Unprocessable):
    """The text holds a value of the vault; it would be in the log for ever."""

    code = "secret_in_text"


class DirectiveRefused(Unprocessable):
    """A directive breaks a rule; the detail says which and where."""

    code = "directive_refused"
    tells = True


class PlannerFailed(ElRusoError):
    """The model gave no answer that could be used. `facts["run_id"]` names the run."""

    http_status = 502
    code = "planner_failed"
    tells = True


class Paused(ElRusoError):
    """The system hands out no work."""

    http_status = 423
    code = "paused"


class Draining(ElRusoError):
    """This runner is handed no work: an operator has it drain."""

    http_status = 423
    code = "draining"


class Unavailable(ElRusoError):
    """The database cannot be reached, or a transient condition keeps it from doing this; the same may be sent again.

    `facts["sqlstate"]`: the condition, if the database named one.
    """

    http_status = 503
    code = "unavailable"


class DatabaseFault(ElRusoError):
    """An unexpected error of the database: a bug, or a damaged database. It fails this call only."""


def explain(error: BaseException) -> str:
    """The text of an error of any kind; its class if it has none, as a TimeoutError."""
    return str(error) or type(error).__name__
