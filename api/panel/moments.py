"""Times, durations and numbers, as people read them. Times are UTC here; the script shows them in the reader's zone."""

from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup

from api.text import Language
from events.rfc3339 import rfc3339

UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def moment(value: str | datetime | None) -> datetime | None:
    """A time, from the view's own JSON or as it is."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def clock(value: str | datetime | None, css: str = "") -> Markup:
    """A time as an element that says it in full; how it is shown is the script's to improve."""
    at = moment(value)
    if at is None:
        return Markup("")
    utc = at.astimezone(UTC)
    stamp, text = rfc3339(utc), utc.strftime("%Y-%m-%d %H:%M:%S")
    return Markup('<time datetime="{}" class="{}" title="{} UTC">{}</time>').format(stamp, css, text, text)


def ago(value: str | datetime | None) -> Markup:
    """How long ago (or how soon) that is; the script keeps it true."""
    at = moment(value)
    if at is None:
        return Markup("")
    utc = at.astimezone(UTC)
    seconds = (datetime.now(UTC) - utc).total_seconds()
    title = utc.strftime("%Y-%m-%d %H:%M:%S")
    return Markup('<time datetime="{}" data-ago title="{} UTC">{}</time>').format(rfc3339(utc), title, span(seconds))


def span(seconds: float | None) -> str:
    """A length of time in its largest two units: 1 d 4 h, 3 min 20 s, 250 ms."""
    if seconds is None:
        return ""
    seconds = abs(seconds)
    if seconds < 1:
        return f"{round(seconds * 1000)} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for place, (size, unit) in enumerate(UNITS):
        if whole >= size:
            rest = whole % size
            smaller = UNITS[place + 1] if place + 1 < len(UNITS) else None
            tail = f" {rest // smaller[0]} {smaller[1]}" if smaller and rest // smaller[0] else ""
            return f"{whole // size} {unit}{tail}"
    return "0 s"


def milliseconds(value: float | None) -> str:
    """A duration given in milliseconds."""
    return "" if value is None else span(value / 1000)


def number(value: Any, language: Language) -> str:
    """A number with its thousands apart, as the language writes them."""
    if value is None:
        return "–"
    text = f"{value:,}"
    return text.replace(",", "." if language == "es" else ",")


def percent(value: float | None, language: Language) -> str:
    """A share as a percentage."""
    if value is None:
        return "–"
    text = f"{value * 100:.1f}".removesuffix(".0")
    return f"{text.replace('.', ',')} %" if language == "es" else f"{text}%"


def money(value: float, language: Language) -> str:
    """Dollars, with cents."""
    text = f"{value:.2f}"
    return text.replace(".", ",") if language == "es" else text


def size(value: int | None) -> str:
    """Bytes, in the unit that fits."""
    if value is None:
        return ""
    amount = float(value)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
