"""Every question the panel and the API ask, as it is asked over a long history: which indexes answer it, and how many
rows of large tables it may read for that."""

from typing import Any

from msgspec import Struct

from events.log import PAGE_BYTES
from projections.page import FROM_THE_NEWEST

TASKS = 50_000
WINDOW = 2_000  # rows that a filtered list may look at, here
PAGE = 51
FIRST_RUN = TASKS + 1  # the claims come behind the creations
ALL = ["PENDING", "APPLIED", "REJECTED"]

LARGE = {
    *("events", "tasks", "ended_runs", "steps", "file_changes", "task_deps", "aside", "lost_runs"),
    *("run_counts", "ready", "scheduled", "output", "artifacts", "directives", "planner_runs", "runners"),
}


class Query(Struct, frozen=True):
    """A statement with its arguments; the indexes it must use; how many rows of LARGE tables it may touch."""

    statement: str
    arguments: tuple[Any, ...]
    indexes: set[str]
    most: int
    package: str = "projections"


def windowed(*more: Any) -> tuple[Any, ...]:
    """Arguments of a list from its newest on."""
    return (FROM_THE_NEWEST, WINDOW, *more)


def log(statement: str, arguments: tuple[Any, ...], indexes: set[str], most: int) -> Query:
    """A statement of events/log.sql."""
    return Query(f"log.{statement}", arguments, indexes, most, "events")


TASK_QUERIES = {
    "a task": Query("tasks.tasks_by_id", (["t7"], None), {"tasks_pkey", "events_pkey"}, 2),
    "a page of tasks": Query(
        "tasks.tasks_by_id", ([f"t{k}" for k in range(1, 1001)], None), {"tasks_pkey", "events_pkey"}, 2000
    ),
    "how many of them fit": Query(
        "tasks.count_fitting",
        ([f"t{k}" for k in range(1, 1001)], PAGE_BYTES),
        {"tasks_pkey", "events_pkey"},
        2000,
    ),
    "all tasks": Query("tasks.list_newest", windowed(None, None, None, PAGE, None), {"tasks_by_creation"}, PAGE),
    "done tasks": Query("tasks.list_newest", windowed("done", None, None, PAGE, None), {"tasks_by_creation"}, WINDOW),
    "tasks of a phase": Query(
        "tasks.list_newest", (90_000, WINDOW, None, "3", None, PAGE, None), {"tasks_by_creation"}, WINDOW
    ),
    "tasks with a word": Query(
        "tasks.list_newest", windowed(None, None, "kumquat", PAGE, None), {"tasks_by_creation"}, WINDOW
    ),
    "the next window": Query("tasks.last_of_newest", windowed(None, None), {"tasks_by_creation"}, WINDOW),
    "the oldest tasks": Query(
        "tasks.list_oldest", (0, WINDOW, None, "3", None, PAGE, None), {"tasks_by_creation"}, WINDOW
    ),
    "the next window of the oldest": Query(
        "tasks.last_of_oldest", (0, WINDOW, None, None), {"tasks_by_creation"}, WINDOW
    ),
    "failed tasks": Query(
        "tasks.list_aside", windowed("failed", None, None, PAGE, None), {"aside_pkey", "tasks_pkey"}, 2 * PAGE
    ),
    "failed tasks with a word": Query(
        "tasks.list_aside", windowed("failed", None, "kumquat", PAGE, None), {"aside_pkey", "tasks_pkey"}, 2 * WINDOW
    ),
    "the oldest failed tasks": Query(
        "tasks.list_aside_oldest", (0, WINDOW, "failed", None, None, PAGE, None), {"aside_pkey", "tasks_pkey"}, 2 * PAGE
    ),
    "the next window of failed tasks": Query("tasks.last_of_aside", windowed(None, "failed"), {"aside_pkey"}, WINDOW),
    "the next window of the oldest failed": Query(
        "tasks.last_of_aside_oldest", (0, WINDOW, None, "failed"), {"aside_pkey"}, WINDOW
    ),
    "tasks of a directive": Query(
        "tasks.list_directive", windowed(None, None, None, PAGE, "d-3"), {"tasks_by_directive"}, 100
    ),
    "the next window of a directive": Query(
        "tasks.last_of_directive", windowed("d-3", None), {"tasks_by_directive"}, 100
    ),
    "ready tasks": Query("tasks.list_ready", (100, 3, PAGE), {"ready_pkey"}, PAGE),
    "scheduled tasks": Query("tasks.list_scheduled", (0, 0, PAGE), {"scheduled_pkey"}, PAGE + 1),
    "waiting tasks": Query("tasks.list_waiting", (0, 0, PAGE), {"aside_pkey"}, PAGE),
    "running tasks": Query("tasks.list_running", windowed("running", None, None, PAGE, None), {"tasks_pkey"}, 40),
    "the longest running": Query(
        "tasks.list_longest", (0, WINDOW, "running", None, None, PAGE, None), {"tasks_pkey"}, 40
    ),
    "running ones by priority": Query(
        "tasks.list_urgent", (100, 5, "running", None, None, PAGE, None), {"tasks_pkey"}, 40
    ),
    "the oldest of a directive": Query(
        "tasks.list_directive_oldest", (0, WINDOW, None, None, None, PAGE, "d-3"), {"tasks_by_directive"}, 101
    ),
    "the next window of a directive's oldest": Query(
        "tasks.last_of_directive_oldest", (0, WINDOW, "d-3", None), {"tasks_by_directive"}, 101
    ),
    "what was done last": Query(
        "tasks.list_done", windowed("done", None, None, PAGE, None), {"ended_runs_pkey"}, WINDOW
    ),
    "the next window of what is done": Query("tasks.last_of_done", windowed(None, "done"), {"ended_runs_pkey"}, WINDOW),
    "a task by its name": Query("tasks.find_named", ("t7", None, None, None), {"tasks_pkey"}, 1),
    "how many tasks": Query("tasks.count_tasks", ("done",), set(), 0),
    "lines of tasks": Query("briefs.briefs_of_tasks", ([f"t{k}" for k in range(50)],), {"tasks_pkey"}, 50),
    "statuses of many": Query("briefs.count_statuses", ([f"t{k}" for k in range(5000)],), {"tasks_pkey"}, 5000),
    "why a task waits": Query("why.look_at_task", (f"t{TASKS}", 60.0, 1000), {"tasks_pkey", "ready_pkey"}, 1001),
    "what it waits for": Query("why.list_unfinished_parents", ("t5", 20), {"task_deps_by_child", "tasks_pkey"}, 2),
    "what one of many parents waits for": Query(
        "why.list_unfinished_parents", ("last", 20), {"task_deps_by_child", "tasks_pkey"}, 40
    ),
    "parents": Query("neighbours.list_parents_of", (["t5", "t10"], 200), {"task_deps_by_child"}, 2),
    "many parents": Query("neighbours.list_parents_of", (["last", "t5"], 100), {"task_deps_by_child"}, 101),
    "children": Query("neighbours.list_children_of", (["t4", "t9"], 200), {"task_deps_pkey"}, 2),
    "many children": Query("neighbours.list_children_of", (["first", "t4"], 100), {"task_deps_pkey"}, 101),
}
RUN_QUERIES = {
    "all runs": Query("runs.list_newest", windowed(None, PAGE, None), {"ended_runs_pkey"}, PAGE),
    "done runs": Query("runs.list_newest", windowed("done", PAGE, None), {"ended_runs_pkey"}, WINDOW),
    "the next window of runs": Query("runs.last_of_newest", windowed(), {"ended_runs_pkey"}, WINDOW),
    "failed runs": Query("runs.list_lost", windowed("failed", PAGE, None), {"lost_runs_pkey"}, PAGE),
    "the oldest failed runs": Query(
        "runs.list_lost_oldest", (0, WINDOW, "failed", PAGE, None), {"lost_runs_pkey"}, PAGE
    ),
    "the oldest runs": Query("runs.list_oldest", (0, WINDOW, "done", PAGE, None), {"ended_runs_pkey"}, WINDOW),
    "the next window of the oldest runs": Query("runs.last_of_oldest", (0, WINDOW), {"ended_runs_pkey"}, WINDOW),
    "the longest runs in flight": Query("runs.list_longest", (0, WINDOW, "running", PAGE, None), set(), 0),
    "attempts of a task": Query(
        "runs.list_task_oldest", (0, WINDOW, None, PAGE, "t7"), {"events_stream_version", "ended_runs_pkey"}, 10
    ),
    "runs in flight": Query("runs.list_running", windowed("running", PAGE, None), set(), 0),
    "runs of a task": Query(
        "runs.list_task", windowed(None, PAGE, "t7"), {"events_stream_version", "ended_runs_pkey"}, 10
    ),
    "how many runs fit": Query(
        "runs.count_fitting", (list(range(FIRST_RUN, FIRST_RUN + 50)), PAGE_BYTES), {"ended_runs_pkey"}, 50
    ),
    "a page of runs": Query("runs.runs_by_id", (list(range(FIRST_RUN, FIRST_RUN + 50)), None), {"ended_runs_pkey"}, 50),
    "lines of runs": Query(
        "briefs.briefs_of_runs", (list(range(FIRST_RUN, FIRST_RUN + 50)),), {"ended_runs_pkey", "tasks_pkey"}, 100
    ),
    "a run": Query(
        "runs.run_with_steps",
        (FIRST_RUN, 200, 200, PAGE_BYTES),
        {"ended_runs_pkey", "steps_pkey", "file_changes_by_run", "artifacts_pkey", "events_stream_version"},
        7,
    ),
    "a run, whole": Query(
        "runs.run_with_steps", (FIRST_RUN, None, None, PAGE_BYTES), {"steps_pkey", "file_changes_by_run"}, 7
    ),
    "more steps of a run": Query("runs.list_steps", (FIRST_RUN, 0, 101), {"steps_pkey"}, 1),
    "more files of a run": Query("runs.list_changes", (FIRST_RUN, "", 201), {"file_changes_by_run"}, 1),
    "how much a run did": Query("runs.count_traces", (FIRST_RUN,), {"steps_pkey", "file_changes_by_run"}, 2),
    "output": Query("output.list_output", (FIRST_RUN, None, 0, 1001, PAGE_BYTES), {"output_pkey"}, 1),
    "the end of the output": Query("output.tail_output", (FIRST_RUN, 150_000, 500), {"output_pkey"}, 2),
    "the next output": Query("output.next_output", (FIRST_RUN, 0, 150_000, 500), {"output_pkey"}, 1),
    "a patch": Query("output.find_artifact", (FIRST_RUN, "patch"), {"artifacts_pkey"}, 1),
    "the beginning of a patch": Query("output.cut_artifact", (FIRST_RUN, "patch", 0, 1000), {"artifacts_pkey"}, 1),
    "the next file of a patch": Query("output.find_file_in_patch", (FIRST_RUN, 5), {"artifacts_pkey"}, 1),
}
LOG_QUERIES = {
    "the latest events": Query(
        "story.list_latest", windowed("task", "task.blocked", None, True, PAGE), {"events_pkey"}, WINDOW
    ),
    "events of an actor": Query("story.list_latest", windowed(None, None, "gpt", True, PAGE), {"events_pkey"}, WINDOW),
    "the next window of events": Query("story.last_of_latest", windowed(), {"events_pkey"}, WINDOW),
    "events of a seldom type": Query(
        "story.list_seldom", (FROM_THE_NEWEST, ["task.blocked", "task.failed"], PAGE), {"events_seldom"}, 2 * PAGE
    ),
    "the story of a task": Query("story.list_stream", ("task", "t7", 2**31 - 1, PAGE), {"events_stream_version"}, 10),
    "effects": Query(
        "story.list_effects", (7, WINDOW, 100, "task", "t7", 1), {"events_pkey", "events_stream_version"}, WINDOW + 10
    ),
    "an event": Query("story.find_event", (7, 1000), {"events_pkey"}, 1),
    "a page of the log": log("read_log", (7, PAGE, PAGE_BYTES), {"events_pkey"}, PAGE),
    "a page of a kind": log("read_log_of_kind", (7, PAGE, PAGE_BYTES, "runner", WINDOW), {"events_pkey"}, WINDOW),
    "the next window of the log": log("last_of_log", (7, WINDOW), {"events_pkey"}, WINDOW),
    "a page of a seldom kind": log(
        "read_log_of_types", (7, PAGE, PAGE_BYTES, ["system.paused", "task.blocked"]), {"events_seldom"}, PAGE
    ),
    "a page of a long stream": log(
        "read_log_of_stream",
        (200_000, PAGE, PAGE_BYTES, ["task", "runner"], "r9"),
        {"events_stream_version"},
        PAGE + 20,
    ),
    "a stream": log("read_stream", ("runner", "r9", 4_000, PAGE), {"events_stream_version"}, PAGE),
    "the last seq": log("last_seq", (), {"events_pkey"}, 1),
}
OTHER_QUERIES = {
    "the moment of the metrics": Query("metrics.show_moment", (), set(), 0),
    "metrics": Query(
        "metrics.show_metrics",
        (60.0, 1000),
        {"ended_runs_pkey", "tasks_pkey", "ready_pkey", "run_counts_pkey", "runners_by_hour"},
        2400,
    ),
    "activity": Query("activity.count_activity", (24, 30), {"run_counts_pkey"}, 300),
    "a directive": Query("directives.directives_by_id", (["d-5"], True), {"directives_pkey", "tasks_pkey"}, 5),
    "how many directives fit": Query(
        "directives.count_fitting", (["d-5"], PAGE_BYTES), {"directives_pkey", "events_pkey"}, 5
    ),
    "what a directive plans": Query("directives.planned_tasks", ("d-5",), {"directives_pkey"}, 5),
    "the digest of a plan": Query("directives.plan_digest", ("d-5",), {"directives_pkey"}, 5),
    "a part of what a directive plans": Query("directives.page_of_plan", ("d-5", 0, 100), {"directives_pkey"}, 5),
    "lines of directives": Query(
        "briefs.briefs_of_directives", (["d-5", "d-100"],), {"directives_pkey", "tasks_pkey"}, 4
    ),
    "directives": Query(
        "directives.list_directives", (FROM_THE_NEWEST, ALL, PAGE), {"directives_by_status"}, len(ALL) * PAGE
    ),
    "pending directives": Query(
        "directives.list_directives", (FROM_THE_NEWEST, ["PENDING"], PAGE), {"directives_by_status"}, PAGE
    ),
    "undecided directives": Query("directives.count_undecided", (100,), {"directives_by_status"}, 100),
    "how many directives": Query("directives.count_directives", (ALL, 1000), {"directives_by_status"}, 1200),
    "runs of the planner": Query(
        "planner_runs.list_planner_runs",
        (FROM_THE_NEWEST, ["completed", "failed"], PAGE),
        {"planner_runs_by_status", "events_pkey"},
        3 * PAGE,
    ),
    "failed runs of the planner": Query(
        "planner_runs.planner_run_places", (FROM_THE_NEWEST, ["failed"], PAGE), {"planner_runs_by_status"}, PAGE
    ),
    "the planner": Query("planner_runs.show_planner", (), {"planner_runs_by_seq", "planner_runs_by_end"}, 110),
    "spent today": Query("planner_runs.spent_today", (), {"planner_runs_by_end"}, 110),
    "requests": Query("requests.list_requests", (), set(), 0),
    "runners": Query("runners.list_runners", (60.0, 1000, False), {"runners_by_hour"}, 1010),
    "a runner": Query("runners.find_runner", (60.0, "r9"), {"runners_pkey"}, 1),
    "runners at a glance": Query("runners.glance_at_runners", (60.0, 6), {"runners_by_hour"}, 10),
    "the database's state": Query("system.show_state", (), set(), 0),
    "forgotten transactions": Query("horizon.list_holders", (300.0,), set(), 0),
    "the system": Query("system.show_system", (), set(), 0),
}
QUERIES = TASK_QUERIES | RUN_QUERIES | LOG_QUERIES | OTHER_QUERIES
