"""What really goes over the wire: nothing when the client has it already, and less of it when it is long."""

import gzip
from collections.abc import Sequence
from functools import cached_property
from hashlib import blake2b

from starlette.types import Send

from api.negotiation import quality

COMPRESS_BYTES = 8 * 1024  # below that it would save no packet worth the work
LEVEL = 1  # lists of JSON shrink to a tenth even so, at three times the speed of the default
ETAG_BYTES = 12

RawHeaders = list[tuple[bytes, bytes]]


class Packed:
    """A successful answer to a GET, in JSON, ready to be sent to many: its tag and what is compressed are made once.

    The tag is weak: of the content, not of its coding.
    """

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.tag = b'W/"%s"' % blake2b(body, digest_size=ETAG_BYTES).hexdigest().encode()
        self._short: RawHeaders = [
            (b"etag", self.tag),
            (b"cache-control", b"private, no-cache"),
            (b"vary", b"Accept-Encoding"),
        ]
        self._whole = self._with_length(body)

    async def send(self, headers: RawHeaders, send: Send) -> None:
        """As the client's headers want it: 304 when If-None-Match names the tag; compressed if it may be."""
        known = accepted = b""
        for name, value in headers:
            if name == b"if-none-match":
                known = value
            elif name == b"accept-encoding":
                accepted = value
        if known and (known == b"*" or self.tag in _listed(known)):
            await _send(send, 304, self._short, b"")
        elif accepted and len(self.body) >= COMPRESS_BYTES and quality(accepted.decode("latin-1"), "gzip") > 0:
            await _send(send, 200, *self._compressed)
        else:
            await _send(send, 200, self._whole, self.body)

    @cached_property
    def _compressed(self) -> tuple[RawHeaders, bytes]:
        body = gzip.compress(self.body, LEVEL, mtime=0)
        return [*self._with_length(body), (b"content-encoding", b"gzip")], body

    def _with_length(self, body: bytes) -> RawHeaders:
        return [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json"), *self._short]


async def _send(send: Send, status: int, headers: RawHeaders, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _listed(words: bytes) -> Sequence[bytes]:
    """The tags of an If-None-Match header."""
    return [word.strip() for word in words.split(b",")]
