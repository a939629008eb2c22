"""Every page of the panel with every filter it offers, and the lists of the API: which addresses are measured."""

from collections.abc import Iterator
from urllib.parse import quote, urlencode

from msgspec import Struct

from api.panel.log import KINDS, TYPES
from api.panel.runs import STATUSES as RUN_STATUSES
from api.panel.tasks import STATUSES
from tests.bench.lives import COMMON_WORD, HUB, LARGE, LONG_RUN, RARE_PHASE, RARE_WORD, VETERAN
from tests.bench.visitor import Visitor

SECOND, HUNDREDTH = 1, 99  # pages on from the first
TICKED = 50  # a page of tasks
NOBODY = "nobody-is-called-so"


class Address(Struct, frozen=True):
    """What is asked for, in words, and where."""

    what: str
    path: str


def addresses(visitor: Visitor) -> list[Address]:
    """All of them, in a history of tests/bench/lives.py."""
    parts = (task_lists, task_pages, bulk_previews, run_pages, other_pages, log_pages, api_lists)
    return [address for part in parts for address in part(visitor)]


def task_lists(visitor: Visitor) -> Iterator[Address]:
    """The list of tasks by each filter, and what comes after its first page."""
    yield Address("home", "/panel")
    yield from _pages(visitor, "tasks", "/panel/tasks", SECOND, HUNDREDTH)
    for status in STATUSES:
        yield from _pages(visitor, f"tasks, {status}", f"/panel/tasks?status={status}", SECOND, HUNDREDTH)
    yield Address("tasks, ready, those that wait", "/panel/tasks?status=ready&cursor=waiting-0-0")
    filters: dict[str, dict[str, str]] = {
        "of a common phase": {"phase": "billing"},
        "of a rare phase": {"phase": RARE_PHASE},
        "of no phase there is": {"phase": NOBODY},
        "of a directive of 2,000": {"directive": LARGE},
        "of no directive there is": {"directive": NOBODY},
        "with a common word": {"text": COMMON_WORD},
        "with a rare word": {"text": RARE_WORD},
        "with no word there is": {"text": NOBODY},
        "with an id": {"text": HUB},
        "oldest first": {"sort": "oldest"},
        "failed, oldest first": {"status": "failed", "sort": "oldest"},
        "failed, with a common word": {"status": "failed", "text": COMMON_WORD},
        "failed, with no word there is": {"status": "failed", "text": NOBODY},
        "ready, of a phase": {"status": "ready", "phase": "billing"},
        "ready, with no word there is": {"status": "ready", "text": NOBODY},
        "running, with no word there is": {"status": "running", "text": NOBODY},
        "done, of a rare phase": {"status": "done", "phase": RARE_PHASE},
        "of a directive of 2,000, failed": {"directive": LARGE, "status": "failed"},
    }
    for what, fields in filters.items():
        later = (SECOND,) if "rare" in what else ()
        yield from _pages(visitor, f"tasks {what}", f"/panel/tasks?{urlencode(fields)}", *later)


def task_pages(visitor: Visitor) -> Iterator[Address]:
    """Pages of single tasks."""
    for status in STATUSES:
        for task in visitor.data(f"/ops/tasks?status={status}&limit=1"):
            yield Address(f"a task, {status}", f"/panel/tasks/{quote(task['id'])}")
    yield Address("a task of 1,000 children", f"/panel/tasks/{HUB}")
    yield Address("a task of 1,000 parents", "/panel/tasks/hub-end")
    yield Address("one of 1,000 children", "/panel/tasks/hub-0000")
    yield Address("a task of 3,000 events", f"/panel/tasks/{VETERAN}")
    yield Address("a new task", "/panel/tasks/new")


def bulk_previews(visitor: Visitor) -> Iterator[Address]:
    """What a deed for many would do."""
    ticked = [("task", task["id"]) for task in visitor.data(f"/ops/tasks?limit={TICKED}")]
    yield Address("bulk, 50 ticked", f"/panel/tasks/bulk?deed=cancel&{urlencode(ticked)}")
    filters: dict[str, dict[str, str]] = {
        "all": {},
        **{status: {"status": status} for status in STATUSES},
        "a common word": {"text": COMMON_WORD},
        "a rare word": {"text": RARE_WORD},
        "failed, a common word": {"status": "failed", "text": COMMON_WORD},
        "a rare phase": {"phase": RARE_PHASE},
        "a directive of 2,000": {"directive": LARGE},
    }
    for what, fields in filters.items():
        yield Address(f"bulk, {what}", f"/panel/tasks/bulk?deed=cancel&all=1&{urlencode(fields)}".rstrip("&"))


def run_pages(visitor: Visitor) -> Iterator[Address]:
    """Runs and their list."""
    yield from _pages(visitor, "runs", "/panel/runs", SECOND, HUNDREDTH)
    for status in RUN_STATUSES:
        yield Address(f"runs, {status}", f"/panel/runs?status={status}")
    yield Address("runs of a task of 500", f"/panel/runs?task={VETERAN}")
    [plain, *_] = visitor.data("/runs?status=done&limit=1")
    [long, *_] = visitor.data(f"/runs?task_id={LONG_RUN}&limit=1")
    yield Address("a run", f"/panel/runs/{plain['id']}")
    yield Address("a run of 1,000 steps and files", f"/panel/runs/{long['id']}")
    yield Address("a run of 1,000 steps, searched", f"/panel/runs/{long['id']}?find=renamed")
    for part in ("steps", "changes", "patch"):
        yield from _pages(
            visitor, f"{part} of a run of 1,000 steps and files", f"/panel/runs/{long['id']}/{part}", SECOND
        )
    yield Address("more output of a run", f"/panel/runs/{long['id']}/output?after=1000")


def other_pages(visitor: Visitor) -> Iterator[Address]:
    """Runners, directives, requests."""
    yield from _pages(visitor, "runners, 200 online", "/panel/runners", SECOND)
    yield from _pages(visitor, "directives", "/panel/directives", SECOND, HUNDREDTH)
    for status in ("PENDING", "APPLIED", "REJECTED"):
        yield Address(f"directives, {status}", f"/panel/directives?status={status}")
        for directive in visitor.data(f"/ops/directives?status={status}&limit=1"):
            yield Address(f"a directive, {status}", f"/panel/directives/{directive['id']}")
    yield from _pages(visitor, "a directive of 2,000 tasks", f"/panel/directives/{LARGE}", SECOND, 19)
    yield Address("the planner's prompt", "/panel/directives/prompt")
    yield Address("requests", "/panel/requests")
    yield Address("setup", "/panel/setup")
    yield Address("a request", "/panel/requests/REQ-003")


def log_pages(visitor: Visitor) -> Iterator[Address]:
    """The log by each filter; single events."""
    yield from _pages(visitor, "log", "/panel/log", SECOND, HUNDREDTH)
    yield Address("log with heartbeats", "/panel/log?heartbeats=1")
    for kind in KINDS:
        yield Address(f"log, {kind}", f"/panel/log?kind={kind}")
    for name in TYPES:
        yield Address(f"log, {name}", f"/panel/log?type={name}")
    yield Address("log of a common actor", "/panel/log?actor=runner:forge-007")
    yield Address("log of a rare actor", "/panel/log?actor=runner:pod-0001")
    yield Address("log of no actor there is", f"/panel/log?actor={NOBODY}")
    yield from _pages(visitor, "log of a task of 3,000 events", f"/panel/log?kind=task&id={VETERAN}", SECOND)
    events = {event["type"]: event for event in visitor.data("/ops/events?limit=1000")}
    for name in ("task.created", "task.claimed"):
        yield Address(f"an event, {name}", f"/panel/log/{events[name]['seq']}")
    [proposal] = visitor.data(f"/ops/events?kind=directive&id={LARGE}&limit=1")
    yield Address("an event of 500 kB", f"/panel/log/{proposal['seq']}")


def api_lists(visitor: Visitor) -> Iterator[Address]:
    """What other programs ask for."""
    yield Address("GET /ops/metrics", "/ops/metrics")
    yield Address("GET /metrics", "/metrics")
    yield Address("GET /ops/tasks, 1,000", "/ops/tasks")
    yield from _pages(visitor, "GET /ops/tasks, 50", "/ops/tasks?limit=50", HUNDREDTH)
    for status in STATUSES:
        yield Address(f"GET /ops/tasks, {status}, 50", f"/ops/tasks?status={status}&limit=50")
    yield Address("GET /ops/tasks, a rare phase", f"/ops/tasks?phase={RARE_PHASE}&limit=50")
    yield Address("GET /ops/tasks, a rare word", f"/ops/tasks?text={RARE_WORD}&limit=50")
    yield Address("GET /ops/tasks, a directive of 2,000", f"/ops/tasks?directive_id={LARGE}&limit=50")
    yield Address("GET /ops/tasks/{id}", f"/ops/tasks/{VETERAN}")
    [waiting, *_] = visitor.data("/ops/tasks?status=ready&limit=1")
    yield Address("GET /ops/tasks/{id}/why", f"/ops/tasks/{quote(waiting['id'])}/why")
    yield Address("GET /runs, 50", "/runs")
    for ended in RUN_STATUSES:
        yield Address(f"GET /runs, {ended}, 50", f"/runs?status={ended}")
    [long, *_] = visitor.data(f"/runs?task_id={LONG_RUN}&limit=1")
    yield Address("GET /runs/{id}, 1,000 steps and files", f"/runs/{long['id']}")
    yield Address("GET /runs/{id}/output", f"/runs/{long['id']}/output?limit=100")
    yield Address("GET /ops/events, 100", "/ops/events?limit=100&after=1000")
    for kind in KINDS:
        yield Address(f"GET /ops/events, {kind}, 100", f"/ops/events?limit=100&kind={kind}")
    yield Address("GET /ops/events of a task of 3,000", f"/ops/events?limit=100&kind=task&id={VETERAN}")
    yield Address("GET /ops/runner/status", "/ops/runner/status")
    yield Address("GET /ops/directives, 50", "/ops/directives?limit=50")
    yield Address("GET /ops/directives, REJECTED, 50", "/ops/directives?status=REJECTED&limit=50")
    yield Address("GET /ops/directives/{id}, 2,000 tasks", f"/ops/directives/{LARGE}")
    yield Address("GET /ops/gpt/runs, 50", "/ops/gpt/runs")
    yield Address("GET /ops/gpt/status", "/ops/gpt/status")
    yield Address("GET /ops/requests", "/ops/requests")


def _pages(visitor: Visitor, what: str, path: str, *later: int) -> Iterator[Address]:
    """The first page of a list, and, where the list is so long, the one so many pages on."""
    yield Address(what, path)
    for pages in later:
        if (place := visitor.turn(path, pages)) != path:
            yield Address(f"{what}, page {pages + 1}", place)
