"""A Shape is what one field accepts, read from its annotation, for checks, editors and pages."""

import enum
import types
from collections.abc import Collection, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Literal, NewType, TypeAlias, Union, get_args, get_origin
from uuid import UUID

import msgspec

from heddle.schemas.field import FieldType

Form: TypeAlias = Literal[
    "any", "null", "boolean", "integer", "number", "string", "bytes", "enum",
    "array", "mapping", "object", "custom", "union", "other",
]  # fmt: skip
"""`group` is a nested Struct, `own` a FieldType, `either` a union, `other` what msgspec knows besides."""


class FieldShape(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The values that one place accepts. `type` is the annotation itself, limits included.

    `items` are the members of a union, the item of a list, or the key and value of a map.
    """

    type: Any
    form: Form
    bare: Any = None
    meta: tuple[msgspec.Meta, ...] = ()
    items: "tuple[FieldShape, ...]" = ()
    choices: tuple[Any, ...] = ()

    def limit(self, name: str) -> Any:
        """Return a limit of `about` (`ge`, `pattern`, …), or None."""
        values = [getattr(meta, name) for meta in self.meta if getattr(meta, name) is not None]
        return values[-1] if values else None

    @property
    def optional(self) -> bool:
        """Whether null may be written."""
        return self.form in ("any", "null") or any(
            item.form == "null" for item in self.items if self.form == "union"
        )


class Field(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One field as declared. `name` is what people write; `default` is NODEFAULT if it must be written.

    UNSET is a default, too: it stands for a field that was left out.
    """

    name: str
    shape: FieldShape
    default: Any = msgspec.field(default_factory=lambda: msgspec.NODEFAULT)
    help: str = ""
    examples: tuple[Any, ...] = ()
    unit: str = ""

    @property
    def required(self) -> bool:
        """Whether it must be written."""
        return self.default is msgspec.NODEFAULT


@lru_cache(maxsize=4096)
def fields_of(group: type[msgspec.Struct]) -> tuple[Field, ...]:
    """Return the fields of a Struct in the order of their declaration."""
    return tuple(_field(info) for info in msgspec.structs.fields(group))


def shape_of(annotation: Any) -> FieldShape:
    """Return the Shape of an annotation; raise TypeError if it is not a type for a field."""
    bare: Any = annotation
    meta: tuple[msgspec.Meta, ...] = ()
    if get_origin(bare) is Annotated:
        bare, *values = get_args(bare)
        meta = tuple(item for item in values if isinstance(item, msgspec.Meta))
    while isinstance(bare, NewType):
        bare = bare.__supertype__
    form, items, choices = _form(bare)
    if form == "custom" and any(
        getattr(item, name) is not None for item in meta for name in _LIMITS
    ):
        raise TypeError(
            f"the limits of a {bare.__name__} stand in a subclass of it: "
            f'class Short({bare.__name__}, le="1s")'
        )
    return FieldShape(
        type=annotation, form=form, bare=bare, meta=meta, items=items, choices=choices
    )


def tag_of(group: type[msgspec.Struct]) -> tuple[str, Any] | None:
    """Return the field and value that tell this Struct from the others of its union."""
    config = group.__struct_config__
    return None if config.tag_field is None else (config.tag_field, config.tag)


_LIMITS = ("ge", "gt", "le", "lt", "pattern", "min_length", "max_length")
_OTHER = (UUID, datetime, date, time, timedelta, Decimal)

_SIMPLE: dict[Any, Form] = {
    Any: "any",
    object: "any",
    None: "null",
    type(None): "null",
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    bytes: "bytes",
    bytearray: "bytes",
}


def _form(bare: Any) -> tuple[Form, tuple[FieldShape, ...], tuple[Any, ...]]:
    """Return what it is, with its parts and choices."""
    if bare in _SIMPLE:
        return _SIMPLE[bare], (), ()
    origin, args = get_origin(bare), get_args(bare)
    if origin is Union or origin is types.UnionType:
        return "union", tuple(shape_of(arg) for arg in args), ()
    if origin is Literal:
        return "enum", (), args
    whole = origin or bare
    if not isinstance(whole, type):
        raise TypeError(f"{bare!r} is not a type for a field")
    if issubclass(whole, FieldType):
        return "custom", (), ()
    if issubclass(whole, msgspec.Struct):
        return "object", (), ()
    if issubclass(whole, enum.Enum):
        return "enum", (), tuple(member.value for member in whole)
    if issubclass(whole, Mapping):
        key, value = args or (Any, Any)
        return "mapping", (shape_of(key), shape_of(value)), ()
    if issubclass(whole, Collection):
        return "array", (shape_of(_item(whole, args)),), ()
    if issubclass(whole, _OTHER):
        return "other", (), ()
    raise TypeError(f"{whole.__name__} is not a type for a field: subclass Fields or FieldType")


def _item(whole: type, args: tuple[Any, ...]) -> Any:
    """Return the type of a list's items."""
    if issubclass(whole, tuple) and not (len(args) == 2 and args[1] is Ellipsis):
        raise TypeError("a tuple of a field has items of one type: tuple[X, ...]")
    return args[0] if args else Any


def _field(info: msgspec.structs.FieldInfo) -> Field:
    """Return the declared field that msgspec knows as this."""
    try:
        shape = shape_of(info.type)
    except TypeError as error:
        raise TypeError(f"{info.encode_name}: {error}") from None
    default: Any = msgspec.NODEFAULT
    if info.default is not msgspec.NODEFAULT:
        default = info.default
    elif info.default_factory is not msgspec.NODEFAULT:
        default = info.default_factory()
    extra = shape.limit("extra") or {}
    return Field(
        name=info.encode_name,
        shape=shape,
        default=default,
        help=shape.limit("description") or "",
        examples=tuple(shape.limit("examples") or ()),
        unit=extra.get("unit", ""),
    )
