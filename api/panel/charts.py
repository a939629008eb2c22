"""Bars, as numbers that a template puts into an SVG. No style attributes: the content policy allows none."""

from collections.abc import Sequence

from msgspec import Struct

from projections.activity import Activity

WIDTH, HEIGHT, GAP = 480, 72, 2


class Bar(Struct, frozen=True):
    """One step of time: the place of its bar, and of the part of it that failed; all in units of the picture."""

    x: float
    width: float
    top: float
    height: float
    failed_height: float
    activity: Activity


class Chart(Struct, frozen=True):
    """The bars of a day."""

    bars: list[Bar]
    ended: int
    failed: int
    most: int
    width: int = WIDTH
    height: int = HEIGHT


def chart_activity(steps: Sequence[Activity]) -> Chart:
    """Bars scaled to the highest one; whatever happened is at least a line."""
    most = max((step.ended for step in steps), default=0)
    each = WIDTH / max(len(steps), 1)
    bars = []
    for place, step in enumerate(steps):
        height = max(2.0, step.ended / most * (HEIGHT - 4)) if step.ended else 0.0
        failed = max(2.0, height * step.failed / step.ended) if step.failed else 0.0
        bars.append(
            Bar(
                round(place * each, 2),
                round(each - GAP, 2),
                round(HEIGHT - height, 2),
                round(height, 2),
                round(failed, 2),
                step,
            )
        )
    return Chart(bars, sum(step.ended for step in steps), sum(step.failed for step in steps), most)


def share(value: float, most: float) -> float:
    """How long a bar of 100 is."""
    return round(max(1.0, 100 * value / most), 1) if value > 0 and most > 0 else 0.0
