"""The JSON Schema of a Python type hint, and the conversion of plain data to what a hint asks for.

Structs of msgspec, dataclasses, TypedDicts, enums, unions, limits in `Annotated` and everything else
that msgspec knows; models of pydantic if it is installed. A hint that none of them knows is `any`:
its values pass as they are.
"""

import collections.abc
import dataclasses
import types
import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, NewType, TypeVar, Union, get_args, get_origin

import msgspec

Json = dict[str, Any]

_ANY = (Any, object, typing.Never, typing.NoReturn)

_PLAIN = (type(None), bool, int, float, str, bytes, list, dict)
"""The types of payloads: a function that asks for one is given the value as it is."""

_LISTS = (
    collections.abc.Iterable,
    collections.abc.Iterator,
    collections.abc.Generator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncIterator,
    collections.abc.AsyncGenerator,
)
"""The types that a function takes or yields item by item: a list for a caller who asks for the whole value."""


def schema_of(hint: Any, *, closed: bool = False) -> Json:
    """Return the JSON Schema of a type hint; `{}` if it is not known or accepts anything.

    With `closed`, an object has the fields of its class and no others: so it is for what a function
    returns. What a function accepts is left open, as msgspec ignores unknown fields.
    """
    if hint in _ANY or isinstance(hint, TypeVar):
        return {}
    if not _is_hashable(hint):
        schema = _build_schema(hint)
        return close_schema(schema) if closed else schema
    return _closed_schema_of(hint) if closed else _schema_of(hint)


def close_schema(schema: Any) -> Any:
    """Return a copy in which every object with named properties has no others."""
    if isinstance(schema, list):
        return [close_schema(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    closed = {
        key: value if key in ("default", "const", "enum", "examples") else close_schema(value)
        for key, value in schema.items()
    }
    if schema.get("type") == "object" and isinstance(schema.get("properties"), Mapping):
        closed.setdefault("additionalProperties", False)
    return closed


def is_plain(hint: Any) -> bool:
    """Return whether a value of this hint is a payload as it is, so that nothing has to be built."""
    return _is_plain_kept(hint) if _is_hashable(hint) else _is_plain(hint)


@lru_cache(maxsize=1024)
def _is_plain_kept(hint: Any) -> bool:
    return _is_plain(hint)


def _is_plain(hint: Any) -> bool:
    if hint in _ANY or hint in _PLAIN or hint is None or isinstance(hint, TypeVar):
        return True
    origin, args = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return is_plain(args[0])
    if origin is Literal:
        return True
    if isinstance(hint, NewType):
        return is_plain(hint.__supertype__)
    if typing.is_typeddict(hint) or typing.is_typeddict(origin):
        return all(is_plain(field) for field in typing.get_type_hints(origin or hint).values())
    held = origin or hint
    if held in (Union, types.UnionType):
        return all(map(is_plain, args))
    whole = held in (list, dict) or held in _LISTS
    if whole or held in (collections.abc.Sequence, collections.abc.Mapping):
        return all(map(is_plain, args))
    return _is_unknown(hint)


def build_value(value: Any, hint: Any) -> Any:
    """Return what the hint asks for, built from plain data; msgspec.ValidationError if it does not fit.

    Numbers in texts are not taken for numbers: a type is converted, never guessed.
    """
    if hint in _ANY or isinstance(hint, TypeVar):
        return value
    item = _item_hint(hint)
    if item is not None:
        return msgspec.convert(value, list[item], dec_hook=_build_other)  # type: ignore[valid-type]
    try:
        return msgspec.convert(value, hint, dec_hook=_build_other)
    except TypeError:
        # A hint that msgspec has no schema for: there is nothing to build.
        return value


def plain_value(value: Any) -> Any:
    """Return a value as plain data: Structs, dataclasses, dates and sets become maps, texts and lists.

    TypeError names the type of a part that cannot be written as plain data.
    """
    return msgspec.to_builtins(value, builtin_types=(bytes,), enc_hook=_write_other)


def fields_of_hint(hint: Any) -> tuple[str, ...] | None:
    """Return the field names of a Struct, dataclass, TypedDict or model; None for any other hint."""
    held: Any = get_origin(hint) or hint
    if held is Annotated:
        return fields_of_hint(get_args(hint)[0])
    if not isinstance(held, type):
        return None
    if issubclass(held, msgspec.Struct):
        array = held.__struct_config__.array_like
        return None if array else tuple(held.__struct_encode_fields__)
    if dataclasses.is_dataclass(held):
        return tuple(field.name for field in dataclasses.fields(held))
    if typing.is_typeddict(held):
        return tuple(typing.get_type_hints(held))
    return tuple(getattr(held, "model_fields", ())) if _is_model(held) else None


def _is_hashable(hint: Any) -> bool:
    try:
        hash(hint)
    except TypeError:
        return False
    return True


@lru_cache(maxsize=1024)
def _schema_of(hint: Any) -> Json:
    return _build_schema(hint)


@lru_cache(maxsize=1024)
def _closed_schema_of(hint: Any) -> Json:
    closed: Json = close_schema(_schema_of(hint))
    return closed


def _build_schema(hint: Any) -> Json:
    item = _item_hint(hint)
    if item is not None:
        return _build_schema(list[item])  # type: ignore[valid-type]
    try:
        schema: Json = msgspec.json.schema(hint, schema_hook=_schema_of_other)
    except (TypeError, NotImplementedError):
        return {}
    definitions: Json = schema.pop("$defs", {})
    lifted = _lift_definitions(schema, definitions)
    return {**lifted, "$defs": definitions} if definitions else lifted


def _lift_definitions(part: Any, definitions: Json) -> Any:
    """Return a copy without inner `$defs`: a model brings its own, but references begin at the root."""
    if isinstance(part, list):
        return [_lift_definitions(item, definitions) for item in part]
    if not isinstance(part, dict):
        return part
    definitions.update(part.pop("$defs", {}))
    return {key: _lift_definitions(value, definitions) for key, value in part.items()}


def _item_hint(hint: Any) -> Any:
    """Return the hint of the items if the hint is an iterable that msgspec does not know."""
    held = get_origin(hint) or hint
    if held not in _LISTS:
        return None
    args = get_args(hint)
    return args[0] if args else Any


def _schema_of_other(hint: Any) -> Json:
    """Return the schema of a class that msgspec does not know; it is the hook of msgspec."""
    item = _item_hint(hint)
    if item is not None:
        return {"type": "array", "items": _build_schema(item)}
    if _is_model(hint):
        schema: Json = hint.model_json_schema()
        return schema
    return _name_other(hint)


def _is_unknown(hint: Any) -> bool:
    """Return whether neither msgspec nor pydantic knows the hint: its values pass as they are."""
    held = get_origin(hint) or hint
    if not isinstance(held, type):
        return True
    if _is_model(held):
        return False
    try:
        schema = msgspec.json.schema(held, schema_hook=_name_other)
    except (TypeError, NotImplementedError):
        return True
    return schema == _name_other(held)


def _name_other(hint: Any) -> Json:
    """Return the schema of a class that nobody knows: anything, under its name."""
    return {"title": getattr(hint, "__name__", str(hint))}


def _is_model(hint: Any) -> bool:
    """Return whether the hint is a model of pydantic, which need not be installed."""
    return (
        isinstance(hint, type)
        and hasattr(hint, "model_json_schema")
        and hasattr(hint, "model_fields")
    )


def _build_other(hint: Any, value: Any) -> Any:
    if _is_model(hint):
        return hint.model_validate(value)
    return value


def _write_other(value: Any) -> Any:
    if _is_model(type(value)):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} cannot be written as plain data")
