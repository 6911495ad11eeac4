"""A Shaping fills in the defaults that a schema names, and makes values of texts."""

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from heddle.extensions.net.route_segment import read_integer
from heddle.extensions.net.validation.references import SchemaFiles
from heddle.runtime.flow.materialize import plain

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LONGEST: Final = 400
_BOOLEANS: Final = {"true": True, "false": False}


class Shaping:
    """The facts of one schema about a value: its types, its default, its properties, its items."""

    __slots__ = ("default", "filled", "fillers", "fills", "items", "properties", "types")

    def __init__(self) -> None:
        self.types: frozenset[str] = frozenset()
        self.default: Any = _NONE
        self.properties: dict[str, Shaping] = {}
        self.items: Shaping | None = None
        self.filled: dict[str, Any] = {}
        """The defaults of its properties, by name."""
        self.fillers: dict[str, Shaping] = {}
        """The properties inside of which something may be filled in."""
        self.fills = False
        """Whether something may be filled in, at any depth."""

    @property
    def lists(self) -> bool:
        """Whether a value may be a list."""
        return "array" in self.types

    def fill(self, value: Any) -> Any:
        """Return a value with defaults for what is missing; the value itself if nothing is."""
        if not self.fills:
            return value
        if isinstance(value, dict):
            made: dict[str, Any] | None = None
            for name, default in self.filled.items():
                if name not in value:
                    made = _copied(value) if made is None else made
                    made[name] = deepcopy(default)
            for name, inner in self.fillers.items():
                if name in value:
                    old = value[name]
                    new = inner.fill(old)
                    if new is not old:
                        made = _copied(value) if made is None else made
                        made[name] = new
            return value if made is None else made
        if self.items is not None and isinstance(value, list):
            items = [self.items.fill(item) for item in value]
            same = all(new is old for new, old in zip(items, value, strict=True))
            return value if same else items
        return value

    def coerce(self, value: Any) -> Any:
        """Return the value that a text stands for by its types, to any depth; what does not fit stays."""
        if isinstance(value, str):
            return self._read(value)
        if isinstance(value, list) and self.items is not None:
            return [self.items.coerce(item) for item in value]
        if isinstance(value, dict) and self.properties:
            inner = self.properties
            return {
                name: inner[name].coerce(part) if name in inner else part
                for name, part in plain(value).items()
            }
        return value

    def pick(self, texts: Any) -> Any:
        """Return what a list of texts of one name stands for: a list if it may be one, else its only text."""
        if not isinstance(texts, list):
            return self.coerce(texts)
        if self.lists or len(texts) != 1:
            return self.coerce(texts)
        return self.coerce(texts[0])

    def _read(self, text: str) -> Any:
        types = self.types
        if not types or "string" in types:
            return text
        if "integer" in types or "number" in types:
            whole = read_integer(text)
            if whole is not None:
                return whole
            if len(text) <= _LONGEST and _NUMBER.fullmatch(text) is not None:
                number = float(text)
                if "number" in types or number.is_integer():
                    return int(number) if "number" not in types else number
        if "boolean" in types and text in _BOOLEANS:
            return _BOOLEANS[text]
        return None if "null" in types and text in ("", "null") else text


_NONE: Final = object()


def _copied(value: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a map; a request is decoded for it."""
    return dict(value) if type(value) is dict else dict(plain(value))


class Shaper:
    """Makes Shapings of schemas; each schema once, as schemas may name each other in a circle."""

    def __init__(self, files: SchemaFiles) -> None:
        self._files = files
        self._made: dict[int, Shaping] = {}
        self._keep: list[Any] = []

    def shape(self, schema: Any) -> Shaping:
        """Return the Shaping of a schema that stands in the folder."""
        files = self._files
        resource = DRAFT202012.create_resource(schema)
        resolver = files.registry.with_resource(files.base, resource).resolver(files.base)
        shaping = self._shape(schema, resolver)
        self._note_fills()
        return shaping

    def _note_fills(self) -> None:
        """Note which Shapings fill something in: those with defaults, and those that lead to them."""
        every = list(self._made.values())
        changed = True
        while changed:
            changed = False
            for each in every:
                inside = any(inner.fills for inner in each.properties.values())
                if not each.fills and (
                    each.filled or inside or (each.items is not None and each.items.fills)
                ):
                    each.fills = changed = True
        for each in every:
            each.fillers = {name: inner for name, inner in each.properties.items() if inner.fills}

    def _shape(self, schema: Any, resolver: Any) -> Shaping:
        known = self._made.get(id(schema))
        if known is not None:
            return known
        shaping = self._made[id(schema)] = Shaping()
        self._keep.append(schema)
        self._read(shaping, schema, resolver, set())
        shaping.filled = {
            name: inner.default
            for name, inner in shaping.properties.items()
            if inner.default is not _NONE
        }
        return shaping

    def _read(self, shaping: Shaping, schema: Any, resolver: Any, seen: set[int]) -> None:
        """Add what a schema says, and what those say that it takes along: `$ref` and `allOf`."""
        if not isinstance(schema, dict) or id(schema) in seen:
            return
        seen.add(id(schema))
        types = schema.get("type", ())
        shaping.types |= frozenset([types] if isinstance(types, str) else types)
        shaping.types |= _types_of(schema)
        if "default" in schema and shaping.default is _NONE:
            shaping.default = schema["default"]
        for name, inner in _mapping(schema.get("properties")).items():
            shaping.properties.setdefault(name, self._shape(inner, resolver))
        if "items" in schema and shaping.items is None:
            shaping.items = self._shape(schema["items"], resolver)
        reference = schema.get("$ref")
        if isinstance(reference, str):
            try:
                target = resolver.lookup(reference)
            except Unresolvable:
                # The validator says what is wrong with it; there is no default to take from it.
                return
            self._read(shaping, target.contents, target.resolver, seen)
        for inner in schema.get("allOf", ()):
            self._read(shaping, inner, resolver, seen)
        for word in ("anyOf", "oneOf"):
            for inner in schema.get(word, ()):
                # Which of them it is shows later; a text is read as any of their types.
                part = Shaping()
                self._read(part, inner, resolver, set(seen))
                shaping.types |= part.types
                shaping.items = shaping.items or part.items


def _types_of(schema: Mapping[str, Any]) -> frozenset[str]:
    """Return the types of the values that a schema lists."""
    values = [schema["const"]] if "const" in schema else schema.get("enum", ())
    return frozenset(_NAMES[type(value)] for value in values if type(value) in _NAMES)


_NAMES: Final[Mapping[type, str]] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    type(None): "null",
}


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
