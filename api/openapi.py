"""The contract as OpenAPI 3.1, generated from the route table: paths, parameters, bodies, roles, refusals."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct

from api.endpoint import Endpoint
from api.entry import Handler
from api.routes.artifacts import show_artifact
from api.routes.events import stream_events
from api.routes.health import show_root
from api.routes.metrics import show_prometheus

REF = "#/components/schemas/{name}"
CONVERTOR = re.compile(r"\{(\w+):\w+\}")
JSON = "application/json"


OTHER_CONTENT: dict[Handler, tuple[str, ...]] = {
    show_prometheus: ("text/plain",),
    stream_events: ("text/event-stream",),
    show_artifact: ("text/plain",),
}
"""What some addresses answer with besides JSON, or, those of ONLY_OTHER_CONTENT, in its place."""
ONLY_OTHER_CONTENT = frozenset({show_prometheus, stream_events})
REDIRECTS = frozenset({show_root})


class Refusal(Struct, frozen=True):
    """Every answer that is not a success: a stable code, what to do about it, and for some codes the facts."""

    ok: bool
    error: str
    detail: str
    meta: dict[str, Any] | None = None


class Success(Struct, frozen=True):
    """Every answer that is one."""

    ok: bool
    data: Any
    meta: dict[str, Any] | None = None


def describe(endpoints: Iterable[Endpoint], version: str) -> dict[str, Any]:
    """The whole document."""
    endpoints = tuple(endpoints)
    types = [Success, Refusal, *(shape for endpoint in endpoints for shape in _shapes(endpoint))]
    schemas, components = msgspec.json.schema_components(types, ref_template=REF)
    names = dict(zip(map(str, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(CONVERTOR.sub(r"{\1}", endpoint.path), {})[endpoint.method.lower()] = _operation(
            endpoint, names
        )
    return {
        "openapi": "3.1.0",
        "info": {"title": "El Ruso", "version": version, "description": "Keeps work moving: tasks in, runs out."},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    summary, _, rest = (endpoint.handler.__doc__ or "").strip().partition("\n")
    operation: dict[str, Any] = {
        "operationId": endpoint.handler.__name__,
        "summary": summary,
        "tags": [endpoint.handler.__module__.rpartition(".")[2]],
        "parameters": [*_path_parameters(endpoint), *_query_parameters(endpoint)],
        "responses": _responses(endpoint, schemas),
    }
    if rest.strip():
        operation["description"] = rest.strip()
    if endpoint.roles:
        operation["security"] = [{"token": sorted(endpoint.roles)}]
    if shapes := _shapes(endpoint):
        options = [schemas[str(shape)] for shape in shapes]
        schema = options[0] if len(options) == 1 else {"anyOf": options}
        operation["requestBody"] = {"content": {JSON: {"schema": schema}}}
    return operation


def _responses(endpoint: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    refused = {"description": "Refused.", "content": {JSON: {"schema": schemas[str(Refusal)]}}}
    if endpoint.handler in REDIRECTS:
        return {"307": {"description": "Elsewhere."}, "default": refused}
    content = {kind: {"schema": {"type": "string"}} for kind in OTHER_CONTENT.get(endpoint.handler, ())}
    if endpoint.handler not in ONLY_OTHER_CONTENT:
        content[JSON] = {"schema": schemas[str(Success)]}
    responses = {"2XX": {"description": "Done.", "content": content}, "default": refused}
    if endpoint.method == "GET" and JSON in content:
        responses["304"] = {"description": "The client has this answer: If-None-Match names its ETag."}
    return responses


def _shapes(endpoint: Endpoint) -> tuple[Any, ...]:
    """The types that the body may have."""
    body = endpoint.reads.get("body")
    return () if body is None else getattr(body, "shapes", (body,))


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": msgspec.json.schema(endpoint.reads[name])}
        for name in endpoint.path_names
    ]


def _query_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    query = endpoint.reads.get("query")
    if query is None:
        return []
    return [
        {
            "name": field.encode_name,
            "in": "query",
            "required": field.default is NODEFAULT and field.default_factory is NODEFAULT,
            "schema": msgspec.json.schema(field.type),
        }
        for field in msgspec.structs.fields(query)
    ]
