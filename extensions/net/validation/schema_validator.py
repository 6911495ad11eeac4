"""A SchemaValidator decides whether a value fits a JSON Schema of draft 2020-12, and lists its mistakes.

jsonschema-rs decides if it is installed; jsonschema lists the mistakes, and decides otherwise.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Final

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError
from referencing import Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from heddle.extensions.net.http.head import words
from heddle.extensions.net.validation.formats import FORMATS
from heddle.extensions.net.validation.keywords import lister_for
from heddle.extensions.net.validation.patterns import PatternError, search_of
from heddle.extensions.net.validation.references import SchemaFiles, reason_of
from heddle.schemas.path import Path
from heddle.schemas.types.mistakes import Mistake, mistakes_of

rust: Any
try:
    import jsonschema_rs as rust
except ImportError:
    rust = None

MOST: Final = 100
"""How many mistakes of one value are listed."""


_TOO_DEEP: Final = Mistake((), "data that is nested too deep", "data that is less deep")


class SchemaMistakeError(ValueError):
    """A schema that is not valid, or that names another one that cannot be had; `path` leads to the place."""

    def __init__(self, message: str, path: Path = ()) -> None:
        super().__init__(message)
        self.path = path


class SchemaValidator:
    """Checks values against one schema. SchemaMistakeError if the schema cannot be used.

    `engine` is `jsonschema` or `jsonschema-rs`; None takes the faster one that is installed.
    """

    def __init__(
        self, schema: Any, files: SchemaFiles, *, formats: bool = True, engine: str | None = None
    ) -> None:
        self.schema = schema
        try:
            Draft202012Validator.check_schema(schema, format_checker=FormatChecker(()))
        except SchemaError as error:
            raise SchemaMistakeError(error.message, tuple(error.absolute_path)) from None
        except RecursionError:
            raise SchemaMistakeError("the schema is nested too deep") from None
        # The schema stands in the folder: its relative references go out from there.
        rooted = {"$id": files.base, **schema} if isinstance(schema, dict) else schema
        checker = _checker() if formats else None
        self._lister = lister_for(rooted, files)(
            rooted, registry=files.registry, format_checker=checker
        )
        self._check_references(rooted, files)
        self._decides = self._fastest(rooted, files, formats, engine)

    def _check_references(self, schema: Any, files: SchemaFiles) -> None:
        """Raise SchemaMistakeError if a schema, or one that it names, names another that cannot be had."""
        if not isinstance(schema, dict):
            return
        seen: set[int] = set()
        registry = files.registry.with_resource(files.base, _resource(schema))
        todo: list[tuple[Any, Any, Path]] = [(schema, registry.resolver(files.base), ())]
        while todo:
            part, resolver, path = todo.pop()
            if not isinstance(part, dict) or id(part) in seen:
                continue
            seen.add(id(part))
            resolver = resolver.in_subresource(_resource(part))
            _check_patterns(part, path)
            for word in ("$ref", "$dynamicRef"):
                reference = part.get(word)
                if not isinstance(reference, str):
                    continue
                try:
                    target = resolver.lookup(reference)
                except Unresolvable as error:
                    raise SchemaMistakeError(reason_of(error), (*path, word)) from None
                todo.append((target.contents, target.resolver, (*path, word)))
            todo += [(inner, resolver, (*path, *step)) for inner, step in parts_of(part)]

    def _fastest(
        self, schema: Any, files: SchemaFiles, formats: bool, engine: str | None
    ) -> Callable[[Any], bool]:
        """Return the function that decides whether a value is valid."""
        slow: Callable[[Any], bool] = self._lister.is_valid
        if rust is None or engine == "jsonschema":
            return slow
        try:
            fast = rust.Draft202012Validator(
                schema,
                retriever=files.load,
                formats=dict(FORMATS) if formats else None,
                validate_formats=formats,
            )
        except Exception:  # it reads fewer regular expressions than we do, and says so in many ways
            return slow
        decides: Callable[[Any], bool] = fast.is_valid
        return decides

    def is_valid(self, value: Any) -> bool:
        """Return whether a value fits."""
        try:
            return self._decides(value)
        except ValueError:
            # It takes the types of JSON alone, nothing that is nested deep, and no expression that goes
            # back too often.
            pass
        except RecursionError:
            return False
        try:
            return bool(self._lister.is_valid(value))
        except RecursionError:
            return False

    def mistakes(self, value: Any) -> list[Mistake]:
        """Return the mistakes of a value, in the order of their paths, at most 100 of them."""
        try:
            return mistakes_of(self._lister.iter_errors(value), self.schema, most=MOST)
        except RecursionError:
            return [_TOO_DEEP]


def parts_of(schema: dict[str, Any]) -> Iterator[tuple[Any, Path]]:
    """Yield the schemas that stand in a schema, with the path to each."""
    for word, value in schema.items():
        if word in _SINGLE:
            yield value, (word,)
        elif word in _LISTS and isinstance(value, list):
            yield from ((each, (word, index)) for index, each in enumerate(value))
        elif word in _MAPS and isinstance(value, dict):
            yield from ((each, (word, name)) for name, each in value.items())


_SINGLE: Final = words(
    "additionalProperties contains contentSchema else if items not propertyNames then "
    "unevaluatedItems unevaluatedProperties"
)
_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS: Final = frozenset(
    {"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"}
)


def _check_patterns(part: dict[str, Any], path: Path) -> None:
    """Raise SchemaMistakeError if an expression of a schema cannot be read."""
    named = part.get("patternProperties")
    places: list[tuple[str, Path]] = []
    if isinstance(named, dict):
        places += [(each, ("patternProperties", each)) for each in named]
    if isinstance(part.get("pattern"), str):
        places.append((part["pattern"], ("pattern",)))
    for pattern, step in places:
        try:
            search_of(pattern)
        except PatternError as error:
            raise SchemaMistakeError(str(error), (*path, *step)) from None


def _resource(schema: Any) -> "Resource[Any]":
    return DRAFT202012.create_resource(schema)


@lru_cache(maxsize=1)
def _checker() -> FormatChecker:
    """Return the formats as jsonschema takes them."""
    checker = FormatChecker(())
    for name, has in FORMATS.items():
        checker.checks(name)(lambda value, has=has: not isinstance(value, str) or has(value))
    return checker
