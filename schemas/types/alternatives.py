"""A JSON Schema as alternatives: each is one literal, or one type with the rules that hold for it.

A comparison of two schemas is easy between two types, and hard between `anyOf`, `$ref` and `allOf`.
So every schema is first written as a list of alternatives. The list may allow more than the schema
(a keyword that is not known is left out); then the alternative is not `exact`.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property, reduce
from typing import Any, NamedTuple, TypeAlias

JsonSchema: TypeAlias = Mapping[str, Any] | bool
"""A JSON Schema (draft 2020-12, or the part of draft-07 that is the same)."""

MOST_ALTERNATIVES = 64
"""More alternatives than these make a schema `any`: nobody waits for their product."""

_DEEPEST = 32
"""A schema that refers to itself without a part in between ends here."""

TYPES = ("number", "string", "array", "object")

NOTES = frozenset(
    [
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "discriminator",
        "help",
        "contentMediaType",
        "contentSchema",
        "$schema",
        "$anchor",
        "$comment",
        "$defs",
        "definitions",
    ]
)
"""Keywords that reject nothing."""

KNOWN = frozenset(
    [
        "type",
        "enum",
        "const",
        "anyOf",
        "oneOf",
        "allOf",
        "$ref",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "format",
        "contentEncoding",
        "items",
        "prefixItems",
        "minItems",
        "maxItems",
        "uniqueItems",
        "properties",
        "required",
        "additionalProperties",
        "patternProperties",
        "propertyNames",
        "minProperties",
        "maxProperties",
    ]
)
"""Keywords that the comparison understands."""


_MEMBERS = ("$ref", "anyOf", "oneOf", "allOf")


class OneValue(NamedTuple):
    """One value."""

    value: Any
    exact: bool = True


class TypedValues(NamedTuple):
    """Every value of one type that follows all of these rules."""

    type: str
    rules: tuple[Mapping[str, Any], ...]
    exact: bool = True


Alternative: TypeAlias = OneValue | TypedValues


class Alternatives:
    """Writes the parts of one schema document as alternatives; keeps what it has written."""

    def __init__(self, root: JsonSchema) -> None:
        self.root = root
        self._written: dict[int, tuple[Any, list[Alternative]]] = {}

    def of(self, schema: Any, depth: int = 0) -> list[Alternative]:
        """Return the alternatives of a part of the document; none of them if nothing is valid."""
        if isinstance(schema, bool):
            return list(_everything()) if schema else []
        kept = self._written.get(id(schema))
        if kept is not None and kept[0] is schema:
            return kept[1]
        if depth > _DEEPEST or not isinstance(schema, Mapping):
            return list(_everything(exact=False))
        written = self._write(schema, depth)
        if len(written) > MOST_ALTERNATIVES:
            written = list(_everything(exact=False))
        self._written[id(schema)] = (schema, written)
        return written

    def _write(self, schema: Mapping[str, Any], depth: int) -> list[Alternative]:
        """Write one schema: what its own keywords say, and what its members say, together."""
        parts: list[list[Alternative]] = []
        if "$ref" in schema:
            parts.append(self.of(self._resolve(schema["$ref"]), depth + 1))
        for word in ("anyOf", "oneOf"):
            if isinstance(schema.get(word), list):
                members = [self.of(member, depth + 1) for member in schema[word]]
                exact = word == "anyOf" or _disjoint(members)
                either = [each for member in members for each in member]
                parts.append(either if exact else [_inexact(each) for each in either])
        parts += [self.of(part, depth + 1) for part in _conjuncts(schema)]
        if not parts or any(word not in _MEMBERS and word not in NOTES for word in schema):
            parts.insert(0, _own(schema, nested=schema is not self.root))
        return reduce(_both, parts)

    @cached_property
    def _embeds(self) -> bool:
        """Whether a part has an `$id`: then `#` in a reference may not be the whole document."""
        return isinstance(self.root, Mapping) and any(
            _has_id(part) for word, part in self.root.items() if word != "$id"
        )

    def _resolve(self, reference: Any) -> Any:
        """Return the part that a reference within the document names; an unknown part otherwise."""
        part: Any = self.root
        if not isinstance(reference, str) or not reference.startswith("#") or self._embeds:
            return None
        for key in reference[1:].split("/")[1:]:
            key = key.replace("~1", "/").replace("~0", "~")
            if not isinstance(part, Mapping) or key not in part:
                return None
            part = part[key]
        return part


_documents: dict[int, tuple[Any, Alternatives]] = {}
_MOST_DOCUMENTS = 1024


def alternatives_of(root: JsonSchema) -> Alternatives:
    """Return the Alternatives of a document; those of a document that was asked for lately are kept.

    The schemas of a function are compared once for each task that it does. They must not change.
    """
    kept = _documents.get(id(root))
    if kept is not None and kept[0] is root:
        return kept[1]
    if len(_documents) >= _MOST_DOCUMENTS:
        _documents.clear()
    made = Alternatives(root)
    _documents[id(root)] = (root, made)
    return made


def equal(left: Any, right: Any) -> bool:
    """Return whether two values are the same in JSON: 1 is 1.0, and true is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(equal, left, right))
    return type_of(left) == type_of(right) and bool(left == right)


def type_of(value: Any) -> str:
    """Return the JSON type of a value (`number` for integers too), or "other"."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    if isinstance(value, list | tuple):
        return "array"
    return "object" if isinstance(value, Mapping) else "other"


def _everything(*, exact: bool = True) -> Iterable[Alternative]:
    yield from (OneValue(None, exact), OneValue(True, exact), OneValue(False, exact))
    yield from (TypedValues(name, (), exact) for name in TYPES)


def _conjuncts(schema: Mapping[str, Any]) -> list[Any]:
    parts = schema.get("allOf", [])
    return parts if isinstance(parts, list) else [None]


def _has_id(part: Any) -> bool:
    if isinstance(part, Mapping):
        return isinstance(part.get("$id"), str) or any(map(_has_id, part.values()))
    return isinstance(part, list) and any(map(_has_id, part))


def _own(schema: Mapping[str, Any], *, nested: bool) -> list[Alternative]:
    """Write what the schema says without its members and references."""
    exact = all(
        word in KNOWN or word in NOTES or word.startswith("x-") or (word == "$id" and not nested)
        for word in schema
    )
    rules = {
        word: value
        for word, value in schema.items()
        if word in KNOWN and word not in _MEMBERS and word not in ("type", "enum", "const")
    }
    named = schema.get("type", ["null", "boolean", *TYPES])
    written: list[Alternative] = []
    for name in named if isinstance(named, list) else [named]:
        written += _typed(name, rules, exact)
    for literals in _literal_lists(schema):
        written = _both(written, [OneValue(value) for value in literals])
    return written


def _literal_lists(schema: Mapping[str, Any]) -> Iterable[list[Any]]:
    if "const" in schema:
        yield [schema["const"]]
    if isinstance(schema.get("enum"), list):
        yield schema["enum"]


def _typed(name: Any, rules: Mapping[str, Any], exact: bool) -> Iterable[Alternative]:
    match name:
        case "null":
            yield OneValue(None, exact)
        case "boolean":
            yield from (OneValue(True, exact), OneValue(False, exact))
        case "integer":
            yield TypedValues("number", ({"multipleOf": 1}, rules), exact)
        case "number" | "string" | "array" | "object":
            yield TypedValues(name, (rules,), exact)
        case _:
            yield from _everything(exact=False)


def _both(left: list[Alternative], right: list[Alternative]) -> list[Alternative]:
    """Return what is allowed by both lists."""
    if len(left) * len(right) > MOST_ALTERNATIVES**2:
        return list(_everything(exact=False))
    return [each for first in left for other in right for each in _meet(first, other)]


def _meet(first: Alternative, other: Alternative) -> Iterable[Alternative]:
    exact = first.exact and other.exact
    if isinstance(first, TypedValues):
        if isinstance(other, OneValue):
            yield from _filter(other, first, exact)
        elif first.type == other.type:
            rules = first.rules + tuple(rule for rule in other.rules if rule)
            yield TypedValues(first.type, rules or ({},), exact)
    elif isinstance(other, TypedValues):
        yield from _filter(first, other, exact)
    elif equal(first.value, other.value):
        yield OneValue(first.value, exact)


def _filter(literal: OneValue, typed: TypedValues, exact: bool) -> Iterable[Alternative]:
    """Yield the value if it has the type; exact only if no further rule has to be tried."""
    if typed.type == type_of(literal.value):
        plain = not any(typed.rules) or _is_whole(typed, literal.value)
        yield OneValue(literal.value, exact and plain)


def _is_whole(typed: TypedValues, value: Any) -> bool:
    """Return whether "integer" is all that the rules ask of this number."""
    whole = all(not rule or rule == {"multipleOf": 1} for rule in typed.rules)
    return whole and isinstance(value, int)


def _inexact(alternative: Alternative) -> Alternative:
    return alternative._replace(exact=False)


def _disjoint(members: list[list[Alternative]]) -> bool:
    """Return whether no value can be in two members, by their types alone."""
    seen: list[Alternative] = []
    for member in members:
        if any(_overlap(first, other) for first in member for other in seen):
            return False
        seen += member
    return True


def _overlap(first: Alternative, other: Alternative) -> bool:
    return any(True for _ in _meet(first, other)) and not _tagged_apart(first, other)


def _tagged_apart(first: Alternative, other: Alternative) -> bool:
    """Return whether two objects have a required property with different constants (a tag)."""
    if (
        not isinstance(first, TypedValues)
        or not isinstance(other, TypedValues)
        or first.type != "object"
    ):
        return False
    left, right = _tags(first), _tags(other)
    return any(
        not any(equal(value, candidate) for value in left[name] for candidate in right[name])
        for name in left.keys() & right.keys()
    )


def _tags(typed: TypedValues) -> dict[str, list[Any]]:
    """Return the constants of each required property that has nothing but constants."""
    tags: dict[str, list[Any]] = {}
    for rule in typed.rules:
        properties = rule.get("properties", {})
        for name in rule.get("required", ()):
            schema = properties.get(name) if isinstance(properties, Mapping) else None
            if isinstance(schema, Mapping):
                for literals in _literal_lists(schema):
                    tags[name] = literals
    return tags
