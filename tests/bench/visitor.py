"""A client that asks for one page after the other over one connection, and times each answer to its last byte."""

import http.client
import re
import time
from html import unescape
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

NEXT = re.compile(rb'href="([^"]+)" rel="next"')
TIMEOUT_SECONDS = 60.0


class Answer(Struct, frozen=True):
    """What came back, and how long it took: from sending the request to the last byte, in milliseconds."""

    status: int
    kind: str
    body: bytes
    ms: float

    @property
    def following(self) -> str | None:
        """What leads to the next page of a list: the address behind a page's link, or an API's `meta.next`."""
        if self.kind.startswith("application/json"):
            meta = msgspec.json.decode(self.body).get("meta") or {}
            return None if meta.get("next") is None else str(meta["next"])
        found = NEXT.search(self.body)
        return unescape(found[1].decode()) if found else None


class Visitor:
    """A context manager around one connection that is kept open."""

    def __init__(self, address: str) -> None:
        place = urlsplit(address)
        self._connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=TIMEOUT_SECONDS)

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def get(self, path: str) -> Answer:
        """Ask for one path."""
        began = time.perf_counter()
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        body = response.read()
        took = (time.perf_counter() - began) * 1000
        return Answer(response.status, response.headers.get("content-type", ""), body, took)

    def data(self, path: str) -> list[dict[str, str]]:
        """The data of a list of the API."""
        found: list[dict[str, str]] = msgspec.json.decode(self.get(path).body)["data"]
        return found

    def turn(self, path: str, pages: int) -> str:
        """Go on from the first page of a list as its reader would; where the page so many later is, or the last."""
        for _ in range(pages):
            following = self.get(path).following
            if following is None:
                break
            if following.startswith("/"):
                path = following
            else:
                name = "after" if path.startswith("/ops/events") else "cursor"
                base = re.sub(rf"[?&]{name}=[^&]*", "", path)
                path = f"{base}{'&' if '?' in base else '?'}{name}={following}"
        return path
