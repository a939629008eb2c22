"""The engine's own words, in the visitor's language.

Reasons and errors stand in the log as the engine words them. Its wordings are few (texts/engine.py), so they are known
again when they are shown; whatever is not known, an operator's reason or a command's last line, stays as it is. What
is refused is told in the same way, in more words (texts/refused.py).
"""

from api.panel.texts import MESSAGES, engine, proposals, refused, say
from api.text import Language
from api.wording import Wordings


def said(text: str, language: Language) -> str:
    """What the engine said, in that language; any other text unchanged."""
    return _ENGINE.said(text, language)


def said_in_summary(text: str, language: Language) -> str:
    """What a run's summary says, part by part: what its executor said; what the runner counted."""
    return "; ".join(said(part, language) for part in text.split("; "))


def said_of_refusal(text: str, language: Language) -> str:
    """Why something was refused, in that language; any other text unchanged."""
    return _REFUSALS.said(text, language)


def said_of_proposal(text: str, language: Language) -> str:
    """Why a proposed directive was refused, in that language: as one reason, or reason by reason."""
    whole = _PROPOSALS.said(text, language)
    return whole if whole != text else "; ".join(_PROPOSALS.said(part, language) for part in text.split("; "))


def _fact(name: str, value: str, language: Language) -> str:
    return say(f"status.{value}", language) if name == "status" and f"status.{value}" in MESSAGES else value


_ENGINE = Wordings(engine.TEXTS, _fact)
_REFUSALS = Wordings(refused.TEXTS | engine.TEXTS, _fact)
_PROPOSALS = Wordings(proposals.TEXTS | refused.TEXTS, _fact)
