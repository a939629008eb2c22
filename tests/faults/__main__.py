"""Play points by name, or all of them: python -m tests.faults LINK [POINT …], LINK postgres or http.

A POINT is what a failure names, such as chain:git-before:12:runner.
"""

import asyncio
import sys
from collections.abc import Sequence

from tests.faults.matrix import play_matrix
from tests.faults.points import Found, Point, every_point, read_point
from tests.faults.scenario import Verdict
from tests.faults.stack import Link

LANES = 2


def main(link: Link, names: Sequence[str]) -> int:
    """The exit status: 1 if a symptom was seen."""

    def choose(found: Sequence[Found]) -> list[Point]:
        print(*found, sep="\n", flush=True)
        return [read_point(name) for name in names] or list(every_point(link, found))

    def tell(verdict: Verdict) -> None:
        print(f"{verdict.seconds:5.1f} s", "" if verdict.reached else "(not reached)", verdict, flush=True)

    verdicts = asyncio.run(play_matrix(link, choose, min(LANES, len(names) or LANES), tell))
    failures = [verdict for verdict in verdicts if verdict.symptoms]
    print(f"{len(verdicts)} played, {len(failures)} with symptoms")
    print(*(failure for failure in failures if failure.point is None), sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))  # type: ignore[arg-type]
