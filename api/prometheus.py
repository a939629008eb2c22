"""The metrics of /ops/metrics in Prometheus' text format: each number is a gauge named after its path.

`tasks.ready` becomes elruso_tasks{status="ready"}, `backlog.oldest_ready_age_seconds` becomes
elruso_backlog_oldest_ready_age_seconds.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Numbers(Collector):
    def __init__(self, metrics: dict[str, Any], mode: str) -> None:
        self._metrics = metrics
        self._mode = mode

    def collect(self) -> Iterable[GaugeMetricFamily]:
        tasks = GaugeMetricFamily("elruso_tasks", "Tasks by status.", labels=["status"])
        for status, count in self._metrics.get("tasks", {}).items():
            tasks.add_metric([status], count)
        yield tasks
        yield GaugeMetricFamily(
            "elruso_listening", "1 while wake-ups are heard, 0 while polling.", self._mode == "listening"
        )
        for group, numbers in self._metrics.items():
            if group != "tasks":
                yield from _gauges(group, numbers)


def exposition(metrics: bytes, listener_mode: str) -> bytes:
    """`metrics` is the JSON of /ops/metrics; what is null there is left out."""
    registry = CollectorRegistry()
    registry.register(_Numbers(msgspec.json.decode(metrics), listener_mode))
    return generate_latest(registry)


def _gauges(group: str, numbers: dict[str, Any]) -> Iterator[GaugeMetricFamily]:
    for name, value in numbers.items():
        if name.endswith("_at") and isinstance(value, str):
            name, value = f"{name.removesuffix('_at')}_timestamp_seconds", datetime.fromisoformat(value).timestamp()
        if isinstance(value, int | float):
            yield GaugeMetricFamily(f"elruso_{group}_{name}", f"{group}.{name} of GET /ops/metrics.", value)
