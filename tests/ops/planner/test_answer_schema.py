"""The schema that the model must keep to: strict, complete, and what it allows can be read."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from events.planner import Usage
from events.proposal import DirectiveProposal, TaskProposal, read_answer
from ops.config import Config
from ops.errors import OperatorError
from ops.planner.schema import UNKNOWN, answer_schema
from ops.prices import price_of, read_prices


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every schema in it."""
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from objects(value)


def example(schema: dict[str, Any], definitions: dict[str, Any]) -> Any:
    """A value that the schema allows, with everything in it."""
    if "$ref" in schema:
        return example(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return example(schema["anyOf"][0], definitions)
    match schema["type"]:
        case "object":
            return {name: example(value, definitions) for name, value in schema["properties"].items()}
        case "array":
            return [example(schema["items"], definitions)]
        case "string":
            return "elsewhere"
    return 7


def test_it_is_strict() -> None:
    """Every object requires all it has and allows nothing else; no keyword that the dialect does not know."""
    schema = answer_schema()
    shaped = [each for each in objects(schema) if each.get("type") == "object"]
    assert len(shaped) == 7
    for each in shaped:
        assert each["additionalProperties"] is False
        assert each["required"] == list(each["properties"])
    keywords = {key for each in objects(schema) if "type" in each or "anyOf" in each for key in each}
    assert not keywords & (UNKNOWN - {"title"})


def test_it_has_every_field_that_is_read() -> None:
    """A field that is added to a Struct is in the schema."""
    definitions = answer_schema()["$defs"]
    for struct in (DirectiveProposal, TaskProposal):
        assert list(struct.__struct_fields__) == list(definitions[struct.__name__]["properties"])


def test_what_it_allows_can_be_read() -> None:
    """An answer with everything in it is a directive without problems or notes."""
    schema = answer_schema()
    reading = read_answer(json.dumps(example(schema, schema["$defs"])))
    assert [] == reading.problems == reading.directives[0].notes


def test_prices() -> None:
    """The longest name that fits counts; cached tokens cost less; an unknown model has no price."""
    prices = read_prices("gpt-4.1=2/8/0.5, gpt-4.1-mini=0.4/1.6")
    usage = Usage(1_000_000, 100_000, 500_000)

    assert 1.0 + 0.25 + 0.8 == pytest.approx(_price("gpt-4.1-2025-04-14", prices).of(usage))
    assert 0.4 + 0.16 == pytest.approx(_price("gpt-4.1-mini", prices).of(usage))
    assert price_of("gpt-4.11", prices) is None
    assert price_of(Config().planner_model, read_prices(Config().planner_prices)) is not None


@pytest.mark.parametrize("text", ["gpt-4.1", "gpt-4.1=2", "gpt-4.1=2/x", "gpt-4.1=1.2.3/8", "=2/8"])
def test_a_price_that_is_none_is_named(text: str) -> None:
    """The refusal shows the entry."""
    with pytest.raises(OperatorError, match="will not do"):
        read_prices(text)


def _price(model: str, prices: Any) -> Any:
    price = price_of(model, prices)
    assert price is not None
    return price
