"""The keywords that list mistakes: those of jsonschema, with expressions of our own."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import create, extend

from heddle.extensions.net.http.head import words
from heddle.extensions.net.validation.patterns import search_of
from heddle.extensions.net.validation.references import SchemaFileError, SchemaFiles

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
    own = {"pattern": _pattern, "patternProperties": _named, "additionalProperties": _others}
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
