"""The planner, as far as the API knows it: whoever starts the API passes one that does this."""

from typing import Protocol

from msgspec import Struct

from events.planner import RefusedProposal, Usage


class Composed(Struct, frozen=True):
    """What the model would be asked now."""

    prompt: str
    char_count: int
    prompt_hash: str


class Planning(Struct, frozen=True):
    """What a run of the planner came to: ids of what it created. `cost` is in dollars."""

    run_id: str
    model: str
    usage: Usage
    cost: float
    duration_ms: int
    rounds: int
    directives: list[str]
    tasks: list[str]
    requests: list[str]
    refused: list[RefusedProposal]
    notes: list[str]


class PlannerTerms(Struct, frozen=True):
    """On what terms it works. Dollars a day; `has_key` says whether there is a key for the model."""

    model: str
    budget: float
    has_key: bool
    approval: str


class Planner(Protocol):
    """Asks a model for directives."""

    async def run(self, environment: str, actor: str) -> Planning:
        """One run, to its end.

        Raises:
            KeyMissing, PlannerBusy, BudgetSpent: it did not begin.
            PlannerFailed: the model gave no answer that could be used; nothing was created.
        """

    async def compose(self, environment: str) -> Composed:
        """The prompt of a run that would begin now. Nothing is asked, nothing is spent."""

    async def terms(self) -> PlannerTerms:
        """Model, budget, and whether there is a key."""
