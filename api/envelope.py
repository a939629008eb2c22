"""What every answer is wrapped in. JSON bytes from the views pass through as they are."""

from typing import Any

import msgspec
from starlette.responses import Response

_encoder = msgspec.json.Encoder()


class JsonResponse(Response):
    """A response whose body is JSON already."""

    media_type = "application/json"


def answer(data: bytes, *, meta: bytes | None = None, status: int = 200) -> JsonResponse:
    """`data` (and `meta`) are JSON bytes: they are put into the envelope without being read."""
    tail = b"}" if meta is None else b',"meta":' + meta + b"}"
    return JsonResponse(b"".join((b'{"ok":true,"data":', data, tail)), status)


def answer_value(data: Any, *, meta: Any = None, status: int = 200) -> JsonResponse:
    """As `answer`, for values that are yet to be encoded."""
    return answer(_encoder.encode(data), meta=None if meta is None else _encoder.encode(meta), status=status)


def refuse(
    code: str, detail: str, *, status: int, headers: dict[str, str] | None = None, meta: Any = None
) -> JsonResponse:
    """The envelope of an error: a stable code, what to do about it, and for some the facts as `meta`."""
    return JsonResponse(refusal_bytes(code, detail, meta), status, headers)


def refusal_bytes(code: str, detail: str, meta: Any = None) -> bytes:
    """The body of an error."""
    return _encoder.encode({"ok": False, "error": code, "detail": detail} | ({} if meta is None else {"meta": meta}))
