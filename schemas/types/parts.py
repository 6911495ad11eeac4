"""The schema of a part of data: of the property `net`, or of the item 0."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from heddle.schemas.types.alternatives import JsonSchema, OneValue, TypedValues, alternatives_of

Step: TypeAlias = str | int
"""One step of a path into data: the name of a property, or the number of an item."""


def schema_at(schema: JsonSchema, path: "tuple[Step, ...] | list[Step]") -> JsonSchema | None:
    """Return the schema of the data at this path; None if there can be nothing at it.

    `{}` if it is not known. The result is a document of its own, with the `$defs` it needs.
    """
    part: JsonSchema | None = schema
    for step in path:
        if part is None:
            return None
        part = _enter(part, step)
    return part


def names_at(schema: JsonSchema) -> tuple[str, ...] | None:
    """Return the property names of a type if it has these and no others; None if it is open."""
    names: dict[str, None] = {}
    for alternative in alternatives_of(schema).of(schema):
        if not isinstance(alternative, TypedValues) or alternative.type != "object":
            continue
        closed = [rule for rule in alternative.rules if rule.get("additionalProperties") is False]
        if not closed or any("patternProperties" in rule for rule in closed):
            return None
        names.update(dict.fromkeys(closed[0].get("properties", {})))
    return tuple(names)


def _enter(schema: JsonSchema, step: Step) -> JsonSchema | None:
    parts: list[Any] = []
    for alternative in alternatives_of(schema).of(schema):
        part = _part_of(alternative, step)
        if part is not False:
            parts.append(part)
    if not parts:
        return None
    if any(part is True or part == {} for part in parts):
        return {}
    return _with_definitions(parts[0] if len(parts) == 1 else {"anyOf": parts}, schema)


def _part_of(alternative: "OneValue | TypedValues", step: Step) -> Any:
    """Return the schema of the part in one alternative; False if it has no such part."""
    if isinstance(alternative, OneValue):
        value = alternative.value
        if isinstance(value, Mapping) and step in value:
            return {"const": value[step]}
        if isinstance(value, list) and isinstance(step, int) and -len(value) <= step < len(value):
            return {"const": value[step]}
        return False
    if isinstance(step, int):
        if alternative.type != "array":
            return False
        return _all([_item_of(rule, step) for rule in alternative.rules])
    if alternative.type != "object":
        return False
    return _all([_property_of(rule, step) for rule in alternative.rules])


def _item_of(rule: Mapping[str, Any], at: int) -> Any:
    prefix = rule.get("prefixItems", [])
    if at < 0 and prefix:
        # Counted from the end: which of them that is depends on the length.
        return True
    if isinstance(prefix, list) and 0 <= at < len(prefix):
        return prefix[at]
    rest = rule.get("items", True)
    return True if isinstance(rest, list) else rest


def _property_of(rule: Mapping[str, Any], name: str) -> Any:
    properties = rule.get("properties", {})
    if isinstance(properties, Mapping) and name in properties:
        return properties[name]
    return True if "patternProperties" in rule else rule.get("additionalProperties", True)


def _all(parts: list[Any]) -> Any:
    """Return a schema for data that follow all of these."""
    if any(part is False for part in parts):
        return False
    strict = [part for part in parts if part is not True and part != {}]
    if not strict:
        return True
    return strict[0] if len(strict) == 1 else {"allOf": strict}


def _with_definitions(part: JsonSchema, root: JsonSchema) -> JsonSchema:
    if not isinstance(part, Mapping) or not isinstance(root, Mapping) or not _refers(part):
        return part
    kept = {word: root[word] for word in ("$defs", "definitions") if word in root}
    return {**part, **kept}


def _refers(part: Any) -> bool:
    """Return whether there is a reference in a schema."""
    if isinstance(part, Mapping):
        return "$ref" in part or any(map(_refers, part.values()))
    return isinstance(part, list) and any(map(_refers, part))
