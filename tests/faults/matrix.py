"""Many points on a few stacks at once."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from tests.faults.points import STORIES, Found, Point
from tests.faults.scenario import Scenario, Verdict
from tests.faults.stack import Link, Stack, open_stack

Choose = Callable[[Sequence[Found]], Sequence[Point]]
Tell = Callable[[Verdict], None]


async def play_matrix(link: Link, choose: Choose, lanes: int, tell: Tell = lambda _: None) -> list[Verdict]:
    """Find the points on the first stack, let `choose` pick, play them on `lanes` stacks; what became of each.

    The stories without a fault and the audit of each stack are verdicts too.
    """
    async with AsyncExitStack() as opened:
        stacks = [await opened.enter_async_context(open_stack(link)) for _ in range(lanes)]
        scenarios = [Scenario(stack) for stack in stacks]
        found, verdicts = [], []
        for story in STORIES:
            discovered, verdict = await scenarios[0].discover(story)
            found.append(discovered)
            verdicts.append(verdict)
        waiting = deque(choose(found))

        async def work_off(scenario: Scenario) -> None:
            while waiting:
                verdict = await scenario.play(waiting.popleft())
                verdicts.append(verdict)
                tell(verdict)

        await asyncio.gather(*map(work_off, scenarios))
        return verdicts + [await _audit(stack) for stack in stacks]


async def _audit(stack: Stack) -> Verdict:
    printed = await stack.audit()
    return Verdict(None, symptoms=[f"elruso audit: {printed}"] if printed else [])
