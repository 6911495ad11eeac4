"""The names and items of a value that the keywords beside `unevaluated…` have looked at (JSON Schema, core, 11)."""

from collections.abc import Iterator
from typing import Any

from heddle.schemas.types.effort import count_step
from heddle.schemas.types.patterns import search_of


def evaluated_names(
    validator: Any, value: dict[str, Any], schema: Any, *, inner: bool = True
) -> set[str]:
    """Return the names of an object that a schema, or one that applies with it, has looked at.

    `inner` is False for the schema whose own `unevaluatedProperties` asks.
    """
    if not isinstance(schema, dict):
        return set()
    count_step()
    known = value.keys() & _map(schema, "properties").keys()
    for pattern in _map(schema, "patternProperties"):
        search = search_of(pattern)
        for name in value:
            count_step()
            if search(name):
                known.add(name)
    if "additionalProperties" in schema or (inner and "unevaluatedProperties" in schema):
        # What it does not allow is a mistake of its own: nothing is left for another.
        return set(value)
    for part, applied in _applied(validator, value, schema):
        known |= evaluated_names(part, value, applied)
    for name, applied in _map(schema, "dependentSchemas").items():
        if name in value:
            known |= evaluated_names(validator, value, applied)
    return known


def evaluated_items(
    validator: Any, value: list[Any], schema: Any, *, inner: bool = True
) -> set[int]:
    """Return the places of a list that a schema, or one that applies with it, has looked at.

    `inner` is False for the schema whose own `unevaluatedItems` asks.
    """
    if not isinstance(schema, dict):
        return set()
    count_step()
    if "items" in schema or (inner and "unevaluatedItems" in schema):
        return set(range(len(value)))
    known = set(range(len(schema.get("prefixItems", ()))))
    if "contains" in schema:
        inside = validator.evolve(schema=schema["contains"])
        known |= {number for number, item in enumerate(value) if inside.is_valid(item)}
    for part, applied in _applied(validator, value, schema):
        known |= evaluated_items(part, value, applied)
    return known


def _applied(validator: Any, value: Any, schema: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the schemas that apply to the same value, and that it fits, each with its validator."""
    for word in ("$ref", "$dynamicRef"):
        if word in schema:
            target = validator._resolver.lookup(schema[word])
            part = validator.evolve(schema=target.contents, _resolver=target.resolver)
            yield part, target.contents
    for word in ("allOf", "oneOf", "anyOf"):
        for inner in schema.get(word, ()):
            if _fits(validator, value, inner):
                yield validator, inner
    if "if" in schema:
        holds = _fits(validator, value, schema["if"])
        if holds:
            yield validator, schema["if"]
        word = "then" if holds else "else"
        if word in schema:
            yield validator, schema[word]


def _fits(validator: Any, value: Any, schema: Any) -> bool:
    return next(iter(validator.descend(value, schema)), None) is None


def _map(schema: dict[str, Any], word: str) -> dict[str, Any]:
    part = schema.get(word)
    return part if isinstance(part, dict) else {}
