"""docs/http.md, made from the route table, the Structs of requests and the tree of errors."""

import re
from typing import Any

import msgspec

from api.app import ENDPOINTS
from api.endpoint import Endpoint
from api.errors import Busy, CrossSite, HeadersTooLarge, InsideRun, MethodNotAllowed, RequestTimeout
from api.permissions import ANYONE, READ
from events import errors
from tests.support.documents import MADE

PROSE = """\
An answer is `{"ok": true, "data": …, "meta"?: {…}}`, a refusal `{"ok": false, "error": code, "detail": what to do}`,
each with the right status; some refusals bring their facts as `meta` (the requests that are missing, the run that is
under way, what was spent). A body is JSON whatever its Content-Type says; none at all counts as `{}`. Unknown fields
and parameters are refused by name. `GET /openapi.json` says the same for machines.

Lists are bounded: `limit` is how much is given at once, `meta.next` is the `cursor` (for events and output: `after`) of
the next part, null at the end. A short part with a `next` is not the last one: a part ends with the row that exceeds
8 MiB, and a word, a phase, or what happens often is looked for in so many rows at a time. `meta.total` is the length of
the whole list, or null where nobody counts.

Tokens go into the header `Authorization: Bearer elr_…` and nowhere else. Their roles: a viewer reads, an operator also
steers and asks for credentials, a runner claims and reports, an admin may do all of it, and alone hands credentials in,
grants them and tries them out. Until the first token is made everything is open, but only on the machine itself, and
not to pages of other sites.

A runner's token speaks for its own runners: the id that it calls itself by belongs to it from the first claim or
heartbeat on, and only runs that such a runner holds can be reported, handed back or given artifacts by it; others are
refused with `forbidden`. A `PATCH` asks for the role that the address of the same command asks for. The end of a run
seals its patch and diffstat, each stored once. What comes later is taken for 15 minutes where the run has none of its
kind, marked as `late` and sealed by nothing; else it is refused with `lease_lost`. When a token is revoked or expires,
its event streams end and its waiting claims are refused.

A failure is decided once, by the backoff of the log, however it is reported: by the run, by its task, or by both in
either order. `PATCH /ops/tasks/{id}` to `ready`, `blocked` or `failed` counts as a runner's account of a failure if it
comes with a runner's token, names its runner, or carries `last_error` (for `ready`) or `attempts` or `finished_at` (for
the others); so does `requeue` with a runner's token or with `last_error`. It never resets attempts, and a task without
attempts left stays blocked until an operator requeues it without `last_error`. A runner that sends no heartbeats while
it works keeps what it claimed for `ELRUSO_CLIENT_LEASE_SECONDS`.

`POST /ops/tasks` takes one task, an array, or `{"tasks": […]}`: all are created or none, in any order of their
dependencies. The same id with the same content, or the same request with the same `Idempotency-Key` header, answers
with what exists (200). A key belongs to one request: with another body it is refused with `idempotency_key_reused`
(409), and nothing of that body is created. The same holds for `POST /ops/directives`.

A body has `ELRUSO_BODY_LIMIT_BYTES` at most, commands that need no large one 2 MiB, a heartbeat 64 KiB; a task's whole
definition has 1 MiB as JSON, a directive with its tasks 4 MiB. What is larger is refused with `too_large` (413).

An id has 1 to 200 characters, of which none is a slash or a control character; it is not `.`, `..`, `bulk`, `claim`,
`new`, `prompt` or `run`, and holds nothing that looks percent-encoded. Older logs may hold other ids: an address has
them percent-encoded twice (`/ops/tasks/%252E%252E/why` is about the task `..`).

`POST /ops/requests/{id}/value` takes `{"values": {"OPENAI_API_KEY": "…"}}`: they go to the vault and no answer ever
holds them. Any other body with a value of the vault in it is refused with `secret_in_text`, or, where a runner reports,
stored without it. `validate` runs the request's `validation_cmd` and answers `{ok, message}`.

`GET /ops/directives/{id}/preview` is for whoever approves. `commands` is everything that runs of its tasks execute, in
order, each whole: `{task_id, kind, name, command, timeout_seconds, secrets}`, where `kind` is `step`, `check`, `agent`
(`command` is the whole prompt) or `handler` (its parameters). `warnings` name what in a text misleads its reader:
`{task_id, place, code, detail, count, line}`, where `code` is `bidi`, `control`, `invisible`, `space`, `long_blank`,
`blank_lines`, `mixed_scripts` or `right_to_left`. `tasks` have all else that changes what runs, `digest` is that of the
plan. Texts are as they were proposed: whoever prints them makes them visible first, as `elruso directive preview` does.

Pages of other origins may use the API with a token if `ELRUSO_ALLOWED_ORIGINS` names their origin: preflight requests
are answered, and the page reads the answers. Cookies count for the panel's own pages only.

Who asks again and again sends the `ETag` of the last answer as `If-None-Match` and is answered 304, without a body,
while nothing has changed. Long answers are compressed for those who accept gzip.

Times are UTC with three digits of a second, `2026-02-13T10:00:00.123Z`; the `data` of an event stays as it was written.

`GET /ops/events/stream` sends every event of the log in order (server-sent events; `id` is its seq), from now on, or
behind `after`, or behind the `Last-Event-ID` that a browser sends when it comes back. Nothing is left out.

The head of a request must arrive within ten seconds, its body within twenty seconds plus the time that it takes at
4 KiB a second; otherwise the answer is 408. The number of event streams and of waiting claims is limited: one caller
gets at most half of each, and a tenth is reserved for operators and admins. Beyond that the answer is 503 `busy`, with
`Retry-After`.

Every answer carries `X-Request-ID`, the caller's own or a new one; it stands in the server's log lines too."""


def http_page() -> str:
    """docs/http.md."""
    lines = ["# HTTP", "", MADE, PROSE, "", "## Addresses", "", "| | who | what | reads |", "|---|---|---|---|"]
    lines += [_row(endpoint) for endpoint in ENDPOINTS]
    lines += ["", "## Refusals", "", "| status | error |", "|---|---|", *_refusals()]
    return "\n".join(lines) + "\n"


def _row(endpoint: Endpoint) -> str:
    path = re.sub(r":\w+", "", endpoint.path)
    what = " ".join((endpoint.handler.__doc__ or "").split()).replace("|", "\\|")
    return f"| `{endpoint.method} {path}` | {_who(endpoint)} | {what} | {', '.join(_reads(endpoint))} |"


def _who(endpoint: Endpoint) -> str:
    if endpoint.roles is ANYONE:
        return "anyone"
    return "any token" if endpoint.roles == READ else ", ".join(sorted(endpoint.roles))


def _reads(endpoint: Endpoint) -> list[str]:
    named: list[Any] = [endpoint.reads[part] for part in ("query", "body") if part in endpoint.reads]
    structs = [struct.shapes[0] if hasattr(struct, "shapes") else struct for struct in named]
    return [f"`{field.name}`" for struct in structs for field in msgspec.structs.fields(struct)]


def _refusals() -> list[str]:
    known = [value for value in vars(errors).values() if isinstance(value, type)] + [
        Busy,
        CrossSite,
        HeadersTooLarge,
        InsideRun,
        MethodNotAllowed,
        RequestTimeout,
    ]
    rows = {(refusal.http_status, refusal.code) for refusal in known if issubclass(refusal, errors.ElRusoError)}
    return [f"| {status} | `{code}` |" for status, code in sorted(rows)]
