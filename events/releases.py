"""Why a runner gives a run back before its end, and how often a task may be given back for that without a charge.

What a runner does wrong is not charged to the task: such a run costs no attempt. But a task that makes every runner
lose it, or fills every disk, would go round for ever. So a reason of this list counts once it has been given too often
in a row: then the run costs an attempt, and the task rests, or is blocked after its last one.
"""

UNKNOWN_RUN = "its runner knows nothing of this run"
UNFIT = "its runner is unfit"

_FREE = {UNKNOWN_RUN: 1, UNFIT: 3}  # what a reason begins with -> in a row, without a charge


def free_releases(reason: str) -> tuple[str | None, int]:
    """The beginning that this reason shares with others of its kind, and how many of them are free; None: all are."""
    for beginning, number in _FREE.items():
        if reason.startswith(beginning):
            return beginning, number
    return None, 0
