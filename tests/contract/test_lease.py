"""How long a runner over HTTP keeps what it claimed."""

import pytest

from events.beats import Life
from events.runner import RunnerHeartbeat
from tests.api.serving import Served

AT_ONCE = 0.0
QUARTER_HOUR = 900.0


@pytest.mark.parametrize(
    ("before", "during", "stuck"),
    [
        (None, None, False),  # nothing but claims
        ({"hostname": "vm"}, None, False),  # heartbeats between its tasks
        (None, {"hostname": "vm"}, True),  # and while it works
        ({"heartbeat_seconds": 7}, None, True),  # ours: killed before its first
    ],
)
async def test_without_heartbeats_a_claim_lasts_longer(
    api: Served, before: dict[str, object] | None, during: dict[str, object] | None, stuck: bool
) -> None:
    """The client's lease holds until the runner sends a heartbeat, or if it never promised any."""
    if before is not None:
        await api.post("/ops/runner/heartbeat", {"runner_id": "old-1", "meta": before})
    await api.post("/ops/tasks", {"id": "t", "title": "T"})
    await api.claim("old-1")
    if during is not None:
        await api.post("/ops/runner/heartbeat", {"runner_id": "old-1", "meta": during})

    other = Life("other", RunnerHeartbeat(), "runner:other", AT_ONCE, client_lease_seconds=QUARTER_HOUR)
    assert stuck == (await api.commands.beat(other)).stuck
    assert stuck == (await api.commands.sweep(AT_ONCE, client_lease=QUARTER_HOUR)).requeued
    await api.commands.sweep(AT_ONCE, client_lease=AT_ONCE)
    assert "ready" == (await api.get("/ops/tasks/t"))["status"]
