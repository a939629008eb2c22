"""The numbers an operator looks at first."""

from events.statements import load_statements
from projections.ask import Asked, ask
from projections.runners import ONLINE_SECONDS, RUNNERS_MAX

_sql = load_statements("projections", "metrics.sql")


async def show_metrics(asked: Asked, online_seconds: float = ONLINE_SECONDS) -> bytes:
    """Tasks by status, runners, runs of late, the backlog's age; null where there is nothing to measure yet.

    `runners.total` counts RUNNERS_MAX at most.
    `runs.fail_rate_last_20` counts, of the 20 runs begun last that have ended, those that failed.
    `runs.last_24h` counts ended runs, in steps of five minutes.
    """
    return await ask(asked, _sql["show_metrics"], online_seconds, RUNNERS_MAX)
