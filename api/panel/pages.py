"""Every page of the panel on one screen."""

from collections.abc import Mapping
from itertools import groupby

from starlette.routing import Route

from api.deps import ApiDeps
from api.live import Live
from api.panel import (
    bulk,
    directives,
    home,
    live,
    log,
    planner,
    requests,
    run,
    runners,
    runs,
    session,
    static_files,
    tasks,
    traces,
)
from api.panel.page import Desk, Page

# Of one path all methods stand together; a path with a fixed last word comes before one that takes any. The third word
# is a permission (api/permissions.py), the same as that of the endpoint that does the same.
PAGES = (
    Page("GET", "/panel", "read", home.show_home),
    Page("GET", "/panel/static/{name}", "none", static_files.show_file),
    Page("GET", "/panel/sign-in", "none", session.show_sign_in),
    Page("POST", "/panel/sign-in", "none", session.sign_in, "pass"),
    Page("POST", "/panel/sign-out", "none", session.sign_out),
    Page("POST", "/panel/preferences", "none", session.prefer),
    Page("GET", "/panel/live", "read", live.stream),
    Page("POST", "/panel/pause", "pause", home.pause),
    Page("POST", "/panel/resume", "pause", home.resume),
    Page("GET", "/panel/tasks", "read", tasks.list_tasks),
    Page("GET", "/panel/tasks/new", "create tasks", tasks.show_form),
    Page("POST", "/panel/tasks/new", "create tasks", tasks.create),
    Page("GET", "/panel/tasks/bulk", "cancel", bulk.preview),
    Page("POST", "/panel/tasks/bulk", "cancel", bulk.carry_out),
    Page("POST", "/panel/tasks/{task_id:path}/requeue", "requeue", tasks.requeue),
    Page("POST", "/panel/tasks/{task_id:path}/cancel", "cancel", tasks.cancel),
    Page("GET", "/panel/tasks/{task_id:path}", "read", tasks.show_task),
    Page("GET", "/panel/runs", "read", runs.list_runs),
    Page("GET", "/panel/runs/{run_id}", "read", run.show_run),
    Page("GET", "/panel/runs/{run_id}/output", "read", run.show_output),
    Page("GET", "/panel/runs/{run_id}/output.log", "read", run.download_output),
    Page("GET", "/panel/runs/{run_id}/changes.patch", "read", run.download_patch),
    Page("GET", "/panel/runs/{run_id}/result.json", "read", run.download_result),
    Page("GET", "/panel/runs/{run_id}/steps", "read", traces.show_steps),
    Page("GET", "/panel/runs/{run_id}/changes", "read", traces.show_changes),
    Page("GET", "/panel/runs/{run_id}/patch", "read", traces.show_patch),
    Page("POST", "/panel/runs/{run_id}/retry", "requeue", run.retry),
    Page("GET", "/panel/runners", "read", runners.list_runners),
    Page("POST", "/panel/runners/{runner_id:path}/drain", "drain", runners.drain),
    Page("POST", "/panel/runners/{runner_id:path}/resume", "drain", runners.resume),
    Page("GET", "/panel/directives", "read", directives.list_directives),
    Page("POST", "/panel/directives/run", "run planner", planner.run),
    Page("GET", "/panel/directives/prompt", "compose prompt", planner.show_prompt),
    Page("POST", "/panel/directives/{directive_id:path}/apply", "decide", directives.apply),
    Page("POST", "/panel/directives/{directive_id:path}/reject", "decide", directives.reject),
    Page("GET", "/panel/directives/{directive_id:path}", "read", directives.show_directive),
    Page("GET", "/panel/setup", "read", requests.show_setup),
    Page("GET", "/panel/requests", "read", requests.list_requests),
    Page("GET", "/panel/requests/{request_id}", "read", requests.show_request),
    Page("POST", "/panel/requests/{request_id}/value", "change credentials", requests.store, "pass"),
    Page("POST", "/panel/requests/{request_id}/validate", "change credentials", requests.validate),
    Page("POST", "/panel/requests/{request_id}/withdraw", "change credentials", requests.withdraw),
    Page("POST", "/panel/requests/{request_id}/ask", "ask for credentials", requests.ask_again),
    Page("GET", "/panel/log", "read", log.list_events),
    Page("GET", "/panel/log/{seq}", "read", log.show_event),
    Page("GET", "/panel/{rest:path}", "read", home.show_nothing),
)

UNKNOWN = Page("GET", "/", "none", home.show_unknown)
"""For browsers, where neither the API nor the panel has anything."""


def panel_routes(deps: ApiDeps, live_parts: Live) -> list[Route]:
    """The routes of the panel."""
    return [
        Route(path, Desk(by_method := {page.method: page for page in pages}, _form_page(by_method), deps, live_parts))
        for path, pages in groupby(PAGES, key=lambda page: page.path)
    ]


def _form_page(by_method: Mapping[str, Page]) -> Page | None:
    """The page that the form of a path stands on: at the same path, or the nearest one above it."""
    if "POST" not in by_method:
        return None
    readable = {page.path: page for page in PAGES if page.method == "GET"}
    path = by_method["POST"].path
    while path not in readable:
        path = path.rpartition("/")[0]
    return readable[path]
