"""What an idle runner and an idle API say to the database: next to nothing, and never a question for work."""

from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial

from events.connect import Database
from tests.bench.command import START_SECONDS, elruso, serving
from tests.bench.measure import Row, pause
from tests.bench.plan import Plan
from tests.bench.report import Result
from tests.bench.server import Bench, observe
from tests.bench.statement_log import Statement, StatementLog
from tests.support.waiting import eventually

BUDGET = 12  # statements a minute, each
MUST_BE_SILENT = ("claim", "promote", "look_ahead", "list", "page")  # how names of statements that look for work begin


async def run(bench: Bench, plan: Plan) -> Result:
    """Statements a minute of each, by kind, as the server logged them."""
    async with bench.database() as database, AsyncExitStack() as stack:
        log = StatementLog(bench)
        await log.prepare(database)
        plan.voice.say("idle: an API and a runner start")
        await stack.enter_async_context(serving(database))
        await stack.enter_async_context(elruso(database, "runner", "run"))
        _alive: bool = await eventually(partial(_has_runner, database), START_SECONDS, "a runner that is alive")
        await pause(plan.sizes.idle_settle_seconds)
        await log.start()
        await _watch(plan)
        await log.stop()
    return judge(log.statements, plan.sizes.idle_seconds)


def judge(statements: Sequence[Statement], seconds: float) -> Result:
    """The rates, and whether they are within the budget."""
    rows, checks = [], {}
    for who in ("runner", "api"):
        kinds = Counter(statement.name for statement in statements if who in statement.application)
        per_minute = kinds.total() * 60 / seconds
        rows.append(Row(who, "statements/min", [per_minute], [float(BUDGET)], better="lower"))
        rows += [
            Row(f"  {kind}", "statements/min", [n * 60 / seconds], better="lower") for kind, n in kinds.most_common()
        ]
        checks[f"{who}: at most {BUDGET} statements a minute"] = per_minute <= BUDGET
    strangers = sorted({statement.application for statement in statements if not _is_ours(statement)})
    checks["nobody else spoke" + (f", but {', '.join(strangers)}" if strangers else "")] = not strangers
    asked = sorted({statement.name for statement in statements if statement.name.startswith(MUST_BE_SILENT)})
    checks["nobody looked for work" + (f", but {', '.join(asked)}" if asked else "")] = not asked
    title = "statements of an idle runner and an idle API, from the server's log"
    return Result("idle", title, f"the budget, {BUDGET} a minute", rows, checks, {"seconds": seconds})


async def _watch(plan: Plan) -> None:
    whole = plan.sizes.idle_seconds
    plan.voice.say("idle: reading the server's log")
    elapsed = 0.0
    while elapsed < whole:
        piece = min(1.0, whole - elapsed)
        await pause(piece)
        elapsed += piece
        plan.voice.show(round(elapsed), round(whole))


async def _has_runner(database: Database) -> bool:
    connection = await observe(database)
    try:
        return bool(await connection.fetchval("SELECT count(*) FROM view.runners WHERE status = 'alive'"))
    finally:
        await connection.close()


def _is_ours(statement: Statement) -> bool:
    return statement.application.startswith("elruso-")
