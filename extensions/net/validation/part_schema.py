"""The schema of a part of a request that is a map of texts: written whole, or as schemas by name."""

from collections.abc import Mapping
from typing import Any, Final

from heddle.schemas.words import listed

PARTS: Final = ("body", "query", "params", "header", "cookies")
"""The parts of a request that are checked, in order."""

_SCHEMAS: Final = frozenset(
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
_MAPS: Final = frozenset(
    [
        "$defs",
        "definitions",
        "dependentSchemas",
        "patternProperties",
        "properties",
        "dependentRequired",
    ]
)
_LISTS: Final = frozenset(["allOf", "anyOf", "enum", "oneOf", "prefixItems", "required"])
_TEXTS: Final = frozenset(
    [
        "$anchor",
        "$comment",
        "$dynamicAnchor",
        "$dynamicRef",
        "$id",
        "$ref",
        "$schema",
        "contentEncoding",
        "contentMediaType",
        "description",
        "format",
        "pattern",
        "title",
    ]
)
_FLAGS: Final = frozenset(["deprecated", "readOnly", "uniqueItems", "writeOnly"])
_NUMBERS: Final = frozenset(
    [
        "exclusiveMaximum",
        "exclusiveMinimum",
        "maxContains",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minContains",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
    ]
)
_ANY: Final = frozenset({"const", "default", "examples"})

_OF_OBJECTS: Final = frozenset(
    [
        "$defs",
        "$ref",
        "additionalProperties",
        "dependentRequired",
        "dependentSchemas",
        "patternProperties",
        "properties",
        "propertyNames",
        "unevaluatedProperties",
    ]
)
"""Keywords by which a map is a schema of an object: nobody calls a parameter so."""


class AmbiguousSchemaError(ValueError):
    """A map that may be a schema, or schemas by name; `expected` has both spellings."""

    def __init__(self, message: str, expected: str) -> None:
        super().__init__(message)
        self.expected = expected


def schema_of_part(given: Any) -> Any:
    """Return the schema of a map of texts: as it is, or made of schemas by name.

    Raise AmbiguousSchemaError if a map could be either: read in the wrong way, it would check nothing.
    """
    if not isinstance(given, dict) or _is_schema(given):
        return given
    properties: dict[str, Any] = {}
    required: list[str] = []
    for name, schema in given.items():
        must = isinstance(schema, dict) and isinstance(schema.get("required"), bool)
        if must and schema["required"]:
            required.append(name)
        kept = {k: v for k, v in schema.items() if k != "required"} if must else schema
        if isinstance(kept, dict) and kept and not any(map(_is_keyword, kept)):
            raise AmbiguousSchemaError(f"{name}: no keyword of JSON Schema", f"{name}: {{type: …}}")
        properties[name] = kept
    made: dict[str, Any] = {"type": "object", "properties": properties}
    return {**made, "required": required} if required else made


def check_whole(given: Any) -> None:
    """Raise AmbiguousSchemaError if a map has schemas by name where a schema is expected."""
    if not isinstance(given, dict) or any(map(_is_keyword, given)):
        return
    names = [name for name, value in given.items() if _is_schema_like(value)]
    if names:
        raise AmbiguousSchemaError(
            f"{listed(names)}: not a keyword of JSON Schema", f"properties: {{{names[0]}: …}}"
        )


def _is_schema(given: Mapping[str, Any]) -> bool:
    """Return whether a map is a schema, and not schemas by name."""
    keywords = [name for name, value in given.items() if _fits_keyword(name, value)]
    others = [name for name in given if name not in keywords]
    # By name, each value is a schema: a map or a boolean.
    by_name = all(_is_schema_like(value, names=True) for value in given.values())
    if not keywords:
        if by_name or not given:
            return False
        wrong = [name for name in others if not isinstance(given[name], dict | bool)]
        if not wrong:
            # Each is a map, so it is meant as a schema: what is wrong inside is for the schema of schemas.
            return False
        raise AmbiguousSchemaError(
            f"{listed(wrong)}: not a schema, and not a keyword of JSON Schema",
            f"{wrong[0]}: {{type: …}}",
        )
    of_objects = not _OF_OBJECTS.isdisjoint(keywords)
    schemas = [name for name in others if _is_schema_like(given[name])]
    if not schemas:
        if by_name and not of_objects:
            raise _ambiguous(keywords[0], keywords)
        return True
    if by_name and not of_objects:
        return False
    raise _ambiguous(schemas[0], [*keywords, *schemas])


def _ambiguous(name: str, names: list[str]) -> AmbiguousSchemaError:
    """Return the failure of a map that could be read in two ways."""
    return AmbiguousSchemaError(
        f"{listed(names)}: parameters by name, or keywords of a schema",
        f"{{type: object, properties: {{{name}: …}}}} for a parameter {name}, or "
        f"{{type: object, {name}: …}} for the keyword",
    )


def _is_keyword(name: str) -> bool:
    return any(
        name in words for words in (_SCHEMAS, _MAPS, _LISTS, _TEXTS, _FLAGS, _NUMBERS, _ANY)
    ) or (name in ("type", "$vocabulary"))


def _fits_keyword(name: str, value: Any) -> bool:
    """Return whether a name is a keyword of JSON Schema that may have this value."""
    if name in _ANY:
        return True
    if name in _SCHEMAS:
        return isinstance(value, dict | bool)
    if name in _MAPS:
        inner = list if name == "dependentRequired" else dict | bool
        return isinstance(value, dict) and all(isinstance(each, inner) for each in value.values())
    if name in _LISTS:
        return isinstance(value, list)
    if name in _FLAGS:
        return isinstance(value, bool)
    if name in _NUMBERS:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return (
        isinstance(value, str | list)
        if name == "type"
        else name in _TEXTS and isinstance(value, str)
    )


def _is_schema_like(value: Any, *, names: bool = False) -> bool:
    """Return whether a value reads as a schema: a map with keywords. With `names`, also `{}` and booleans."""
    if not isinstance(value, dict):
        return names and isinstance(value, bool)
    if any(_fits_keyword(name, part) for name, part in value.items()):
        return True
    return names and (not value or isinstance(value.get("required"), bool))
