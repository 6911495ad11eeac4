"""Random JSON Schemas and random instances of them, for tests against jsonschema."""

import random
from typing import Any

NAMES = ("a", "b", "c")
LITERALS: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    2,
    2.0,
    2.5,
    -3,
    "",
    "x",
    "yes",
    [],
    [1],
    {},
    {"a": 1},
)


def random_schema(source: random.Random, depth: int = 3) -> Any:
    """Return a schema of at most this depth; now and then with a keyword that is not compared."""
    roll = source.random()
    if roll < 0.06:
        return source.choice([True, {}, False, {"title": "anything"}])
    if roll < 0.16:
        return {"enum": source.sample(LITERALS, source.randint(1, 4))}
    if roll < 0.2:
        return {"const": source.choice(LITERALS)}
    if depth and roll < 0.36:
        word = source.choice(["anyOf", "anyOf", "oneOf", "allOf"])
        members = [random_schema(source, depth - 1) for _ in range(source.randint(1, 3))]
        return {word: members, **(_typed(source, depth - 1) if source.random() < 0.2 else {})}
    return _typed(source, depth)


def random_document(source: random.Random) -> Any:
    """Return a schema; one in four has parts that refer to `$defs`, some of them to themselves."""
    if source.random() < 0.75:
        return random_schema(source)
    node: dict[str, Any] = {
        "type": "object",
        "properties": {
            "a": _typed(source, 1),
            "b": {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]},
        },
        "required": source.choice([["a"], ["a", "b"], []]),
    }
    if source.random() < 0.5:
        node["additionalProperties"] = False
    outer = source.choice(
        [{"$ref": "#/$defs/N"}, {"type": "array", "items": {"$ref": "#/$defs/N"}}]
    )
    return {**outer, "$defs": {"N": node}}


def _typed(source: random.Random, depth: int) -> dict[str, Any]:
    names = ["null", "boolean", "integer", "number", "string"] + (
        ["array", "object"] * 2 if depth else []
    )
    name = source.choice(names)
    schema: dict[str, Any] = {"type": name}
    if source.random() < 0.08:
        schema["type"] = source.sample(names, 2)
    if name in ("integer", "number"):
        for word in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"):
            if source.random() < 0.2:
                schema[word] = source.randint(-3, 4)
        if source.random() < 0.1:
            schema["multipleOf"] = source.choice([1, 2, 4, 0.5])
    elif name == "string":
        _spans(source, schema, "minLength", "maxLength")
        if source.random() < 0.1:
            schema["pattern"] = source.choice(["^x", "e"])
    elif name == "array":
        _array(source, schema, depth)
    elif name == "object":
        _object(source, schema, depth)
    if source.random() < 0.03:
        schema["not"] = {"const": source.choice(LITERALS)}
    return schema


def _spans(source: random.Random, schema: dict[str, Any], *words: str) -> None:
    for word in words:
        if source.random() < 0.2:
            schema[word] = source.randint(0, 3)


def _array(source: random.Random, schema: dict[str, Any], depth: int) -> None:
    if source.random() < 0.8:
        schema["items"] = random_schema(source, depth - 1)
    if source.random() < 0.2:
        schema["prefixItems"] = [
            random_schema(source, depth - 1) for _ in range(source.randint(1, 2))
        ]
    if source.random() < 0.1:
        schema["items"] = False
    if source.random() < 0.1:
        schema["uniqueItems"] = True
    if source.random() < 0.04:
        schema["contains"] = random_schema(source, 0)
    _spans(source, schema, "minItems", "maxItems")


def _object(source: random.Random, schema: dict[str, Any], depth: int) -> None:
    names = source.sample(NAMES, source.randint(0, 3))
    if names:
        schema["properties"] = {name: random_schema(source, depth - 1) for name in names}
    if source.random() < 0.6:
        schema["required"] = source.sample(NAMES, source.randint(0, 2))
    if source.random() < 0.4:
        schema["additionalProperties"] = source.choice([False, random_schema(source, depth - 1)])
    if source.random() < 0.04:
        schema["patternProperties"] = {"^a": random_schema(source, 0)}
    if source.random() < 0.04:
        schema["propertyNames"] = {"maxLength": source.randint(0, 2)}
    _spans(source, schema, "minProperties", "maxProperties")


def random_instance(source: random.Random, schema: Any, root: Any, depth: int = 4) -> Any:
    """Return a value that is often, not always, valid for the schema."""
    if not isinstance(schema, dict) or source.random() < 0.03:
        return source.choice(LITERALS)
    if "$ref" in schema:
        return random_instance(source, root["$defs"]["N"], root, depth)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return source.choice(schema["enum"])
    for word in ("anyOf", "oneOf", "allOf"):
        if word in schema:
            return random_instance(source, source.choice(schema[word]), root, depth)
    name = schema.get("type")
    if isinstance(name, list):
        name = source.choice(name)
    match name:
        case "null":
            return None
        case "boolean":
            return source.random() < 0.5
        case "integer":
            return source.randint(-4, 5)
        case "number":
            return source.choice([source.randint(-4, 5), source.randint(-8, 10) / 2])
        case "string":
            return "".join(source.choice("xye") for _ in range(source.randint(0, 4)))
        case "array" if depth > 0:
            return _list(source, schema, root, depth)
        case "object" if depth > 0:
            return _map(source, schema, root, depth)
        case "array":
            return []
        case "object":
            return {}
        case _:
            return source.choice(LITERALS)


def _list(source: random.Random, schema: Any, root: Any, depth: int) -> list[Any]:
    prefix = schema.get("prefixItems", [])
    size = source.randint(
        schema.get("minItems", 0), max(schema.get("minItems", 0), len(prefix) + 2)
    )
    rest = schema.get("items", True)
    parts = [*prefix, *[rest] * size][:size]
    return [random_instance(source, part, root, depth - 1) for part in parts]


def _map(source: random.Random, schema: Any, root: Any, depth: int) -> dict[str, Any]:
    properties = schema.get("properties", {})
    names = {*schema.get("required", ()), *(n for n in properties if source.random() < 0.7)}
    rest = schema.get("additionalProperties", True)
    if rest is not False:
        names |= {name for name in (*NAMES, "d") if source.random() < 0.3}
    return {
        name: random_instance(source, properties.get(name, rest), root, depth - 1)
        for name in sorted(names)
    }


def has_empty(value: Any) -> bool:
    """Return whether the value is, or holds, an empty list or map."""
    if isinstance(value, dict | list):
        return not value or any(
            map(has_empty, value.values() if isinstance(value, dict) else value)
        )
    return False
