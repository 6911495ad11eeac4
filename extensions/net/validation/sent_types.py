"""The payload that leaves a `validate`, as a JSON Schema: what it has checked, or what a default has put in."""

from collections.abc import Iterator, Mapping
from typing import Any

from heddle.extensions.net.validation.part_schema import schema_of_part
from heddle.schemas.types.schema_parts import all_parts

_REFERENCES = ("$ref", "$dynamicRef")
_MAPS = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})


def type_of_payload(schema: Any) -> Any:
    """Return the type of a payload that fits a schema; `{}` if it is not known: its parts are in files."""
    if not isinstance(schema, dict) or any(not each.startswith("#/") for each in _named(schema)):
        return {}
    return _with_defaults(schema)


def type_of_request(parts: Mapping[str, Any]) -> Any:
    """Return the type of a request whose parts fit these schemas, by name."""
    properties: dict[str, Any] = {}
    for name, given in parts.items():
        schema = given if name == "body" else schema_of_part(given)
        # A reference goes out from the schema of the part, and not from that of the request.
        known = isinstance(schema, dict) and not any(_named(schema))
        properties[name] = _with_defaults(schema) if known else {}
    return {"type": "object", "properties": properties}


def _named(schema: Any) -> Iterator[str]:
    """Yield the references that stand in a schema."""
    for part, _ in all_parts(schema):
        for word in (*_REFERENCES, "$id"):
            if isinstance(part.get(word), str):
                yield part[word]


def _with_defaults(schema: Any) -> Any:
    """Return a schema that the defaults fit, too: they are put in without a check."""
    if isinstance(schema, list):
        return [_with_defaults(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {
        word: (
            {name: _with_defaults(inner) for name, inner in value.items()}
            if word in _MAPS and isinstance(value, dict)
            else value
            if word in ("const", "enum", "default", "examples")
            else _with_defaults(value)
        )
        for word, value in schema.items()
    }
    if "default" not in made:
        return made
    default = made.pop("default")
    kept = {word: made.pop(word) for word in ("$defs", "definitions") if word in made}
    return {"anyOf": [made, {"const": default}], **kept}
