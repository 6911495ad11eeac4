"""The words for people about what a place accepts, and about the place itself."""

import re
from typing import Any

import msgspec

from heddle.schemas.shape import Field, FieldShape, fields_of

_PLAIN = {
    "any": "anything",
    "null": "null",
    "boolean": "true or false",
    "bytes": "bytes in base64",
}
_KNOWN = {
    "UUID": "a UUID",
    "datetime": "a date and time such as 2025-01-31T12:00:00Z",
    "date": "a date such as 2025-01-31",
    "time": "a time of day such as 12:30:00",
    "timedelta": "a duration such as PT1M30S",
    "Decimal": "a number",
}


def describe_shape(shape: FieldShape) -> str:
    """Return what may be written there: `a whole number from 1 to 65535`."""
    match shape.form:
        case "integer" | "number":
            return ("a whole number" if shape.form == "integer" else "a number") + _range(shape)
        case "string":
            return "text" + _length(shape, "characters") + _pattern(shape) + _such(shape)
        case "enum":
            return any_of([_choice(choice) for choice in shape.choices])
        case "array":
            return f"a list of {plural(shape.items[0])}" + _length(shape, "items")
        case "mapping":
            return f"a mapping of names to {plural(shape.items[1])}" + _length(shape, "entries")
        case "object":
            return f"a mapping with {listed([field.name for field in fields_of(shape.bare)])}"
        case "custom":
            return str(shape.bare.expected)
        case "union":
            return any_of([describe_shape(item) for item in shape.items if item.form != "null"])
        case "other":
            return _KNOWN.get(getattr(shape.bare, "__name__", ""), f"a {shape.bare!r}")
        case _:
            return _PLAIN[shape.form]


def plural(shape: FieldShape) -> str:
    """Return what the items of a list may be, in a word or two."""
    match shape.form:
        case "object":
            names = [field.name for field in fields_of(shape.bare)]
            return f"mappings with {listed(names)}"
        case "string":
            return "texts" + _pattern(shape)
        case "integer":
            return "whole numbers" + _range(shape)
        case "number":
            return "numbers" + _range(shape)
        case "any":
            return "anything"
        case "boolean":
            return "true or false"
        case _:
            return f"items, each {describe_shape(shape)}"


def type_word(shape: FieldShape) -> str:
    """Return the type in a word or two, for a table: `whole number`, `list of text`, `duration`."""
    match shape.form:
        case "integer":
            return "whole number"
        case "boolean":
            return "true or false"
        case "string":
            return "text"
        case "enum":
            return " or ".join(_choice(choice) for choice in shape.choices)
        case "array":
            return f"list of {type_word(shape.items[0])}"
        case "mapping":
            return f"mapping of {type_word(shape.items[1])}"
        case "object":
            return "mapping"
        case "custom":
            return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", shape.bare.__name__).lower()
        case "union":
            return " or ".join(type_word(item) for item in shape.items if item.form != "null")
        case "other":
            return str(getattr(shape.bare, "__name__", shape.bare))
        case _:
            return str(shape.form)


def limits(shape: FieldShape) -> str:
    """Return the limits of a place in a few words, or nothing: `from 1 to 65535`."""
    match shape.form:
        case "integer" | "number":
            return _range(shape).lstrip(" ,")
        case "string":
            return (_length(shape, "characters") + _pattern(shape)).lstrip(" ,")
        case "array" | "mapping":
            return _length(shape, "items").lstrip(" ,")
        case "custom":
            return str(shape.bare.limited)
        case _:
            return ""


def listed(names: list[str], most: int = 12) -> str:
    """Return `a, b and c`, shortened if there are many."""
    if len(names) > most:
        return ", ".join(names[:most]) + ", …"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def any_of(names: list[str]) -> str:
    """Return `a, b or c`."""
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def plain(value: Any) -> str:
    """Return a value on one line, as YAML would take it: `true`, `1m30s`, `{"a":1}`."""
    if isinstance(value, str) and value and value.strip() == value and value.isprintable():
        return value
    return msgspec.json.encode(value).decode()


def field_named(fields: tuple[Field, ...], name: str) -> Field | None:
    """Return the field of this name."""
    return next((field for field in fields if field.name == name), None)


def _choice(choice: Any) -> str:
    return "null" if choice is None else str(choice)


def _range(shape: FieldShape) -> str:
    ge, gt, le, lt = (shape.limit(name) for name in ("ge", "gt", "le", "lt"))
    if ge is not None and le is not None:
        return f" from {ge} to {le}"
    texts = [
        f"{word} {limit}"
        for word, limit in (("at least", ge), ("more than", gt), ("at most", le), ("less than", lt))
        if limit is not None
    ]
    return " " + " and ".join(texts) if texts else ""


def _length(shape: FieldShape, unit: str) -> str:
    least, most = shape.limit("min_length"), shape.limit("max_length")
    if least is not None and most is not None:
        return f" of {least} to {most} {unit}"
    if least is not None:
        return f" of at least {least} {unit}" if least > 1 else ", not empty"
    return f" of at most {most} {unit}" if most is not None else ""


def _such(shape: FieldShape) -> str:
    """Examples of what a pattern means, if there are any."""
    examples = [text for meta in shape.meta for text in meta.examples or ()]
    if not examples or not shape.limit("pattern"):
        return ""
    return f", such as {any_of([plain(text) for text in examples])}"


def _pattern(shape: FieldShape) -> str:
    pattern = shape.limit("pattern")
    return f" that matches {pattern}" if pattern else ""
