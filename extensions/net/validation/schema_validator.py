"""A SchemaValidator decides whether a value fits a JSON Schema of draft 2020-12, and lists its mistakes.

jsonschema-rs decides if it is installed; jsonschema lists the mistakes, and decides otherwise.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, NoReturn

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import SchemaError
from referencing import Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from heddle.extensions.net.validation.formats import FORMATS
from heddle.extensions.net.validation.references import (
    SchemaFileError,
    SchemaFiles,
    reason_of,
)
from heddle.schemas.path import Path
from heddle.schemas.problem import Place
from heddle.schemas.types.effort import EffortError, at_most
from heddle.schemas.types.keywords import lister
from heddle.schemas.types.mistakes import TOO_DEEP, Mask, Mistake, MistakeList
from heddle.schemas.types.schema_parts import all_parts, bad_pattern, parts_of

rust: Any
try:
    import jsonschema_rs as rust
except ImportError:
    rust = None

_USUAL: Final = "https://json-schema.org/draft/2020-12/schema"
_VALIDATION: Final = "https://json-schema.org/draft/2020-12/vocab/validation"

_UNKNOWN: Final = Mistake((), "a value that cannot be checked", "a value that fits the schema")
_LONGEST: Final = 300


class SchemaMistakeError(ValueError):
    """A schema that is not valid, or that names another one that cannot be had.

    `path` leads to the place in the schema that is given; `place` is that in a file, if it is in one.
    """

    def __init__(
        self, message: str, path: Path = (), *, place: Place | None = None, hint: str = ""
    ) -> None:
        super().__init__(message if len(message) <= _LONGEST else f"{message[: _LONGEST - 1]}…")
        self.path = path
        self.place = place
        self.hint = hint


class SchemaValidator:
    """Checks values against one schema. SchemaMistakeError if the schema cannot be used.

    `engine` is `jsonschema` or `jsonschema-rs`; None takes the faster one that is installed.
    """

    def __init__(
        self, schema: Any, files: SchemaFiles, *, formats: bool = True, engine: str | None = None
    ) -> None:
        # The schema stands in the folder: its relative references go out from there.
        rooted = {"$id": files.base, **schema} if isinstance(schema, dict) else schema
        self.slow = check_schema(schema, files) and formats
        """Whether one value alone may take many milliseconds: an expression has to be compiled."""
        checker = _checker() if formats else None
        self._lister = _lister_for(rooted, files)(
            rooted, registry=files.registry, format_checker=checker
        )
        self._list = MistakeList(schema)
        self._decides = self._fastest(rooted, files, formats, engine)

    def hide(self, mask: Mask) -> None:
        """Mask whatever is taken of the schema from now on."""
        self._list.mask = mask

    def _fastest(
        self, schema: Any, files: SchemaFiles, formats: bool, engine: str | None
    ) -> Callable[[Any], bool] | None:
        """Return the function of jsonschema-rs that decides whether a value is valid; None without it."""
        if rust is None or engine == "jsonschema":
            return None
        try:
            fast = rust.Draft202012Validator(
                schema,
                retriever=files.load,
                formats=dict(FORMATS) if formats else None,
                validate_formats=formats,
            )
        except Exception:  # it reads fewer regular expressions than we do, and says so in many ways
            return None
        decides: Callable[[Any], bool] = fast.is_valid
        return decides

    def is_valid(self, value: Any, seconds: float | None = None) -> bool:
        """Return whether a value fits; EffortError if that takes more seconds of the processor."""
        if self._decides is not None:
            try:
                return self._decides(value)
            except Exception:
                # It takes the types of JSON alone, and nothing that is nested deep.
                pass
        try:
            with at_most(seconds):
                return bool(self._lister.is_valid(value))
        except EffortError:
            raise
        except Exception:  # a payload may hold anything, and what cannot be checked does not fit
            return False

    def mistakes(self, value: Any, *, seconds: float, cut: bool = True) -> list[Mistake]:
        """Return the mistakes of a value that does not fit, in the order of their paths.

        MORE is the last of them if there are more than are listed, or if listing them takes more
        `seconds` of the processor; unless they may be cut, that is an EffortError.
        """
        try:
            with at_most(seconds):
                return self._list.of(self._lister.iter_errors(value), cut=cut)
        except EffortError:
            raise
        except RecursionError:
            return [TOO_DEEP]
        except Exception:  # as above
            return [_UNKNOWN]


def check_schema(schema: Any, files: SchemaFiles) -> bool:
    """Raise SchemaMistakeError if a schema, or one that it names, cannot be used.

    Return whether one asks for texts that are expressions, which take long to check.
    """
    check = _SchemaCheck(files)
    check.check(schema)
    return check.slow


class _SchemaCheck:
    """Checks a schema, and each that it names, by the schema of schemas."""

    def __init__(self, files: SchemaFiles) -> None:
        self._files = files
        self._sound: set[int] = set()
        """The schemas that stand in one that was checked."""
        self.slow = False
        """Whether a schema asks for expressions."""

    def check(self, schema: Any) -> None:
        """Raise SchemaMistakeError if a schema, or one that it names, cannot be used."""
        self._check_sound(schema, ())
        if not isinstance(schema, dict):
            return
        files = self._files
        rooted = {"$id": files.base, **schema}
        seen: set[int] = set()
        registry = files.registry.with_resource(files.base, _resource(rooted))
        todo: list[tuple[Any, Any, Path]] = [(rooted, registry.resolver(files.base), ())]
        while todo:
            part, resolver, path = todo.pop()
            if not isinstance(part, dict) or id(part) in seen:
                continue
            seen.add(id(part))
            resolver = resolver.in_subresource(_resource(part))
            self.slow = self.slow or part.get("format") == "regex"
            bad = bad_pattern(part)
            if bad is not None:
                self._reject(str(bad[0]), part, path, bad[1], hint=bad[0].hint)
            for word in ("$ref", "$dynamicRef"):
                reference = part.get(word)
                if not isinstance(reference, str):
                    continue
                try:
                    target = resolver.lookup(reference)
                except Unresolvable as error:
                    self._reject(reason_of(error), part, path, (word,))
                self._check_sound(target.contents, (*path, word))
                todo.append((target.contents, target.resolver, (*path, word)))
            todo += [(inner, resolver, (*path, *step)) for inner, step in parts_of(part)]

    def _check_sound(self, schema: Any, path: Path) -> None:
        """Raise SchemaMistakeError if a schema is not valid by the schema of schemas."""
        if id(schema) in self._sound:
            return
        try:
            Draft202012Validator.check_schema(schema, format_checker=FormatChecker(()))
        except SchemaError as error:
            self._reject(error.message, schema, path, tuple(error.absolute_path))
        except RecursionError:
            self._reject("the schema is nested too deep", schema, path, ())
        self._sound.update(id(part) for part, _ in all_parts(schema))

    def _reject(
        self, message: str, part: Any, path: Path, step: Path, *, hint: str = ""
    ) -> NoReturn:
        """Raise SchemaMistakeError at a step from a part of a schema, which may stand in a file."""
        words, place = self._files.place_of(part, step)
        text = f"{words}: {message}" if words else message
        raise SchemaMistakeError(text, (*path, *step), place=place, hint=hint)


def _lister_for(schema: Any, files: SchemaFiles) -> Any:
    """Return the class of validators for a schema: without the keywords that its meta-schema leaves out."""
    named = schema.get("$schema") if isinstance(schema, dict) else None
    if not isinstance(named, str) or named == _USUAL:
        return lister()
    try:
        meta = files.load(named.partition("#")[0])
    except SchemaFileError:
        return lister()
    known = meta.get("$vocabulary") if isinstance(meta, dict) else None
    return lister(bare=isinstance(known, dict) and _VALIDATION not in known)


def _resource(schema: Any) -> "Resource[Any]":
    return DRAFT202012.create_resource(schema)


@lru_cache(maxsize=1)
def _checker() -> FormatChecker:
    """Return the formats as jsonschema takes them."""
    checker = FormatChecker(())
    for name, has in FORMATS.items():
        checker.checks(name)(lambda value, has=has: not isinstance(value, str) or has(value))
    return checker
