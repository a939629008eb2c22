"""The bytes of a request: bounded, checked for what PostgreSQL cannot hold, decoded strictly."""

import re
from collections.abc import Callable
from typing import Any

import msgspec
from starlette.requests import Request

from events.errors import InvalidInput, TooLarge
from events.json_text import why_invalid

# A NUL, written as JSON: \u0000 after an even number of backslashes.
NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


async def read_body(request: Request, limit_bytes: int) -> bytes:
    """All of the body, if it is no longer than `limit_bytes`.

    Raises:
        TooLarge: its Content-Length says so, or it turns out to be.
        ClientDisconnect (starlette): the client left before it had sent everything.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit_bytes:
        raise _too_large(limit_bytes)
    chunks, size = [], 0
    async for chunk in request.stream():
        chunks.append(chunk)
        size += len(chunk)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
    return b"".join(chunks)


def decode_body(body: bytes, decode: Callable[[bytes], Any]) -> Any:
    """The value in `body`, made by a strict decoder; no body at all counts as `{}`.

    Raises:
        InvalidInput: the detail names the field, like `$.steps[0].cmd`.
    """
    if b"\\u0000" in body and NUL.search(body):
        raise InvalidInput("the body contains a NUL character (\\u0000), which cannot be stored; remove it")
    try:
        return decode(body.strip() or b"{}")
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error)) from None
    except msgspec.DecodeError as error:
        raise InvalidInput(f"the body is not valid JSON: {why_invalid(body, error)}") from None
    except UnicodeDecodeError:
        raise InvalidInput("the body is not valid UTF-8") from None
    except RecursionError:
        raise InvalidInput("the body is nested too deeply") from None


def _too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit_bytes} bytes; send less at a time")
