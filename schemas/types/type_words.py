"""The name of a type for people: `array of Order`, `integer from 1 to 9`, `string or null`."""

from collections.abc import Mapping
from typing import Any

import msgspec

from heddle.schemas.words import any_of, listed

_DEEPEST = 4


def describe_schema(schema: Any) -> str:
    """Return the name of the type that a JSON Schema describes, in the words of JSON Schema.

    A class has its own name; any other object is named by its properties. It never raises.
    """
    return _describe(schema, schema, 0)


def _describe(schema: Any, root: Any, depth: int) -> str:
    if schema is False:
        return "nothing"
    if not isinstance(schema, Mapping) or depth > _DEEPEST:
        return "any"
    if isinstance(schema.get("title"), str):
        return str(schema["title"])
    if isinstance(schema.get("$ref"), str):
        name = schema["$ref"].rpartition("/")[2]
        definitions = root.get("$defs") or root.get("definitions") or {}
        part = definitions.get(name) if isinstance(definitions, Mapping) else None
        return name if part is None else _describe(part, root, depth + 1)
    for word in ("anyOf", "oneOf"):
        if isinstance(schema.get(word), list):
            names = [_describe(member, root, depth + 1) for member in schema[word]]
            return any_of(list(dict.fromkeys(names))) if names else "nothing"
    if "const" in schema:
        return _literal(schema["const"])
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return any_of([_literal(value) for value in schema["enum"]])
    if isinstance(schema.get("allOf"), list) and len(schema["allOf"]) == 1:
        return _describe(schema["allOf"][0], root, depth + 1)
    return _typed(schema, root, depth)


def _typed(schema: Mapping[str, Any], root: Any, depth: int) -> str:
    name = schema.get("type")
    if isinstance(name, list):
        return any_of([_typed({**schema, "type": each}, root, depth) for each in name])
    match name:
        case "array":
            return _array(schema, root, depth)
        case "object":
            return _object(schema, root, depth)
        case "string":
            if schema.get("contentEncoding") == "base64":
                return "bytes"
            return f"string ({schema['format']})" if "format" in schema else "string"
        case "integer" | "number":
            return f"{name}{_limits(schema)}"
        case str():
            return name
        case _:
            return "any"


def _array(schema: Mapping[str, Any], root: Any, depth: int) -> str:
    prefix = schema.get("prefixItems")
    if isinstance(prefix, list) and prefix:
        return f"array of {listed([_describe(item, root, depth + 1) for item in prefix])}"
    items = _describe(schema.get("items", True), root, depth + 1)
    return "array" if items == "any" else f"array of {items}"


def _object(schema: Mapping[str, Any], root: Any, depth: int) -> str:
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and properties:
        return f"object with {listed([str(name) for name in properties])}"
    values = _describe(schema.get("additionalProperties", True), root, depth + 1)
    return "object" if values in ("any", "nothing") else f"object of {values}"


def _limits(schema: Mapping[str, Any]) -> str:
    if "minimum" in schema and "maximum" in schema:
        return f" from {schema['minimum']} to {schema['maximum']}"
    words = {
        "minimum": "at least",
        "exclusiveMinimum": "more than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
    }
    limits = [f"{text} {schema[word]}" for word, text in words.items() if word in schema]
    return f", {' and '.join(limits)}" if limits else ""


def _literal(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        return repr(value)
