"""The keywords of JSON Schema that list mistakes: those of jsonschema, bounded in time, and some of our own.

Our own replace those whose time may grow faster than the data: what applies an expression of Python's
`re` to texts of others, compares each item with each, or writes whole payloads into messages.
"""

import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import create

from heddle.schemas.types.effort import count_step
from heddle.schemas.types.evaluated import evaluated_items, evaluated_names
from heddle.schemas.types.patterns import search_of

Keyword = Callable[[Any, Any, Any, Any], Any]

_MOST: Final = 100
"""How many errors of one member of a union are kept, and how many items or names one error is about."""

_OF_VALIDATION: Final = frozenset(
    [
        "type",
        "const",
        "enum",
        "multipleOf",
        "maximum",
        "exclusiveMaximum",
        "minimum",
        "exclusiveMinimum",
        "maxLength",
        "minLength",
        "pattern",
        "maxItems",
        "minItems",
        "uniqueItems",
        "maxContains",
        "minContains",
        "maxProperties",
        "minProperties",
        "required",
        "dependentRequired",
    ]
)


@lru_cache(maxsize=2)
def lister(*, bare: bool = False) -> Any:
    """Return the class of validators that list mistakes; a `bare` one has no keywords of validation."""
    whole: Any = Draft202012Validator
    checks: dict[str, Keyword] = {**whole.VALIDATORS, **_OWN}
    make: Any = create  # it has no types
    return make(
        whole.META_SCHEMA,
        {
            word: _counted(check)
            for word, check in checks.items()
            if not (bare and word in _OF_VALIDATION)
        },
        type_checker=whole.TYPE_CHECKER,
        format_checker=whole.FORMAT_CHECKER,
    )


def _counted(check: Keyword) -> Keyword:
    """Return a keyword that counts as a step of the check."""

    def counted(validator: Any, limit: Any, value: Any, schema: Any) -> Any:
        count_step()
        return check(validator, limit, value, schema)

    return counted


def _any_of(validator: Any, members: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    del schema
    errors: list[ValidationError] = []
    for index, member in enumerate(members):
        # No more than are listed: a long list would have an error for each of its items.
        wrong = list(islice(validator.descend(value, member, schema_path=index), _MOST))
        if not wrong:
            return
        errors += wrong
    yield ValidationError("fits none of the schemas", context=errors)


def _one_of(validator: Any, members: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    del schema
    errors: list[ValidationError] = []
    fitting = 0
    for index, member in enumerate(members):
        wrong = list(islice(validator.descend(value, member, schema_path=index), _MOST))
        fitting += not wrong
        errors += wrong
    if fitting == 0:
        yield ValidationError("fits none of the schemas", context=errors)
    elif fitting > 1:
        yield ValidationError(f"fits {fitting} of the schemas")


def _unique(validator: Any, unique: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    del schema
    if not unique or not validator.is_type(value, "array"):
        return
    seen: set[Any] = set()
    for item in value:
        count_step()
        # Each once: to compare each with each takes the square of their number.
        key = _key(item)
        if key in seen:
            yield ValidationError("two items are equal")
            return
        seen.add(key)


def _key(value: Any) -> Any:
    """Return what tells a value from others as JSON does: 1 is 1.0, and neither is true."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, list):
        return ("array", tuple(_key(item) for item in value))
    if isinstance(value, dict):
        return ("object", frozenset((name, _key(part)) for name, part in value.items()))
    return value


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    del schema
    if validator.is_type(value, "string") and not search_of(pattern)(value):
        yield ValidationError("does not match")


def _properties(
    validator: Any, properties: Any, value: Any, schema: Any
) -> Iterator[ValidationError]:
    del schema
    if not validator.is_type(value, "object"):
        return
    for name, inner in properties.items():
        if name in value:
            yield from _apply(validator, value[name], inner, name, name)


def _apply(
    validator: Any, value: Any, schema: Any, step: Any, schema_step: Any = None
) -> Iterator[ValidationError]:
    """Yield the errors of a part of a value, at its path: those of the schema `false`, too."""
    if schema is False:
        place = () if schema_step is None else (schema_step,)
        make: Any = (
            ValidationError  # a schema that is `false` has no keyword, which its types forget
        )
        yield make(
            "nothing is allowed here",
            validator=None,
            path=(step,),
            instance=value,
            schema=schema,
            schema_path=place,
            validator_value=None,
        )
        return
    yield from validator.descend(value, schema, path=step, schema_path=schema_step)


def _named(validator: Any, named: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    del schema
    if not validator.is_type(value, "object"):
        return
    for pattern, inner in named.items():
        search = search_of(pattern)
        for name, part in value.items():
            count_step()
            if search(name):
                yield from _apply(validator, part, inner, name, pattern)


def _others(validator: Any, others: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if not validator.is_type(value, "object"):
        return
    extra = islice(unknown_names(value, schema), _MOST if others is False else None)
    if others is False:
        names = list(extra)
        if names:
            yield UnexpectedError("unknown properties", names)
        return
    for name in extra:
        yield from _apply(validator, value[name], others, name)


def unknown_names(value: Any, schema: Any) -> Iterator[Any]:
    """Yield the names of an object that neither `properties` nor `patternProperties` of a schema has."""
    known = schema.get("properties", {})
    searches = [search_of(pattern) for pattern in schema.get("patternProperties", ())]
    for name in value:
        if name not in known:
            count_step()
            if not any(search(name) for search in searches):
                yield name


class UnexpectedError(ValidationError):
    """Names or places that a schema does not allow; at most so many of them as are shown."""

    def __init__(self, message: str, names: list[Any]) -> None:
        super().__init__(message)
        self.names = names


def _required(validator: Any, required: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    del schema
    if not validator.is_type(value, "object"):
        return
    for name in required:
        if name not in value:
            yield ValidationError(name)


def _multiple_of(validator: Any, factor: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    del schema
    if not validator.is_type(value, "number") or _is_multiple(value, factor):
        return
    yield ValidationError("is not a multiple")


def _is_multiple(value: Any, factor: Any) -> bool:
    """Return whether a number is a multiple of another, which is more than 0."""
    if isinstance(value, float) and not math.isfinite(value):
        return False
    if not isinstance(factor, float):
        return bool(value % factor == 0)
    try:
        quotient = value / factor
        return bool(int(quotient) == quotient)
    except OverflowError:
        # Too large for a float: a fraction is exact.
        return (Fraction(value) / Fraction(factor)).denominator == 1


def _unevaluated_names(
    validator: Any, others: Any, value: Any, schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(value, "object"):
        return
    known = evaluated_names(validator, value, schema, inner=False)
    extra = (name for name in value if name not in known)
    if others is False:
        names = list(islice(extra, _MOST))
        if names:
            yield UnexpectedError("unknown properties", names)
        return
    for name in extra:
        yield from _apply(validator, value[name], others, name)


def _unevaluated_items(
    validator: Any, others: Any, value: Any, schema: Any
) -> Iterator[ValidationError]:
    if not validator.is_type(value, "array"):
        return
    known = evaluated_items(validator, value, schema, inner=False)
    for number, item in enumerate(value):
        if number not in known:
            count_step()
            yield from _apply(validator, item, others, number)


_OWN: Final[dict[str, Keyword]] = {
    "additionalProperties": _others,
    "anyOf": _any_of,
    "multipleOf": _multiple_of,
    "oneOf": _one_of,
    "pattern": _pattern,
    "patternProperties": _named,
    "properties": _properties,
    "required": _required,
    "unevaluatedItems": _unevaluated_items,
    "unevaluatedProperties": _unevaluated_names,
    "uniqueItems": _unique,
}
