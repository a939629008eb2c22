"""What came out, as a table for people and as JSON for programs."""

from typing import Any

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.table import Table

from tests.bench.machine import Circumstances
from tests.bench.measure import Row, Spread


class Result(Struct, frozen=True):
    """Of one benchmark. `baseline` says what it was compared with; `checks` are facts that must hold whatever the
    speed, such as exactly once; `facts` are sizes and whatever else belongs beside the numbers. Where rows come in
    groups ("x, p50", "x, p99") `grouped` names their last words, and a line of the table shows a whole group.
    """

    name: str
    title: str
    baseline: str
    rows: list[Row]
    checks: dict[str, bool] = {}
    facts: dict[str, Any] = {}
    grouped: tuple[str, ...] = ()

    @property
    def well(self) -> bool:
        """Whether every check held."""
        return all(self.checks.values())


class Report(Struct, frozen=True):
    """Of one call of the suite."""

    circumstances: Circumstances
    runs: int
    results: list[Result]

    @property
    def well(self) -> bool:
        """Whether every check of every benchmark held."""
        return all(result.well for result in self.results)


def as_json(report: Report) -> str:
    """One document: circumstances, and per row the samples, the spreads and the ratio."""
    document = {
        **msgspec.to_builtins(report.circumstances),
        "runs": report.runs,
        "well": report.well,
        "benchmarks": [
            {**msgspec.to_builtins(result), "well": result.well, "rows": [_row(row) for row in result.rows]}
            for result in report.results
        ],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def show_circumstances(about: Circumstances, runs: int, console: Console) -> None:
    """Print where, when and of what it was measured."""
    dirty = " with uncommitted changes" if about.source.dirty else ""
    settings = ", ".join(f"{name}={value}" for name, value in about.postgres.settings.items())
    for line in (
        f"$ {about.command}",
        f"commit {about.source.commit[:12]}{dirty}, {about.at:%Y-%m-%d %H:%M} UTC",
        f"{about.machine.cpu}, {about.machine.cores} cores, {about.machine.memory_gib} GiB, {about.machine.kernel}, "
        f"load {about.machine.load}; Python {about.machine.python}, asyncpg {about.machine.asyncpg}",
        f"PostgreSQL {about.postgres.version}{'' if about.postgres.own else ' (given)'}: {settings}",
        f"runs: {runs}, ours and the baseline by turns; median [min–max]; ratio = ours / baseline, run by run",
    ):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def show_result(result: Result, console: Console) -> None:
    """Print one benchmark's table."""
    table = _grouped(result) if result.grouped else _table(result)
    console.print(f"\n[bold]{result.name}[/bold]: {result.title}", highlight=False, soft_wrap=True)
    console.print(table)
    marks = [f"{'✓' if held else '✗ NOT'} {check}" for check, held in result.checks.items()]
    facts = [f"{name}: {value}" for name, value in result.facts.items()]
    for line in (f"baseline: {result.baseline}", ", ".join(facts), *marks):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _table(result: Result) -> Table:
    table = Table()
    table.add_column("")
    for heading in ("ours", "baseline", "ratio"):
        table.add_column(heading, justify="right")
    table.add_column("unit")
    for row in result.rows:
        cells = [_cell(Spread.of(values)) for values in (row.ours, row.baseline, row.ratios)]
        table.add_row(row.what, *cells, f"{row.unit} {'↑' if row.better == 'higher' else '↓'}")
    return table


def _grouped(result: Result) -> Table:
    """A line per group: ours for each of its rows, then the baseline."""
    table = Table()
    table.add_column(f"{result.rows[0].unit}")
    for side in ("ours", "baseline"):
        for name in result.grouped:
            table.add_column(f"{side} {name}", justify="right")
    size = len(result.grouped)
    for low in range(0, len(result.rows), size):
        group = result.rows[low : low + size]
        cells = [_cell(Spread.of(values)) for values in [*(r.ours for r in group), *(r.baseline for r in group)]]
        table.add_row(group[0].what.removesuffix(f", {result.grouped[0]}"), *cells)
    return table


def _row(row: Row) -> dict[str, Any]:
    spreads = {"ours": row.ours, "baseline": row.baseline, "ratio": row.ratios}
    return {
        "what": row.what,
        "unit": row.unit,
        "better": row.better,
        "samples": {"ours": row.ours, "baseline": row.baseline},
        **{name: msgspec.to_builtins(Spread.of(values)) for name, values in spreads.items()},
    }


def _cell(spread: Spread | None) -> str:
    if spread is None:
        return "–"
    if spread.min == spread.max:
        return _number(spread.median)
    return f"{_number(spread.median)} [{_number(spread.min)}–{_number(spread.max)}]"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
