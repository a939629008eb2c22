"""Reading what the log accepted before its events had limits: twins of their Structs that refuse no length or range.

A number or a time beyond its limit is read as the nearest one within it, as the folds in schema.sql do. A time without
an offset is UTC. Everything else that a Struct refuses its twin refuses too.
"""

import types
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Meta, Struct, defstruct
from msgspec.structs import force_setattr

from events.limits import MOMENT_MAX, MOMENT_MIN

Default = Any
T = TypeVar("T", bound=Struct)


@cache
def tolerant(struct: type[T]) -> type[T]:
    """The twin of a Struct: a subclass with the same fields."""
    hints = get_type_hints(struct, include_extras=True)
    fields = [_field(field, _without_limits(hints[field.name])) for field in msgspec.structs.fields(struct)]
    ranges = {name: found for name, hint in hints.items() if (found := _range(hint))}

    def keep_limits(self: Struct) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            nearest = _nearest(value, ranges.get(name))
            if nearest is not value:
                force_setattr(self, name, nearest)

    twin: Any = defstruct(
        struct.__name__,
        fields,
        bases=(struct,),
        namespace={"__post_init__": keep_limits},
        frozen=True,
        forbid_unknown_fields=True,
        omit_defaults=True,
        kw_only=True,
    )
    return cast("type[T]", twin)


def read_tolerant(data: str | bytes, struct: type[T]) -> T:
    """A part of a stored event, as its Struct or, where that refuses it, as its twin. Raises msgspec's errors."""
    try:
        found: T = msgspec.json.decode(data, type=struct)
    except msgspec.ValidationError:
        found = msgspec.json.decode(data, type=tolerant(struct))
    return found


def _field(field: msgspec.structs.FieldInfo, hint: Any) -> tuple[str, Any] | tuple[str, Any, Default]:
    if field.default is not NODEFAULT:
        return field.name, hint, field.default
    if field.default_factory is not NODEFAULT:
        return field.name, hint, msgspec.field(default_factory=field.default_factory)
    return field.name, hint


def _without_limits(hint: Any) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _without_limits(arguments[0])
    if origin in (Union, types.UnionType):
        return Union[tuple(_without_limits(each) for each in arguments)]  # noqa: UP007
    if origin in (list, dict):
        return origin[tuple(_without_limits(each) for each in arguments)]
    if isinstance(hint, type) and issubclass(hint, Struct):
        return tolerant(hint)
    return hint


def _range(hint: Any) -> Meta | None:
    """The limits of a number, or of a number that can be left out."""
    for each in (hint, *get_args(hint)):
        for meta in getattr(each, "__metadata__", ()):
            if isinstance(meta, Meta) and meta.ge is not None:
                return meta
    return None


def _nearest(value: Any, limits: Meta | None) -> Any:
    match value:
        case datetime():
            aware = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
            return aware if MOMENT_MIN <= aware <= MOMENT_MAX else min(max(aware, MOMENT_MIN), MOMENT_MAX)
        case int() | float() if limits is not None and limits.ge is not None and limits.le is not None:
            return value if limits.ge <= value <= limits.le else type(value)(min(max(value, limits.ge), limits.le))
    return value
