"""The contract covers every route and every request, and holds together."""

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from api.app import ENDPOINTS
from api.openapi import describe
from api.permissions import ANYONE
from tests.api.serving import Served

DOCUMENT: dict[str, Any] = describe(ENDPOINTS, "1.2.3")
OPERATIONS = {
    (method.upper(), path): operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}


async def test_the_contract_is_served(api: Served) -> None:
    """GET /openapi.json is this document, with the version that is served."""
    response = await api.client.get("/openapi.json")

    assert "application/json" == response.headers["content-type"]
    assert msgspec.to_builtins(describe(ENDPOINTS, "0.0.0")) == response.json()


def test_every_route_is_in_the_contract() -> None:
    """No more and no less than the table, with summaries, and ids that are unique."""
    table = {(endpoint.method, re.sub(r":\w+", "", endpoint.path)) for endpoint in ENDPOINTS}

    assert table == OPERATIONS.keys()
    assert all(operation["summary"] for operation in OPERATIONS.values())
    assert len(OPERATIONS) == len({operation["operationId"] for operation in OPERATIONS.values()})


def test_every_reference_leads_somewhere() -> None:
    """Each $ref names a schema that is there, and each schema there is used."""
    references = {value.removeprefix("#/components/schemas/") for value in find(DOCUMENT, "$ref")}

    assert references == DOCUMENT["components"]["schemas"].keys()


def test_schemas_are_json_schema() -> None:
    """Each says what type it is, and names only properties that it has."""
    for name, schema in DOCUMENT["components"]["schemas"].items():
        assert "object" == schema["type"], name
        assert set(schema.get("required", [])) <= schema["properties"].keys(), name


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_an_operation_says_what_it_reads(endpoint: Any) -> None:
    """Body, path and query are described, and who may call it."""
    operation = OPERATIONS[endpoint.method, re.sub(r":\w+", "", endpoint.path)]

    assert ("body" in endpoint.reads) == ("requestBody" in operation)
    assert ("security" in operation) == (endpoint.roles is not ANYONE)
    in_path = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"]
    assert in_path == re.findall(r"\{(\w+)", endpoint.path)
    if "query" in endpoint.reads:
        in_query = [parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "query"]
        assert in_query == list(endpoint.reads["query"].__struct_fields__)


def test_creation_accepts_three_shapes() -> None:
    """One task, an array of them, or an object with `tasks`."""
    body = OPERATIONS["POST", "/ops/tasks"]["requestBody"]["content"]["application/json"]["schema"]

    assert 3 == len(body["anyOf"])


def find(node: Any, key: str) -> Iterator[Any]:
    """Every value of `key`, anywhere below."""
    if isinstance(node, dict):
        yield from (value for name, value in node.items() if name == key)
        for value in node.values():
            yield from find(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from find(value, key)
