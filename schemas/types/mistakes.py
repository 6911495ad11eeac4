"""Every mistake of a value by its path, as jsonschema lists them."""

import re
from collections.abc import Iterable
from typing import Any

import msgspec

from heddle.schemas.data_type import describe_type
from heddle.schemas.path import Path
from heddle.schemas.types.alternatives import JsonSchema
from heddle.schemas.types.type_words import describe_schema
from heddle.schemas.words import listed


class Mistake(msgspec.Struct, frozen=True):
    """One thing wrong with a value: the path to it, what was found, and what is expected."""

    path: Path
    found: str
    expected: str

    def __str__(self) -> str:
        """`rows[0].net: the text "x" (expected: number)`."""
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.path)
        return f"{place.lstrip('.') or 'the value'}: {self.found} (expected: {self.expected})"


def list_mistakes(value: Any, schema: JsonSchema, *, most: int = 100) -> list[Mistake]:
    """Return every mistake of a value, in the order of their paths; at most `most` of them.

    An empty list if the value is valid. jsonschema is imported here: nobody needs it who makes no
    mistakes. Raise ValueError if the schema itself is not valid.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise ValueError(f"the schema is not valid: {error.message}") from None
    return mistakes_of(Draft202012Validator(schema).iter_errors(value), schema, most=most)


def mistakes_of(errors: Iterable[Any], schema: Any, *, most: int = 100) -> list[Mistake]:
    """Return the errors of jsonschema as mistakes, in the order of their paths; at most `most` of them."""
    mistakes: dict[Mistake, None] = {}
    for each in _leaves(errors):
        mistakes[_mistake(each, schema)] = None
        if len(mistakes) >= most:
            break
    return sorted(mistakes, key=lambda each: [str(step) for step in each.path])


def _leaves(errors: Iterable[Any]) -> Iterable[Any]:
    """Yield each error; of a union, those of the member that comes closest."""
    for error in errors:
        members: dict[Any, list[Any]] = {}
        for inner in error.context or ():
            # The error of the schema `false` has no path.
            member = inner.schema_path[0] if inner.schema_path else len(members)
            members.setdefault(member, []).append(inner)
        deeper = [
            each
            for each in members.values()
            if all(inner.absolute_path != error.absolute_path for inner in each)
        ]
        if len(deeper) == 1:
            yield from _leaves(deeper[0])
        else:
            yield error


def _mistake(error: Any, root: JsonSchema) -> Mistake:
    path = tuple(error.absolute_path)
    word, schema, value = error.validator, error.schema, error.instance
    definitions = {"$defs": root["$defs"]} if isinstance(root, dict) and "$defs" in root else {}
    expected = describe_schema({**schema, **definitions}) if isinstance(schema, dict) else "nothing"
    if word is None:
        return Mistake(path, describe_type(value), "nothing here")
    if word == "required":
        name = _quoted(error.message)
        part = schema.get("properties", {}).get(name, True)
        shape = describe_schema({**part, **definitions}) if isinstance(part, dict) else "any"
        return Mistake((*path, name), "missing", shape)
    if word == "additionalProperties" and schema.get("additionalProperties") is False:
        known = [str(name) for name in schema.get("properties", {})]
        patterns = list(schema.get("patternProperties", ()))
        extra = [
            str(name)
            for name in value
            if name not in schema.get("properties", {}) and not _matches(str(name), patterns)
        ]
        actual = f"unknown {'property' if len(extra) == 1 else 'properties'} {listed(extra)}"
        return Mistake(path, actual, f"one of {listed(known)}" if known else "no properties")
    if word in (
        "type",
        "enum",
        "const",
        "anyOf",
        "oneOf",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
    ):
        return Mistake(path, describe_type(value), expected)
    return Mistake(path, describe_type(value), f"{expected}, {_limit(word, error.validator_value)}")


def _matches(name: str, patterns: Iterable[str]) -> bool:
    """Return whether a name fits one of the patterns; one that Python cannot read fits nothing."""
    for pattern in patterns:
        try:
            if re.search(pattern, name):
                return True
        except re.error:
            continue
    return False


def _limit(word: str, limit: Any) -> str:
    """Return a keyword and its value in words: `minLength` 3 is `min length 3`."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", str(word)).lower()
    text = str(limit) if not isinstance(limit, dict | list) else ""
    return f"{name} {text}".strip()


def _quoted(message: str) -> str:
    match = re.match(r"'(.*)' is a required property", message)
    return match[1] if match else message
