"""Each page of the panel asks for what the API asks for, for the same thing."""

from api.app import ENDPOINTS
from api.panel.pages import PAGES
from api.tokens import Role
from tests.ops.planner.planning import planning
from tests.panel.signing import sign_in
from tests.support.openai_server import openai_server

OWN = {
    ("GET", "/panel/static/{name}"),
    ("GET", "/panel/sign-in"),
    ("POST", "/panel/sign-in"),
    ("POST", "/panel/sign-out"),
    ("POST", "/panel/preferences"),
}
"""Pages for anyone, which have no counterpart."""

TWINS = {
    ("GET", "/panel"): [("GET", "/ops/metrics"), ("GET", "/ops/system/status"), ("GET", "/ops/runner/status")],
    ("GET", "/panel/live"): [("GET", "/ops/events/stream")],
    ("POST", "/panel/pause"): [("POST", "/ops/system/pause")],
    ("POST", "/panel/resume"): [("POST", "/ops/system/resume")],
    ("GET", "/panel/tasks"): [("GET", "/ops/tasks")],
    ("GET", "/panel/tasks/new"): [("POST", "/ops/tasks")],
    ("POST", "/panel/tasks/new"): [("POST", "/ops/tasks")],
    ("GET", "/panel/tasks/bulk"): [("POST", "/ops/tasks/{task_id:path}/cancel")],
    ("POST", "/panel/tasks/bulk"): [
        ("POST", "/ops/tasks/{task_id:path}/cancel"),
        ("POST", "/ops/tasks/{task_id:path}/priority"),
    ],
    ("POST", "/panel/tasks/{task_id:path}/cancel"): [("POST", "/ops/tasks/{task_id:path}/cancel")],
    ("GET", "/panel/tasks/{task_id:path}"): [("GET", "/ops/tasks/{task_id:path}")],
    ("GET", "/panel/runs"): [("GET", "/runs")],
    ("GET", "/panel/runs/{run_id}"): [("GET", "/runs/{run_id}")],
    ("GET", "/panel/runs/{run_id}/output"): [("GET", "/runs/{run_id}/output")],
    ("GET", "/panel/runs/{run_id}/output.log"): [("GET", "/runs/{run_id}/output")],
    ("GET", "/panel/runs/{run_id}/changes.patch"): [("GET", "/runs/{run_id}/artifacts/{kind}")],
    ("GET", "/panel/runs/{run_id}/result.json"): [("GET", "/runs/{run_id}")],
    ("GET", "/panel/runs/{run_id}/steps"): [("GET", "/runs/{run_id}")],
    ("GET", "/panel/runs/{run_id}/changes"): [("GET", "/runs/{run_id}")],
    ("GET", "/panel/runs/{run_id}/patch"): [("GET", "/runs/{run_id}/artifacts/{kind}")],
    ("GET", "/panel/runners"): [("GET", "/ops/runner/status")],
    ("POST", "/panel/runners/{runner_id:path}/drain"): [("POST", "/runners/{runner_id:path}/drain")],
    ("POST", "/panel/runners/{runner_id:path}/resume"): [("POST", "/runners/{runner_id:path}/resume")],
    ("GET", "/panel/directives"): [("GET", "/ops/directives"), ("GET", "/ops/gpt/status")],
    ("POST", "/panel/directives/run"): [("POST", "/ops/gpt/run")],
    ("GET", "/panel/directives/prompt"): [("POST", "/ops/gpt/compose")],
    ("POST", "/panel/directives/{directive_id:path}/apply"): [("POST", "/ops/directives/{directive_id:path}/apply")],
    ("POST", "/panel/directives/{directive_id:path}/reject"): [("PATCH", "/ops/directives/{directive_id:path}")],
    ("GET", "/panel/directives/{directive_id:path}"): [
        ("GET", "/ops/directives/{directive_id:path}"),
        ("GET", "/ops/directives/{directive_id:path}/preview"),
    ],
    ("GET", "/panel/setup"): [("GET", "/ops/requests")],
    ("GET", "/panel/requests"): [("GET", "/ops/requests")],
    ("GET", "/panel/requests/{request_id}"): [
        ("GET", "/ops/requests"),
        ("GET", "/ops/requests/{request_id}/value/status"),
    ],
    ("POST", "/panel/requests/{request_id}/value"): [("POST", "/ops/requests/{request_id}/value")],
    ("POST", "/panel/requests/{request_id}/validate"): [("POST", "/ops/requests/{request_id}/validate")],
    ("POST", "/panel/requests/{request_id}/withdraw"): [("PATCH", "/ops/requests/{request_id}")],
    ("POST", "/panel/requests/{request_id}/ask"): [("POST", "/ops/requests")],
    ("GET", "/panel/log"): [("GET", "/ops/events")],
    ("GET", "/panel/log/{seq}"): [("GET", "/ops/events")],
    ("GET", "/panel/{rest:path}"): [("GET", "/ops/tasks/{task_id:path}")],
}
"""Page -> the addresses of the API that show or do the same."""

OPERATORS = {("POST", "/panel/tasks/{task_id:path}/requeue"), ("POST", "/panel/runs/{run_id}/retry")}
"""By the API a runner may besides give back its own run, which no page does."""


def test_pages_and_addresses_ask_for_the_same_role() -> None:
    """Every page is named above, and has the roles of all its counterparts."""
    roles = {(each.method, each.path): each.roles for each in ENDPOINTS}
    pages = {(each.method, each.path): each.roles for each in PAGES}
    assert pages.keys() == OWN | TWINS.keys() | OPERATORS
    assert not any(pages[page] for page in OWN)
    assert [] == [(page, twin) for page, twins in TWINS.items() for twin in twins if pages[page] != roles[twin]]
    for page in OPERATORS:
        assert pages[page] == roles["POST", "/ops/tasks/{task_id:path}/requeue"] - {"runner"}


async def test_the_prompt_is_an_operators(database: str) -> None:
    """As POST /ops/gpt/compose is; nobody else sees the way to it."""
    roles: list[tuple[Role, int]] = [("viewer", 403), ("runner", 403), ("operator", 200), ("admin", 200)]
    async with openai_server() as model, planning(database, model) as desk:
        for role, expected in roles:
            await sign_in(desk.api, role, role)
            answer = await desk.api.client.get("/panel/directives/prompt")
            directives = await desk.api.client.get("/panel/directives")
            shown = 'href="/panel/directives/prompt"' in directives.text
            assert (answer.status_code, shown) == (expected, expected == 200), role
