"""The ways in which programs write a value down: what must be hidden, and found in bodies and commits."""

import base64
import html
import json
import re
import shlex
import subprocess
import textwrap
import urllib.parse
from collections.abc import Callable

Encoder = Callable[[str], str]


def bash(script: str, value: str) -> str:
    """What a real bash prints."""
    ended = subprocess.run(["bash", "-c", script, "bash", value], capture_output=True, check=True)
    return (ended.stdout + ended.stderr).decode(errors="surrogateescape").rstrip("\n")


def _lower_quote(value: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), urllib.parse.quote(value, safe=""))


def _colour(value: str) -> str:
    half = len(value) // 2
    return f"{value[:half]}\x1b[01;31m\x1b[K{value[half:]}\x1b[m\x1b[K"


def _rainbow(value: str) -> str:
    return "".join(f"\x1b[38;2;255;{index % 256};7m{each}\x1b[39m" for index, each in enumerate(value))


def _wrapped(value: str, width: int = 76, before: int = 0) -> str:
    encoded = base64.b64encode(bytes(before) + value.encode()).decode()
    return "\n".join(textwrap.wrap(encoded, width))


def _diff(value: str) -> str:
    return "".join(f"\n+{line}" for line in _wrapped(value, 20).splitlines())


def _html_decimal(value: str) -> str:
    return "".join(each if each.isalnum() and each.isascii() else f"&#{ord(each)};" for each in value)


ENCODERS: dict[str, Encoder] = {
    "plain": str,
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 url-safe": lambda value: base64.urlsafe_b64encode(value.encode()).decode(),
    "base64 wrapped at 76": lambda value: _wrapped(value, before=70),
    "base64 wrapped at 64": lambda value: _wrapped(value, 64, before=20),
    "base64 wrapped at 7": lambda value: _wrapped(value, 7),
    "base64 indented": lambda value: textwrap.indent(_wrapped(value, 40), "    "),
    "base64 in a diff": _diff,
    "base64 in JSON": lambda value: json.dumps(_wrapped(value)),
    "hex": lambda value: value.encode().hex(),
    "HEX": lambda value: value.encode().hex().upper(),
    "hex, wrapped": lambda value: "\n".join(textwrap.wrap(value.encode().hex(), 60)),
    "hex with blanks": lambda value: value.encode().hex(" "),
    "hex in pairs": lambda value: value.encode().hex(" ", 2),
    "hex escapes": lambda value: "".join(f"\\x{byte:02x}" for byte in value.encode()),
    "URL": lambda value: urllib.parse.quote(value, safe=""),
    "URL, lower case": _lower_quote,
    "URL, slash kept": urllib.parse.quote,
    "URL, form": urllib.parse.quote_plus,
    "URL, twice": lambda value: urllib.parse.quote(urllib.parse.quote(value, safe=""), safe=""),
    "URL, every byte": lambda value: "".join(f"%{byte:02x}" for byte in value.encode()),
    "JSON": json.dumps,
    "JSON, not ASCII": lambda value: json.dumps(value, ensure_ascii=False),
    "JSON, slash escaped": lambda value: json.dumps(value).replace("/", "\\/"),
    "JSON, safe in HTML": lambda value: (
        json.dumps(value)
        .replace("&", "\\u0026")
        .replace("<", "\\u003c")
        .replace(">", "\\u003E")
        .replace("'", "\\u0027")
    ),
    "JSON, twice": lambda value: json.dumps(json.dumps(value)),
    "JSON, three times": lambda value: json.dumps(json.dumps(json.dumps({"a": value}))),
    "JSON, every character": lambda value: "".join(
        f"\\u{unit:04X}" for unit in memoryview(value.encode("utf-16-le")).cast("H")
    ),
    "repr": repr,
    "ascii": ascii,
    "repr of bytes": lambda value: repr(value.encode()),
    "shlex": shlex.quote,
    "shlex, twice": lambda value: shlex.quote(shlex.quote(value)),
    "printf %q": lambda value: bash('printf %q "$1"', value),
    "@Q": lambda value: bash('echo "${1@Q}"', value),
    "set -x": lambda value: bash('set -x; : "$1"', value),
    "declare": lambda value: bash("x=$1; declare -p x", value),
    "HTML": html.escape,
    "HTML, decimal": _html_decimal,
    "HTML, hex": lambda value: "".join(f"&#x{ord(each):x};" for each in value),
    "HTML, named": lambda value: html.escape(value).replace("&#x27;", "&apos;").replace("/", "&sol;"),
    "HTML, twice": lambda value: html.escape(html.escape(value)),
    "colour": _colour,
    "rainbow": _rainbow,
    "octal": lambda value: "".join(f"\\{byte:03o}" for byte in value.encode()),
}

VALUES = {
    "password": 'p4ss/w0rd&"it\'s" <100%>',
    "key": "aB3+/xY9_-kLmN0pQrStUvWxYz0123456789==",
    "words": "correct horse battery staple",
    "umlauts": "pässwörd-ñandú-€5",
    "emoji": "key🔑of😀joy",
    "backslashes": "C:\\new\\table\\x41\\u0041",
    "percent": "50%25off%41&amp;more;",
    "dollars": "$HOME`id`$'x'\"$y\"!9",
    "number": "48151623420815",
    "leading dash": "-rf/+x%2Bvalue",
    "lines": "first line of this value\nsecond line of this value\n",
    "trailing": "ends-with-a-percent%",
}
