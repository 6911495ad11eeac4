"""The access of a program to data: fields, keys, indexes and the names of the payload."""

from collections.abc import Callable
from typing import Any, Final

from heddle.extensions.languages.cel.budget import spend
from heddle.extensions.languages.cel.errors import CelError
from heddle.extensions.languages.cel.values import ABSENT, NONE, TYPES, OptionalValue, Type, kind
from heddle.schemas.suggestion import did_you_mean

MANY_KEYS: Final = 200
"""A map with more keys than this is not searched for the nearest one."""


def entry(table: Any, key: Any) -> Any:
    """Return the value under a key, or ABSENT; a number finds the equal number of another type."""
    value = stored_key(table, key)
    return ABSENT if value is ABSENT else table[value]


def stored_key(table: Any, key: Any) -> Any:
    """Return the key by which the map knows this one, or ABSENT; no value is touched."""
    name = kind(key)
    if name == "double":
        if not float(key).is_integer():
            return ABSENT
        key = int(key)
    elif name not in ("string", "int", "uint", "bool"):
        return ABSENT
    if key not in table or (key in (0, 1) and not _same_key(table, key, name == "bool")):
        return ABSENT
    return key


def _same_key(table: Any, key: Any, as_bool: bool) -> bool:
    """Return whether the stored key is of the wanted kind: to Python, True and 1 are one key."""
    return any(k == key and (k is True or k is False) == as_bool for k in table)


_ERROR_FIELDS: Final = ("code", "data", "message")


def select(value: Any, field: str) -> Any:
    """`value.field`: the entry of a map, or a part of an error."""
    name = kind(value)
    if name == "map":
        if field in value:
            return value[field]
        raise missing(value, field)
    if name == "error":
        if field in _ERROR_FIELDS:
            return getattr(value, field)
        raise _no_part(field)
    if name == "optional":
        return _inside(value, has, select, field)
    raise CelError(f'no field "{field}" in a value of type {name} (expected: a map)')


def has(value: Any, field: str) -> bool:
    """`has(value.field)`."""
    name = kind(value)
    if name == "map":
        return field in value
    if name == "error":
        return field in _ERROR_FIELDS
    if name == "optional":
        return value is not NONE and has(value.held, field)
    raise CelError(f'no field "{field}" in a value of type {name} (expected: a map)')


def _inside(
    value: OptionalValue,
    has_it: Callable[[Any, Any], bool],
    read: Callable[[Any, Any], Any],
    key: Any,
) -> OptionalValue:
    """Return a part of an optional value as an optional value itself."""
    if value is NONE or not has_it(value.held, key):
        return NONE
    return OptionalValue(read(value.held, key))


def holds(value: Any, key: Any) -> bool:
    """Return whether an entry of a map or an element of a list is there; True for everything else."""
    name = kind(value)
    if name == "optional":
        return value is not NONE and holds(value.held, key)
    if name == "map":
        return stored_key(value, key) is not ABSENT
    if name == "list" and kind(key) in ("int", "uint", "double") and float(key).is_integer():
        return 0 <= int(key) < len(value)
    return True


def optional_select(value: Any, field: str) -> OptionalValue:
    """`value.?field`: none if a map does not have it, or if there is no value."""
    wrapped = value if kind(value) == "optional" else OptionalValue(value)
    return _inside(wrapped, has, select, field)


def optional_index(value: Any, key: Any) -> OptionalValue:
    """`value[?key]`: none if a map or a list does not have it, or if there is no value."""
    wrapped = value if kind(value) == "optional" else OptionalValue(value)
    return _inside(wrapped, holds, index, key)


def _no_part(field: str) -> CelError:
    return CelError(
        lambda: (
            f'an error has no "{field}" (it has: {", ".join(_ERROR_FIELDS)}). '
            f"{did_you_mean(field, _ERROR_FIELDS)}".rstrip()
        )
    )


def missing(table: Any, key: Any) -> CelError:
    """Return the Fault of a key that is not there, which names the nearest one."""

    def text() -> str:
        shown = f'"{key}"' if isinstance(key, str) else plain_text(key)
        return f"no such key {shown}{nearest(str(key), table)}"

    return CelError(text)


def nearest(word: str, table: Any) -> str:
    """` (it has: a, b). Did you mean "a"?` for a map of moderate size; else nothing."""
    if len(table) > MANY_KEYS:
        return ""
    keys = [str(key) for key in table]
    listed = ", ".join(keys[:12]) + (", …" if len(keys) > 12 else "")
    hint = did_you_mean(word, keys)
    return f" (it has: {listed or 'no keys'})" + (f". {hint}" if hint else "")


def plain_text(value: Any) -> str:
    """Return a value as an error message shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value)


def index(value: Any, key: Any) -> Any:
    """`value[key]`: an element of a list by its whole number, or an entry of a map."""
    name = kind(value)
    if name == "map":
        given = entry(value, key)
        if given is ABSENT:
            raise missing(value, key)
        return given
    if name == "optional":
        return _inside(value, holds, index, key)
    if name != "list":
        if name == "error" and isinstance(key, str):
            return select(value, key)
        raise CelError(f"no such overload: {name}[{kind(key)}]")
    if kind(key) not in ("int", "uint", "double") or (
        isinstance(key, float) and not key.is_integer()
    ):
        raise CelError(f"a list is indexed by a whole number, not by {kind(key)}")
    at = int(key)
    if not 0 <= at < len(value):
        raise CelError(f"index {at} is out of range (the list has {len(value)} elements)")
    return value[at]


def resolve(payload: Any, name: str) -> Any:
    """Return the value of a free name: a key of the payload, or one of the types."""
    if kind(payload) == "map" and name in payload:
        return payload[name]
    type_ = TYPES.get(name)
    if type_ is not None:
        return type_
    raise _unknown(payload, name)


def net_type(payload: Any, name: str) -> Any:
    """Return the type `net.IP` or `net.CIDR`, or the field of a payload that has a key `net`."""
    if kind(payload) == "map" and "net" in payload:
        return select(payload["net"], name)
    return Type(f"net.{name}")


def resolve_key(payload: Any, name: str) -> Any:
    """Return the value of a free name that stands as the key of a map; the Fault says how a key is quoted."""
    try:
        return resolve(payload, name)
    except CelError as fault:
        shown = fault
        raise CelError(lambda: f"{shown}. {_quote(name)}") from None


def _quote(name: str) -> str:
    return f"A key without quotes is an expression. Try: {{'{name}': …}}"


def _unknown(payload: Any, name: str) -> CelError:
    def text() -> str:
        if kind(payload) == "map":
            return f'unknown name "{name}"{nearest(name, payload)}'
        return f'unknown name "{name}" (the payload is {kind(payload)}, not a map; it is "self")'

    return CelError(text)


def elements(value: Any) -> list[Any]:
    """Return what a macro walks: the elements of a list, the keys of a map."""
    name = kind(value)
    if name == "list":
        return value if type(value) is list else list(value)
    if name == "map":
        return list(value)
    raise CelError(f"a macro walks a list or a map, not {name}")


_PAIRED: Final = 3
"""The cost of a pair beside the turn that it is made for."""


def pairs(budget: list[int], value: Any) -> list[tuple[Any, Any]]:
    """Return what a macro with two variables walks: indexes and elements, or keys and values."""
    name = kind(value)
    if name in ("list", "map"):
        spend(budget, _PAIRED * len(value))
    if name == "list":
        return list(enumerate(value))
    if name == "map":
        return list(value.items())
    raise CelError(f"a macro walks a list or a map, not {name}")


def merged(table: dict[Any, Any], more: Any) -> None:
    """Put the entries of a map into another; a Fault for a key that is there already."""
    if kind(more) != "map":
        raise CelError(f"transformMapEntry() wants a map of each entry, not {kind(more)}")
    for key, value in more.items():
        if key in table:
            raise CelError(f"the key {plain_text(key)} stands twice in the map")
        table[key] = value


def build_map(entries: list[tuple[Any, Any]], names: tuple[str, ...] = ()) -> dict[Any, Any]:
    """`{key: value}`: keys are strings, whole numbers or bools, each once.

    `names` are the keys that stand as bare names, in order; empty for those that do not.
    """
    table: dict[Any, Any] = {}
    for at, (key, value) in enumerate(entries):
        name = kind(key)
        if name not in ("string", "int", "uint", "bool"):
            hint = f". {_quote(names[at])}" if names and names[at] else ""
            raise CelError(f"a key cannot be {name} (expected: string, int, uint or bool){hint}")
        if key in table:
            raise CelError(f"the key {plain_text(key)} stands twice in the map")
        table[key] = value
    return table
