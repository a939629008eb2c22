"""`elruso bench`: the benchmarks of tests/bench, which only a checkout has."""

import importlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from ops.database import driver_address
from ops.errors import OperatorError
from ops.terminal import Terminal, command, option


@command("bench", help="help.bench")
@click.argument("name", required=False)
@option("--json", "as_json", is_flag=True, help="help.bench.json")
@option("--runs", type=click.IntRange(1, 100), default=3, show_default=True, help="help.bench.runs")
@option("--tasks", type=click.IntRange(1, 10_000_000), help="help.bench.tasks")
@option("--histories", type=click.IntRange(1, 10_000_000), help="help.bench.histories")
@option("--seed", type=click.IntRange(0), help="help.bench.seed")
@option("--full", is_flag=True, help="help.bench.full")
@option("--database", metavar="URL", help="help.bench.database")
@option("--keep", is_flag=True, help="help.bench.keep")
@click.pass_obj
def bench(terminal: Terminal, /, name: str | None, as_json: bool, runs: int, **choices: Any) -> None:
    """Measure; exit status 1 if something was not done exactly once, or an idle process asked for work."""
    suite = _suite()
    address = choices["database"] or terminal.config.database_url
    _refuse_unknown(suite, name, given=address is not None)
    if choices["keep"] and not address:
        raise OperatorError("bench.keep_given")
    if name is None and suite.lacking():
        terminal.say("bench.left_out", names=", ".join(suite.lacking()))
    sizes = suite.FULL if name or choices["full"] else suite.MODEST
    if choices["tasks"]:
        tasks = choices["tasks"]
        sizes = replace(sizes, lifecycle_tasks=tasks, cost_tasks=tasks, api_tasks=(tasks,), page_tasks=tasks)
    soaked = {"histories": choices["histories"], "first_seed": choices["seed"]}
    sizes = replace(sizes, **{size: number for size, number in soaked.items() if number is not None})
    asked = suite.Asked(
        name=name,
        runs=runs,
        sizes=sizes,
        as_json=as_json,
        home=terminal.config.home,
        postgres_major=terminal.config.postgres_major,
        database_url=driver_address(address) if address else None,
        keep=choices["keep"],
    )
    if not suite.perform(asked, terminal.say):
        raise OperatorError("bench.failed")


def _suite() -> Any:
    """The module tests.bench.suite of this checkout; `tests` may be anybody's name."""
    ours = Path(__file__).parents[2] / "tests" / "__init__.py"
    found = find_spec("tests")
    if found is None or found.origin is None or Path(found.origin).resolve() != ours.resolve():
        raise OperatorError("bench.no_checkout")
    return importlib.import_module("tests.bench.suite")


def _refuse_unknown(suite: Any, name: str | None, given: bool) -> None:
    if name is not None and name not in suite.BENCHMARKS:
        raise OperatorError("bench.unknown", name=name, known=", ".join(suite.BENCHMARKS))
    if given and name in suite.OWN_SERVER_ONLY:
        raise OperatorError("bench.own_only", name=name)
    if name in suite.lacking():
        raise OperatorError("bench.no_wrk", name=name)
