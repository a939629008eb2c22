"""How much is measured, and how the operator sees that it moves."""

from collections.abc import Iterator
from contextlib import contextmanager

from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn


class Sizes(Struct, frozen=True):
    """How much work each benchmark does; counts and seconds. These are the sizes of docs/benchmarks.md."""

    lifecycle_tasks: int = 20_000
    lifecycle_workers: tuple[int, ...] = (1, 2)
    concurrency: int = 1000
    wakeups: int = 200
    wakeup_gap_ms: tuple[float, float] = (20.0, 50.0)
    settle_seconds: float = 4.0  # until a runner that has started is idle
    created: int = 100_000
    request_tasks: tuple[int, ...] = (1_000, 5_000)
    created_singly: int = 10_000
    backlogs: tuple[int, ...] = (1_000, 100_000, 1_000_000)
    claims: int = 300
    claim_batches: tuple[int, ...] = (1, 100)
    rebuilt_tasks: int = 100_000  # some four events each
    idle_seconds: float = 60.0
    idle_settle_seconds: float = 12.0  # until the first heartbeat's connection is open too
    cost_tasks: int = 20_000
    page_tasks: int = 1_000_000  # some ten events each
    page_requests: int = 200  # of each address, in each run
    page_warm_up: int = 6  # more: a connection plans a statement anew for its first few calls
    viewers: int = 500
    listeners: int = 150  # sessions that listen themselves; the server has room for 200
    news: int = 100
    news_gap_seconds: float = 0.1
    endurance_seconds: float = 1800.0
    endurance_share: float = 0.7
    endurance_peak_seconds: float = 60.0
    endurance_ahead: int = 20_000  # tasks that wait while the runner works at full speed
    endurance_window_seconds: float = 10.0
    redacted_megabytes: int = 16
    histories: int = 20_000
    history_steps: int = 50
    first_seed: int = 1
    api_tasks: tuple[int, ...] = (1_000, 100_000, 1_000_000)
    api_kinds: tuple[str, ...] = ()  # none: all of them
    api_connections: int = 32
    api_seconds: float = 2.0  # of each kind of request, each side, each run
    repository_files: int = 50_000
    repository_commits: int = 10_000


FULL = Sizes()
MODEST = Sizes(
    wakeups=100,
    settle_seconds=2.0,
    created=50_000,
    created_singly=4_000,
    backlogs=(1_000, 100_000),
    claims=200,
    rebuilt_tasks=50_000,
    idle_seconds=30.0,
    cost_tasks=10_000,
    page_tasks=20_000,
    news=50,
    redacted_megabytes=4,
    api_tasks=(1_000, 100_000),
    repository_files=5_000,
    repository_commits=1_000,
)


class Voice:
    """Says on stderr what is being measured, and how far along it is; silent when nobody is watching."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._line = bar.add_task("", total=None)

    def say(self, what: str) -> None:
        """This comes next."""
        self._bar.reset(self._line, description=what, total=None)

    def show(self, done: int, total: int) -> None:
        """So much of it is done."""
        self._bar.update(self._line, completed=done, total=total)


@contextmanager
def voice() -> Iterator[Voice]:
    """One while the block lasts."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        yield Voice(bar)


class Plan(Struct, frozen=True):
    """What a benchmark is told: how often, how much, and how to say how it goes."""

    runs: int
    sizes: Sizes
    voice: Voice

    def says(self, name: str) -> "Turns":
        """For `measure.by_turns`: says whose turn it is."""
        return Turns(self, name)


class Turns:
    """Counts the turns of one benchmark."""

    def __init__(self, plan: Plan, name: str) -> None:
        self._plan = plan
        self._name = name
        self._turns: dict[str, int] = {}

    def __call__(self, side: str) -> None:
        self._turns[side] = self._turns.get(side, 0) + 1
        self._plan.voice.say(f"{self._name}: {side}, run {self._turns[side]} of {self._plan.runs}")
