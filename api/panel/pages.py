"""Every page of the panel on one screen."""

from itertools import groupby

from starlette.routing import Route

from api.auth import ADMINISTER, ANYONE, OPERATE, READ
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

# Of one path all methods stand together; a path with a fixed last word comes before one that takes any.
PAGES = (
    Page("GET", "/panel", READ, home.show_home),
    Page("GET", "/panel/static/{name}", ANYONE, static_files.show_file),
    Page("GET", "/panel/sign-in", ANYONE, session.show_sign_in),
    Page("POST", "/panel/sign-in", ANYONE, session.sign_in, "pass"),
    Page("POST", "/panel/sign-out", ANYONE, session.sign_out),
    Page("POST", "/panel/preferences", ANYONE, session.prefer),
    Page("GET", "/panel/live", READ, live.stream),
    Page("POST", "/panel/pause", OPERATE, home.pause),
    Page("POST", "/panel/resume", OPERATE, home.resume),
    Page("GET", "/panel/tasks", READ, tasks.list_tasks),
    Page("GET", "/panel/tasks/new", OPERATE, tasks.show_form),
    Page("POST", "/panel/tasks/new", OPERATE, tasks.create),
    Page("GET", "/panel/tasks/bulk", OPERATE, bulk.preview),
    Page("POST", "/panel/tasks/bulk", OPERATE, bulk.carry_out),
    Page("POST", "/panel/tasks/{task_id:path}/requeue", OPERATE, tasks.requeue),
    Page("POST", "/panel/tasks/{task_id:path}/cancel", OPERATE, tasks.cancel),
    Page("GET", "/panel/tasks/{task_id:path}", READ, tasks.show_task),
    Page("GET", "/panel/runs", READ, runs.list_runs),
    Page("GET", "/panel/runs/{run_id}", READ, run.show_run),
    Page("GET", "/panel/runs/{run_id}/output", READ, run.show_output),
    Page("GET", "/panel/runs/{run_id}/output.log", READ, run.download_output),
    Page("GET", "/panel/runs/{run_id}/changes.patch", READ, run.download_patch),
    Page("GET", "/panel/runs/{run_id}/steps", READ, traces.show_steps),
    Page("GET", "/panel/runs/{run_id}/changes", READ, traces.show_changes),
    Page("GET", "/panel/runs/{run_id}/patch", READ, traces.show_patch),
    Page("POST", "/panel/runs/{run_id}/retry", OPERATE, run.retry),
    Page("GET", "/panel/runners", READ, runners.list_runners),
    Page("POST", "/panel/runners/{runner_id:path}/drain", OPERATE, runners.drain),
    Page("POST", "/panel/runners/{runner_id:path}/resume", OPERATE, runners.resume),
    Page("GET", "/panel/directives", READ, directives.list_directives),
    Page("POST", "/panel/directives/run", OPERATE, planner.run),
    Page("GET", "/panel/directives/prompt", READ, planner.show_prompt),
    Page("POST", "/panel/directives/{directive_id:path}/apply", OPERATE, directives.apply),
    Page("POST", "/panel/directives/{directive_id:path}/reject", OPERATE, directives.reject),
    Page("GET", "/panel/directives/{directive_id:path}", READ, directives.show_directive),
    Page("GET", "/panel/setup", READ, requests.show_setup),
    Page("GET", "/panel/requests", READ, requests.list_requests),
    Page("GET", "/panel/requests/{request_id}", READ, requests.show_request),
    Page("POST", "/panel/requests/{request_id}/value", ADMINISTER, requests.store, "pass"),
    Page("POST", "/panel/requests/{request_id}/validate", ADMINISTER, requests.validate),
    Page("POST", "/panel/requests/{request_id}/withdraw", ADMINISTER, requests.withdraw),
    Page("POST", "/panel/requests/{request_id}/ask", OPERATE, requests.ask_again),
    Page("GET", "/panel/log", READ, log.list_events),
    Page("GET", "/panel/log/{seq}", READ, log.show_event),
    Page("GET", "/panel/{rest:path}", READ, home.show_nothing),
)


def panel_routes(deps: ApiDeps, live_parts: Live) -> list[Route]:
    """The routes of the panel."""
    return [
        Route(path, Desk({page.method: page for page in pages}, deps, live_parts))
        for path, pages in groupby(PAGES, key=lambda page: page.path)
    ]
