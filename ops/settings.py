"""A setting: one environment variable with its type, limits, default and text, and how its value is read."""

import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

from ops.errors import OperatorError
from ops.texts.text import Text

KINDS = {
    bool: Text(es="true o false", en="true or false"),
    int: Text(es="número entero", en="whole number"),
    float: Text(es="número", en="number"),
    str: Text(es="texto", en="text"),
    Path: Text(es="ruta", en="path"),
}
ADDRESSES = {
    "^postgres(ql)?://": Text(es="dirección postgresql://…", en="postgresql://… address"),
    "^https?://": Text(es="dirección http://… o https://…", en="http://… or https://… address"),
}


class Setting(msgspec.Struct, frozen=True):
    """One field of Config, described. `names` are its variables, the first one is the documented name."""

    field: str
    names: tuple[str, ...]
    type: Any
    default: Any
    allowed: Text
    text: str

    @property
    def name(self) -> str:
        """The variable's documented name."""
        return self.names[0]


def describe_settings(config: type[msgspec.Struct], other_names: Mapping[str, tuple[str, ...]]) -> tuple[Setting, ...]:
    """Every field of `config` as a Setting, in order."""
    hints = get_type_hints(config, include_extras=True)
    return tuple(
        _describe(field, hints[field.name], other_names.get(field.name, (f"ELRUSO_{field.name.upper()}",)))
        for field in msgspec.structs.fields(config)
    )


def read_setting(setting: Setting, environment: Mapping[str, str], home: str) -> Any:
    """The setting's value, or its default where no variable is set; an empty variable counts as unset.

    Raises OperatorError if the value is not allowed.
    """
    name = next((name for name in setting.names if environment.get(name, "").strip()), None)
    base, _metas = _unwrap(setting.type)
    if base is Path:
        path = environment[name].strip() if name else setting.default
        return None if path is None else _absolute(str(path), home)
    if name is None:
        return setting.default
    value = environment[name].strip()
    try:
        if get_origin(base) is Literal:
            return next(choice for choice in get_args(base) if str(choice) == value.lower())
        return msgspec.convert(_spelled(base, value), setting.type, strict=False)
    except (msgspec.ValidationError, StopIteration):
        raise OperatorError(
            "config.invalid", name=name, value=without_password(value), allowed=setting.allowed
        ) from None


def without_password(address: str) -> str:
    """An address as it may be shown: a password in it, before the host or in the query, is replaced by ***."""
    return re.sub(r"(?<=password=)[^&]*", "***", re.sub(r"(://[^/:@]*):.*@", r"\1:***@", address))


def _describe(field: msgspec.structs.FieldInfo, hint: Any, names: tuple[str, ...]) -> Setting:
    base, metas = _unwrap(hint)
    text = next(meta.description for meta in metas if meta.description)
    return Setting(field.name, names, hint, field.default, _allowed(base, metas), text)


def _unwrap(hint: Any) -> tuple[Any, list[msgspec.Meta]]:
    """The plain type inside Annotated and `| None`, and all that was said about it."""
    if get_origin(hint) is Annotated:
        base, *metas = get_args(hint)
        inner, more = _unwrap(base)
        return inner, more + [meta for meta in metas if isinstance(meta, msgspec.Meta)]
    if get_origin(hint) is types.UnionType or type(None) in get_args(hint):
        return _unwrap(next(part for part in get_args(hint) if part is not type(None)))
    return hint, []


def _allowed(base: Any, metas: list[msgspec.Meta]) -> Text:
    if get_origin(base) is Literal:
        choices = ", ".join(str(choice) for choice in get_args(base))
        return Text(es=choices, en=choices)
    kind = next((ADDRESSES[meta.pattern] for meta in metas if meta.pattern), None) or KINDS[base]
    limits = [
        *(Text(es=f"desde {meta.ge}", en=f"from {meta.ge}") for meta in metas if meta.ge is not None),
        *(Text(es=f"mayor que {meta.gt}", en=f"above {meta.gt}") for meta in metas if meta.gt is not None),
        *(Text(es=f"hasta {meta.le}", en=f"up to {meta.le}") for meta in metas if meta.le is not None),
    ]
    return Text(es=" ".join(part.es for part in (kind, *limits)), en=" ".join(part.en for part in (kind, *limits)))


def _spelled(base: Any, value: str) -> str:
    """yes, on and their opposites are booleans too."""
    spellings = {"yes": "true", "on": "true", "no": "false", "off": "false"}
    return spellings.get(value.lower(), value) if base is bool else value


def _absolute(path: str, home: str) -> Path:
    expanded = home + path[1:] if path == "~" or path.startswith("~/") else path
    return Path(expanded).absolute()
