"""Samples, and what can be said of them: medians, ranges, ratios; ours and the baseline measured by turns."""

import asyncio
import math
import statistics
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Literal, TypeVar

from msgspec import Struct

Better = Literal["higher", "lower"]
Sample = TypeVar("Sample")


class Spread(Struct, frozen=True):
    """A median with its range."""

    median: float
    min: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread | None":
        """The spread of some values; None when there are none."""
        return cls(statistics.median(values), min(values), max(values)) if values else None


class Row(Struct, frozen=True):
    """One thing measured, once per run: `ours[n]` and `baseline[n]` come from the same run."""

    what: str
    unit: str
    ours: list[float]
    baseline: list[float] = []
    better: Better = "higher"

    @classmethod
    def of(
        cls,
        what: str,
        unit: str,
        samples: Mapping[str, Sequence[Sample]],
        value: Callable[[Sample], float],
        better: Better = "higher",
    ) -> "Row":
        """From the samples of `by_turns`, whose sides are "ours" and "baseline"."""
        ours, baseline = ([value(sample) for sample in samples[side]] for side in ("ours", "baseline"))
        return cls(what, unit, ours, baseline, better)

    @property
    def ratios(self) -> list[float]:
        """Ours over the baseline, run by run; of rates above 1 is better, of times below 1."""
        return [ours / base for ours, base in zip(self.ours, self.baseline, strict=False) if base]


async def by_turns(
    runs: int, sides: Mapping[str, Callable[[], Awaitable[Sample]]], before: Callable[[str], None] = lambda side: None
) -> dict[str, list[Sample]]:
    """Measures every side once per run, one after the other, so that a slow minute of the machine hits all of them.

    `before` is told which side comes next.
    """
    samples: dict[str, list[Sample]] = {side: [] for side in sides}
    for _ in range(runs):
        for side, measure in sides.items():
            before(side)
            samples[side].append(await measure())
    return samples


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` per cent of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share / 100 * len(ordered)) - 1)]


async def pause(seconds: float) -> None:
    """Let time pass. For the gaps of a workload, never to wait for something."""
    never = asyncio.get_running_loop().create_future()
    await asyncio.wait([never], timeout=seconds)
