"""Kill and cut at every step of a run: exactly once in the log and in git, every time.

The normal suite plays a sample; the whole matrix is `./elruso test -m soak tests/faults`, and single points, as a
failure names them, are `python -m tests.faults LINK POINT …`.
"""

from collections.abc import Sequence

import pytest

from tests.faults.matrix import play_matrix
from tests.faults.points import Found, Point, every_point, sample
from tests.faults.scenario import Verdict
from tests.faults.stack import LINKS, Link

LANES = 3


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("link", LINKS)
async def test_sample_of_points(link: Link) -> None:
    """Whatever is killed or cut wherever, a task that is done is done once in the log and once on its branch."""
    verdicts = await play_matrix(link, lambda found: sample(link, found), LANES)
    expect_nothing_lost_or_doubled(link, verdicts)


@pytest.mark.soak
@pytest.mark.timeout(8 * 3600)
@pytest.mark.parametrize("link", LINKS)
async def test_every_point(link: Link) -> None:
    """The same at every call of git and every message, with every fault."""

    def choose(found: Sequence[Found]) -> list[Point]:
        return list(every_point(link, found))

    expect_nothing_lost_or_doubled(link, await play_matrix(link, choose, LANES))


def expect_nothing_lost_or_doubled(link: Link, verdicts: Sequence[Verdict]) -> None:
    """No symptom anywhere; and most faults happened, for a point that no run reaches any more proves nothing."""
    failures = [str(verdict) for verdict in verdicts if verdict.symptoms]
    assert not failures, "\n".join([f"play one again with: python -m tests.faults {link} POINT", *failures])
    played = [verdict for verdict in verdicts if verdict.point is not None]
    assert 0.8 * len(played) <= sum(verdict.reached for verdict in played)
