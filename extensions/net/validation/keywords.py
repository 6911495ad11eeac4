"""The keywords that list mistakes: those of jsonschema, with expressions of our own."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import create, extend

from heddle.extensions.net.http.head import words
from heddle.extensions.net.validation.patterns import search_of
from heddle.extensions.net.validation.references import SchemaFileError, SchemaFiles

_MOST: Final = 100
"""How many errors of one member of a union are kept."""

_VALIDATION: Final = "https://json-schema.org/draft/2020-12/vocab/validation"
_OF_VALIDATION: Final = words(
    "type const enum multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength "
    "pattern maxItems minItems uniqueItems maxContains minContains maxProperties minProperties "
    "required dependentRequired"
)


def lister_for(schema: Any, files: SchemaFiles) -> Any:
    """Return the class of validators for a schema: without the keywords that its meta-schema leaves out."""
    named = schema.get("$schema") if isinstance(schema, dict) else None
    if not isinstance(named, str) or named in _USUAL:
        return _lister()
    try:
        meta = files.load(named.partition("#")[0])
    except SchemaFileError:
        return _lister()
    known = meta.get("$vocabulary") if isinstance(meta, dict) else None
    return _lister() if not isinstance(known, dict) or _VALIDATION in known else _bare()


_USUAL: Final = frozenset({"https://json-schema.org/draft/2020-12/schema"})


@lru_cache(maxsize=1)
def _lister() -> Any:
    own = {
        "additionalProperties": _others,
        "anyOf": _any_of,
        "oneOf": _one_of,
        "pattern": _pattern,
        "patternProperties": _named,
        "uniqueItems": _unique,
    }
    made: Any = extend  # it has no types
    return made(Draft202012Validator, own)


@lru_cache(maxsize=1)
def _bare() -> Any:
    """Return the class whose schemas have no keywords of validation."""
    whole = _lister()
    kept = {word: check for word, check in whole.VALIDATORS.items() if word not in _OF_VALIDATION}
    made: Any = create
    return made(
        whole.META_SCHEMA,
        kept,
        type_checker=whole.TYPE_CHECKER,
        format_checker=whole.FORMAT_CHECKER,
    )


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
    del validator, schema
    if isinstance(value, str) and not search_of(pattern)(value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _named(validator: Any, named: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    del schema
    if not isinstance(value, dict):
        return
    for pattern, inner in named.items():
        search = search_of(pattern)
        for name, part in value.items():
            if search(name):
                yield from validator.descend(part, inner, path=name, schema_path=pattern)


def _others(validator: Any, others: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(value, dict):
        return
    known = schema.get("properties", {})
    searches = [search_of(pattern) for pattern in schema.get("patternProperties", ())]
    extra = [
        name for name in value if name not in known and not any(search(name) for search in searches)
    ]
    if others is False:
        if extra:
            yield ValidationError(f"unknown: {', '.join(map(repr, extra))}")
        return
    for name in extra:
        yield from validator.descend(value[name], others, path=name)
