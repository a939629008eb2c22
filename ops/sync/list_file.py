"""A JSON file that holds a list of objects, bare or under one key, which people edit by hand."""

import json
import os
import secrets
from pathlib import Path
from typing import Any

from msgspec import Struct

from ops.errors import OperatorError

Item = dict[str, Any]


class ListFile(Struct, frozen=True):
    """What the file says. `around` is the object that the list stood in under `key`; None when it was bare."""

    path: Path
    items: list[Item]
    key: str
    around: dict[str, Any] | None = None

    @classmethod
    def read(cls, path: Path, key: str) -> "ListFile":
        """The file; an empty list where there is none. Raises OperatorError."""
        try:
            content = json.loads(path.read_text("utf-8"))
        except FileNotFoundError:
            return cls(path, [], key)
        except OSError as error:
            raise OperatorError("sync.unreadable", file=path, detail=error.strerror) from error
        except (ValueError, RecursionError) as error:  # bytes that are not UTF-8 too
            raise OperatorError("sync.not_json", file=path, detail=error) from error
        around = content if isinstance(content, dict) else None
        items = content if around is None else around.get(key)
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise OperatorError("sync.no_list", file=path, name=key)
        return cls(path, items, key, around)

    def render(self, items: list[Item]) -> str:
        """The text of the file with other items in it."""
        content = items if self.around is None else self.around | {self.key: items}
        return json.dumps(content, ensure_ascii=False, indent=2) + "\n"

    def write(self, items: list[Item], path: Path) -> bool:
        """Put `items` into the file at `path`, whole or not at all; a file that says so already is left alone.

        True when it was written. Raises OperatorError.
        """
        if items == self.items and path.resolve() == self.path.resolve():
            return False
        try:
            replace_text(path, self.render(items))
        except OSError as error:
            raise OperatorError("sync.unwritable", file=path, detail=error.strerror) from error
        return True


def replace_text(path: Path, text: str) -> None:
    """Write a file so that a reader, and a machine that stops, see the old text or the new one. Raises OSError."""
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    mode = target.stat().st_mode & 0o777 if target.exists() else 0o644
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
