"""What tokens cost, in dollars a million: a table in the settings."""

import re
from collections.abc import Mapping

from msgspec import Struct

from events.planner import Usage
from ops.errors import OperatorError

MILLION = 1_000_000
ENTRY = re.compile(r"([^\s=]+)=([0-9.]+)/([0-9.]+)(?:/([0-9.]+))?")
CHARACTERS_A_TOKEN = 3
"""A token is longer than this in most texts: dividing by it never counts too few."""


class Price(Struct, frozen=True):
    """Dollars a million tokens: of the prompt, of the answer, and of the part of the prompt the server had cached."""

    prompt: float
    completion: float
    cached: float

    def of(self, usage: Usage) -> float:
        """What it costs, in dollars."""
        fresh = usage.prompt_tokens - usage.cached_tokens
        dollars = fresh * self.prompt + usage.cached_tokens * self.cached + usage.completion_tokens * self.completion
        return dollars / MILLION


def read_prices(text: str) -> dict[str, Price]:
    """The table `model=prompt/completion` or `model=prompt/completion/cached`, entries separated by spaces or commas.

    Raises OperatorError naming the entry that will not do.
    """
    prices = {}
    for entry in text.replace(",", " ").split():
        match = ENTRY.fullmatch(entry)
        try:
            if match is None:
                raise ValueError(entry)
            prompt, completion = float(match[2]), float(match[3])
            prices[match[1]] = Price(prompt, completion, float(match[4]) if match[4] else prompt)
        except ValueError:
            raise OperatorError("config.bad_price", entry=entry) from None
    return prices


def price_of(model: str, prices: Mapping[str, Price]) -> Price | None:
    """The price of a model, or of the longest name that its own begins with: gpt-4.1-2025-04-14 is a gpt-4.1.

    None when the table does not know it.
    """
    names = [name for name in prices if model == name or model.startswith(f"{name}-")]
    return prices[max(names, key=len)] if names else None


def tokens_in(text: str) -> int:
    """How many tokens a text has at most, nearly always."""
    return len(text) // CHARACTERS_A_TOKEN + 1
