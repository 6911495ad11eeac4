"""The schemas that stand in a JSON Schema, and what of them can be checked by itself."""

from collections.abc import Iterator
from typing import Any, Final

from heddle.schemas.path import Path
from heddle.schemas.types.patterns import PatternError, search_of

_SINGLE: Final = frozenset(
    [
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    ]
)
_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS: Final = frozenset(
    {"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"}
)


def parts_of(schema: dict[str, Any]) -> Iterator[tuple[Any, Path]]:
    """Yield the schemas that stand in a schema, with the path to each."""
    for word, value in schema.items():
        if word in _SINGLE:
            yield value, (word,)
        elif word in _LISTS and isinstance(value, list):
            yield from ((each, (word, index)) for index, each in enumerate(value))
        elif word in _MAPS and isinstance(value, dict):
            yield from ((each, (word, name)) for name, each in value.items())


def all_parts(schema: Any, path: Path = ()) -> Iterator[tuple[dict[str, Any], Path]]:
    """Yield a schema and each that stands in it, at any depth, with the path to each."""
    todo = [(schema, path)]
    while todo:
        part, here = todo.pop()
        if isinstance(part, dict):
            yield part, here
            todo += [(inner, (*here, *step)) for inner, step in parts_of(part)]


def bad_pattern(part: dict[str, Any]) -> tuple[PatternError, Path] | None:
    """Return why an expression of a schema itself is rejected, and its path; None if all can be used."""
    places: list[tuple[Any, Path]] = []
    named = part.get("patternProperties")
    if isinstance(named, dict):
        places += [(each, ("patternProperties", each)) for each in named]
    places.append((part.get("pattern"), ("pattern",)))
    for pattern, path in places:
        if isinstance(pattern, str):
            try:
                search_of(pattern)
            except PatternError as error:
                return error, path
    return None
