"""The application: every address on one screen, and around it what all requests have in common."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from itertools import groupby
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from api.auth import SAFE_METHODS
from api.cross_origin import CrossOrigin
from api.deps import ApiDeps
from api.endpoint import Endpoint, Resource
from api.errors import answer_error
from api.fixed_paths import FixedPaths
from api.live import Live
from api.negotiation import prefers_html
from api.openapi import describe
from api.panel.pages import UNKNOWN, panel_routes
from api.request_log import RequestLog, Write
from api.routes import (
    actions,
    artifacts,
    claims,
    contract,
    directives,
    events,
    health,
    metrics,
    output,
    planner,
    requests,
    runners,
    runs,
    system,
    tasks,
    why,
)

# Of one path all methods stand together; a path with a fixed last word comes before one that takes any. The third word
# is a permission (api/permissions.py). The last word of some rows is about secrets in their bodies (api/screening.py);
# where it is missing they are refused. `shared` and `body_bytes`: see api/endpoint.py. `seconds`: see api/entry.py.
ENDPOINTS = (
    Endpoint("GET", "/", "none", health.show_root),
    Endpoint("GET", "/health", "none", health.show_health),
    Endpoint("GET", "/openapi.json", "none", contract.show_contract),
    Endpoint("GET", "/metrics", "read", metrics.show_prometheus),
    Endpoint("GET", "/ops/metrics", "read", metrics.show_metrics, shared="moment"),
    Endpoint("GET", "/ops/runner/status", "read", runners.list_runners, shared="moment"),
    Endpoint("POST", "/ops/runner/heartbeat", "heartbeat", runners.heartbeat, "redact", body_bytes=64 << 10),
    Endpoint("POST", "/ops/runner/release", "report", runners.release, "redact"),
    Endpoint("POST", "/runners/{runner_id:path}/drain", "drain", runners.drain_runner),
    Endpoint("POST", "/runners/{runner_id:path}/resume", "drain", runners.resume_runner),
    Endpoint("GET", "/ops/tasks", "read", tasks.list_tasks, shared="log"),
    Endpoint("POST", "/ops/tasks", "create tasks", tasks.create_tasks, body_bytes=None),
    Endpoint("POST", "/ops/tasks/claim", "claim", claims.claim_tasks, "redact", seconds=None),
    Endpoint("POST", "/ops/tasks/{task_id:path}/requeue", "hand back", tasks.requeue_task, "redact"),
    Endpoint("POST", "/ops/tasks/{task_id:path}/cancel", "cancel", tasks.cancel_task),
    Endpoint("POST", "/ops/tasks/{task_id:path}/priority", "prioritize", tasks.prioritize_task),
    Endpoint("GET", "/ops/tasks/{task_id:path}/why", "read", why.explain_task, shared="moment"),
    Endpoint("GET", "/ops/tasks/{task_id:path}", "read", tasks.show_task, shared="moment"),
    Endpoint("PATCH", "/ops/tasks/{task_id:path}", "change tasks", tasks.change_task, "redact"),
    Endpoint("GET", "/runs", "read", runs.list_runs, shared="log"),
    Endpoint("POST", "/runs", "report", runs.start_run, "redact"),
    Endpoint("GET", "/runs/{run_id}", "read", runs.show_run, shared="moment"),
    Endpoint("PATCH", "/runs/{run_id}", "report", runs.finish_run, "redact", body_bytes=None),
    Endpoint("POST", "/runs/{run_id}/steps", "report", runs.add_step, "redact"),
    Endpoint("GET", "/runs/{run_id}/output", "read", output.list_output, shared="moment"),
    Endpoint("POST", "/runs/{run_id}/output", "report", output.add_output, "redact", body_bytes=None),
    Endpoint("POST", "/runs/{run_id}/artifacts", "report", artifacts.add_artifact, "redact", body_bytes=None),
    Endpoint("GET", "/runs/{run_id}/artifacts/{kind}", "read", artifacts.show_artifact),
    Endpoint("GET", "/ops/directives", "read", directives.list_directives, shared="log"),
    Endpoint("POST", "/ops/directives", "propose", directives.propose_directives, body_bytes=None),
    Endpoint("POST", "/ops/directives/{directive_id:path}/apply", "decide", directives.apply_directive),
    Endpoint(
        "GET", "/ops/directives/{directive_id:path}/preview", "read", directives.preview_directive, shared="moment"
    ),
    Endpoint("GET", "/ops/directives/{directive_id:path}", "read", directives.show_directive, shared="moment"),
    Endpoint("PATCH", "/ops/directives/{directive_id:path}", "decide", directives.change_directive),
    Endpoint("POST", "/ops/gpt/run", "run planner", planner.run_planner, seconds=None),
    Endpoint("POST", "/ops/gpt/compose", "compose prompt", planner.compose_prompt, seconds=None),
    Endpoint("GET", "/ops/gpt/status", "read", planner.show_planner, shared="moment"),
    Endpoint("GET", "/ops/gpt/runs", "read", planner.list_planner_runs, shared="log"),
    Endpoint("GET", "/ops/requests", "read", requests.list_requests),
    Endpoint("POST", "/ops/requests", "ask for credentials", requests.open_requests),
    Endpoint("PATCH", "/ops/requests/{request_id}", "change credentials", requests.change_request),
    Endpoint(
        "POST", "/ops/requests/{request_id}/value", "change credentials", requests.store_values, "pass", body_bytes=None
    ),
    Endpoint("GET", "/ops/requests/{request_id}/value/status", "read", requests.show_value_status),
    Endpoint(
        "POST", "/ops/requests/{request_id}/validate", "change credentials", requests.validate_values, seconds=None
    ),
    Endpoint("GET", "/ops/system/status", "read", system.show_system, shared="moment"),
    Endpoint("POST", "/ops/system/pause", "pause", system.pause),
    Endpoint("POST", "/ops/system/resume", "pause", system.resume),
    Endpoint("POST", "/ops/actions/migrate", "migrate", actions.migrate, seconds=None),
    Endpoint("POST", "/ops/actions/sync-push", "sync", actions.sync_push, seconds=None),
    Endpoint("POST", "/ops/actions/sync-pull", "sync", actions.sync_pull, seconds=None),
    Endpoint("GET", "/ops/events", "read", events.list_events, shared="moment"),
    Endpoint("GET", "/ops/events/stream", "read", events.stream_events),
)


HttpHandler = Callable[[Request, Exception], Awaitable[Response]]


class Application(Starlette):
    """Starlette with one layer around the routes, and none but that before the addresses that are always the same."""

    def __init__(
        self, write: Write, show_unknown: HttpHandler, origins: frozenset[str] = frozenset(), **options: Any
    ) -> None:
        """`write` takes the log's lines about requests, `show_unknown` answers where no route is, pages of `origins`
        may use the API; the options are Starlette's.
        """
        super().__init__(**options)
        self._origins = origins
        self._write = write
        self._show_unknown = show_unknown

    def build_middleware_stack(self) -> ASGIApp:
        """Called by Starlette, once."""
        handlers: dict[Any, Any] = {404: self._show_unknown}
        fixed = {
            route.path: route.app for route in self.routes if isinstance(route, Route) and not route.param_convertors
        }
        logged = RequestLog(FixedPaths(fixed, ExceptionMiddleware(self.router, handlers)), self._write)
        return CrossOrigin(logged, self._origins) if self._origins else logged


def create_app(deps: ApiDeps) -> Starlette:
    """The API over what it is given. `app.state.live.close()` ends all waits and streams at once."""
    live = Live(deps)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        live.close()

    async def show_unknown(request: Request, error: Exception) -> Response:
        if request.method in SAFE_METHODS and prefers_html(request.headers.get("accept", "")):
            return await UNKNOWN.answer(request, deps, live)
        return answer_error(error)

    app = Application(
        deps.log_requests,
        show_unknown,
        deps.allowed_origins,
        routes=[
            Route(path, Resource({endpoint.method: endpoint for endpoint in endpoints}, deps, live))
            for path, endpoints in groupby(ENDPOINTS, key=lambda endpoint: endpoint.path)
        ]
        + panel_routes(deps, live),
        lifespan=lifespan,
    )
    app.state.live = live
    app.state.contract = cache(lambda: msgspec.json.encode(describe(ENDPOINTS, deps.version)))
    return app
