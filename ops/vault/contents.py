"""What the vault holds: values by the names of their variables, and which of them tasks may have."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
from msgspec import Struct, structs

from ops.errors import OperatorError

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,199}")
"""What a shell can have as a variable."""
VALUE_BYTES_MAX = 64 * 1024


class Entry(Struct, frozen=True):
    """One value. `granted`: a task that names it gets it."""

    value: str
    set_at: datetime
    granted: bool = False


class Contents(Struct, frozen=True):
    """All of it. Every change is a new one."""

    entries: dict[str, Entry] = {}

    def having(self, values: Mapping[str, str], at: datetime, granted: bool | None) -> "Contents":
        """With these values; `granted` None leaves it as it was. Raises OperatorError naming what will not do."""
        entries = dict(self.entries)
        for name, value in values.items():
            check_name(name)
            check_value(name, value)
            known = entries.get(name)
            entries[name] = Entry(value, at, bool(known and known.granted) if granted is None else granted)
        return Contents(entries)

    def without(self, names: Iterable[str]) -> "Contents":
        """Without these. Raises OperatorError for one that is not there."""
        self.check_known(names := list(names))
        return Contents({name: entry for name, entry in self.entries.items() if name not in names})

    def granting(self, names: Iterable[str], granted: bool) -> "Contents":
        """With these granted to tasks, or not any more. Raises OperatorError for one that is not there."""
        self.check_known(names := list(names))
        changed = {name: structs.replace(self.entries[name], granted=granted) for name in names}
        return Contents(self.entries | changed)

    def encode(self) -> bytes:
        """As it is sealed."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, text: bytes) -> "Contents":
        """What `encode` made; white space at the end does not matter. Raises msgspec.MsgspecError."""
        return msgspec.json.decode(text, type=cls)

    def check_known(self, names: Iterable[str]) -> None:
        """Raises OperatorError naming those that are not there, and those that are."""
        unknown = sorted(set(names) - self.entries.keys())
        if unknown:
            raise OperatorError("vault.unknown_name", name=", ".join(unknown), known=", ".join(sorted(self.entries)))


def check_name(name: str) -> None:
    """Raises OperatorError when a shell could not have it as a variable."""
    if not NAME.fullmatch(name):
        raise OperatorError("vault.bad_name", name=name)


def check_value(name: str, value: str) -> None:
    """Raises OperatorError, which does not show the value, when it cannot be kept, handed on or hidden."""
    if not value.strip():
        raise OperatorError("vault.empty_value", name=name)
    if "\0" in value or not _is_unicode(value):
        raise OperatorError("vault.binary_value", name=name)
    if len(value.encode()) > VALUE_BYTES_MAX:
        raise OperatorError("vault.long_value", name=name, limit=VALUE_BYTES_MAX)


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
