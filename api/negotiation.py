"""Which of several forms of an answer a client prefers (RFC 9110, 12.5)."""


def quality(header: str, name: str) -> float:
    """How much a client wants `name` (a media type, or a coding like gzip), by its Accept or Accept-Encoding header.

    From 0 (not acceptable) to 1. The most specific entry counts: the name itself, then `text/*`, then `*`.
    """
    best, found = 0.0, -1
    for entry in header.lower().split(","):
        item, *parameters = (part.strip() for part in entry.split(";"))
        precedence = _precedence(item, name)
        if precedence > found:
            best, found = _weight(parameters), precedence
    return best


def prefers_html(accept: str) -> bool:
    """Whether a client would rather have a page than JSON: browsers would; `*/*` alone does not say so."""
    return quality(accept, "text/html") > quality(accept, "application/json")


def _precedence(item: str, name: str) -> int:
    if item == name:
        return 2
    if item.endswith("/*") and name.startswith(item[:-1]):
        return 1
    return 0 if item in ("*", "*/*") else -1


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 0.0
    return 1.0
