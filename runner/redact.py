"""Remove secrets from text that leaves the runner: known values and the common shapes of keys.

`Redactor.redact` works on a whole text; `Redactor.stream` gives a `RedactedStream` for text that arrives in
pieces, and returns the same result however the text is cut. It holds back only what cannot be decided yet:
the last word, or the beginning of a known value.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import quote

from msgspec import Struct

MARK = "[redacted]"
OTHER_MARKS = ("***", "<redacted>", "█redacted█", "…")  # for secrets that MARK could become a part of
MIN_VALUE = 6  # characters; shorter values would blank out ordinary words
MIN_LINE = 16  # characters of a line in a multi-line secret (a private key) that is hidden by itself
URL_SAFE = str.maketrans("+/", "-_")
LONGEST_KEY = 8192  # characters; no shape below matches more
BLOCK = 4096  # characters looked at together: one suspicious line does not slow down a megabyte
LOOKBEHIND = 16  # characters; no shape below looks further back

# A shape never matches white space: only the last word of an unfinished text can still become a key.
_SHAPES = (
    r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{16,8000}",  # OpenAI, Anthropic
    r"(?<![A-Za-z0-9])[rs]k_(?:live|test)_[A-Za-z0-9]{16,8000}",  # Stripe
    r"(?<![A-Za-z0-9])A(?:KI|SI)A[A-Z0-9]{16}",  # AWS
    r"(?<![A-Za-z0-9])gh[opsur]_[A-Za-z0-9]{20,8000}",  # GitHub
    r"(?<![A-Za-z0-9])github_pat_[A-Za-z0-9_]{20,8000}",
    r"(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{16,8000}",  # GitLab
    r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}",  # Google
    r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}",
    r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{30,100}",  # Hugging Face
    r"(?<![A-Za-z0-9])sb(?:p|_secret)_[A-Za-z0-9_]{20,100}",  # Supabase
    r"(?<![A-Za-z0-9])elr_(?:viewer|operator|runner|admin)_[A-Za-z0-9_-]{43}",  # our own
    r"(?<![A-Za-z0-9])xox[abeprs]-[A-Za-z0-9-]{10,8000}",  # Slack
    r"(?<![A-Za-z0-9])eyJ[A-Za-z0-9_=-]{8,2000}\.[A-Za-z0-9_=-]{8,4000}\.[A-Za-z0-9_=-]{8,2000}",  # JSON web tokens
    r"(?:(?<=bearer )|(?<=Bearer )|(?<=BEARER ))[A-Za-z0-9._~+/=-]{16,8000}",
    r"(?<=://)[^\s:/@'\"]{0,256}:[^\s@'\"]{1,1024}(?=@)",  # user:password@ in an address
)
_SHAPE = "|".join(_SHAPES)
# Any match contains, or follows, one of these: looking for them costs a fraction of looking for the shapes.
_HINTS = (
    *("sk-", "k_live_", "k_test_", "AKIA", "ASIA", "gho_", "ghp_", "ghs_", "ghu_", "ghr_", "github_pat_"),
    *("glpat-", "AIza", "npm_", "hf_", "sbp_", "sb_secret_", "elr_", "xox", "eyJ", "earer ", "EARER ", "://"),
)
_WORD = re.compile(r"\S*")


class Known(Struct, frozen=True):
    """Secret values in all their forms, the longest first, a pattern that finds them and the shapes of keys, and what
    is put in their place."""

    values: tuple[str, ...]
    longest: int
    pattern: re.Pattern[str]
    mark: str = MARK

    @classmethod
    def of(cls, values: Iterable[str]) -> Known:
        """What is to be known of these values."""
        forms = sorted({form for value in values for form in _forms(value)}, key=len, reverse=True)
        longest = max(LONGEST_KEY, *map(len, forms)) if forms else LONGEST_KEY
        return cls(tuple(forms), longest, re.compile("|".join([*map(re.escape, forms), _SHAPE])), _mark_for(forms))

    def suspects(self, text: str) -> bool:
        """False when `text` surely holds no secret."""
        return any(hint in text for hint in _HINTS) or any(value in text for value in self.values)

    def matches(self, text: str, start: int) -> Iterable[re.Match[str]]:
        """The secrets in `text` from `start` on, from left to right."""
        return self.pattern.finditer(text, start) if self.suspects(text) else ()


def _nothing() -> frozenset[str]:
    return frozenset()


class Redactor:
    """Knows the secret values of this process. Cheap on text that holds none.

    `more` is asked before every text; it answers with the same object for as long as there are no others. What was
    known once stays known: a value that was replaced or removed is still a secret.
    """

    def __init__(self, values: Iterable[str] = (), more: Callable[[], frozenset[str]] = _nothing) -> None:
        self._values = frozenset(values)
        self._more = more
        self._seen: frozenset[str] = frozenset()
        self._known = Known.of(self._values)

    @property
    def known(self) -> Known:
        """All that is known now."""
        seen = self._more()
        if seen is not self._seen:
            if not seen <= self._values:
                self._values |= seen
                self._known = Known.of(self._values)
            self._seen = seen
        return self._known

    def redact(self, text: str) -> str:
        """`text` with every secret replaced by `[redacted]` (or what cannot become part of a known one)."""
        known = self.known
        return known.pattern.sub(known.mark, text) if known.suspects(text) else text

    def redact_value(self, value: Any) -> Any:
        """The same for every string inside a JSON value, keys included."""
        return map_text(value, self.redact)

    def search(self) -> SecretSearch:
        """A search for known values, without the shapes of keys, in bytes that arrive in pieces."""
        self.known  # noqa: B018 - learns what became known
        return SecretSearch(self._values)

    def stream(self) -> RedactedStream:
        """A redactor for one text that arrives in pieces."""
        return RedactedStream(self)


class RedactedStream:
    """Takes pieces of a text; what it returns, concatenated, is `redact` of the pieces concatenated."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._before = ""  # the end of what is settled, as it came in: only lookbehinds see it
        self._held = ""

    def feed(self, piece: str) -> str:
        """Take a piece; return the redacted text that is settled by now, perhaps none."""
        blocks = range(0, len(piece), BLOCK)
        return "".join([self._settle(piece[start : start + BLOCK], final=False) for start in blocks])

    def finish(self) -> str:
        """Return what was held back; the text has ended."""
        return self._settle("", final=True)

    def _settle(self, piece: str, final: bool) -> str:
        known = self._redactor.known
        text = self._before + self._held + piece
        position = len(self._before)
        end = len(text) if final else max(position, _first_undecided(text, known.values))
        settled: list[str] = []
        for match in known.matches(text, position):
            if match.end() > end and not final and len(text) - match.start() < known.longest:
                end = min(end, match.start())  # it may still grow
                break
            settled += text[position : match.start()], known.mark
            position = match.end()
        cut = max(position, end)
        settled.append(text[position:cut])
        self._before, self._held = text[max(0, cut - LOOKBEHIND) : cut], text[cut:]
        return "".join(settled)


class SecretSearch:
    """Finds known values in bytes that arrive in pieces; memory is bounded by the longest form of a value."""

    def __init__(self, values: Iterable[str]) -> None:
        self._forms = {form.encode("utf-8", "surrogatepass"): value for value in values for form in _forms(value)}
        self._overlap = max(map(len, self._forms), default=1) - 1
        self._before = b""
        self._found: set[str] = set()

    def feed(self, piece: bytes) -> None:
        """Take the next bytes."""
        data = self._before + piece
        self._found.update(value for form, value in self._forms.items() if form in data)
        self._before = data[-self._overlap :] if self._overlap else b""

    def finish(self) -> frozenset[str]:
        """The values that were found."""
        return frozenset(self._found)


def map_text(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with `change` applied to every string in it, keys included."""
    match value:
        case str():
            return change(value)
        case dict():
            return {change(key): map_text(item, change) for key, item in value.items()}
        case list():
            return [map_text(item, change) for item in value]
    return value


def _first_undecided(text: str, values: Iterable[str]) -> int:
    """The first position in `text` where a secret may begin that ends only in the next piece."""
    backwards = text[: -LONGEST_KEY - 1 : -1]
    word = _WORD.match(backwards)
    first = len(text) - (word.end() if word else 0)
    for value in values:
        start = text.find(value[0], max(0, len(text) - len(value) + 1), first)
        while start >= 0 and not value.startswith(text[start:]):
            start = text.find(value[0], start + 1, first)
        first = start if start >= 0 else first
    return first


def _mark_for(forms: Iterable[str]) -> str:
    """A mark that makes none of the secrets together with the text around it: `abcde` before `[` is `abcde[`."""
    forms = tuple(forms)
    sound = (mark for mark in (MARK, *OTHER_MARKS) if not any(_overlap(mark, form) for form in forms))
    return next(sound, MARK)


def _overlap(mark: str, form: str) -> bool:
    edges = range(1, len(mark))
    touches = any(form.endswith(mark[:edge]) or form.startswith(mark[edge:]) for edge in edges)
    return touches or mark in form or form in mark


def _forms(value: str) -> set[str]:
    """`value` as it may show up in output: as it is, inside JSON or an address, in base64, line by line."""
    trimmed = value.strip() if len(value.strip()) >= MIN_VALUE else value
    hexed = {trimmed.encode("utf-8", "surrogatepass").hex()}
    quoted = {json.dumps(trimmed)[1:-1], json.dumps(trimmed, ensure_ascii=False)[1:-1], quote(trimmed, safe="")}
    forms = {trimmed} | quoted | hexed | set(_base64_forms(trimmed.encode()))
    lines = {line.strip() for line in trimmed.splitlines()} if "\n" in trimmed else set()
    return {form for form in forms if len(trimmed) >= MIN_VALUE} | {line for line in lines if len(line) >= MIN_LINE}


def _base64_forms(data: bytes) -> Iterator[str]:
    """What `data` leaves in the base64 of a longer text that holds it: wherever it stands there, its bytes fall on the
    borders of the groups of three in one of three ways. Both alphabets."""
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + data).decode()
        core = encoded[-(-shift * 8 // 6) : (shift + len(data)) * 8 // 6]  # without what its neighbours have a part in
        yield core
        yield core.translate(URL_SAFE)
