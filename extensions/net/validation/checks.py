"""The checks of a payload or of parts of a request: what fits comes back with defaults and typed values."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Protocol

from heddle.extensions.extension import Error, NodeError, Payload
from heddle.extensions.net.answers import header_of, with_fields
from heddle.extensions.net.cookies.cookie import parsed
from heddle.extensions.net.http.request import HttpRequest
from heddle.extensions.net.validation.part_schema import (
    PARTS,
    AmbiguousSchemaError,
    check_whole,
    schema_of_part,
)
from heddle.extensions.net.validation.references import SchemaFileError, SchemaFiles
from heddle.extensions.net.validation.schema_validator import SchemaMistakeError, SchemaValidator
from heddle.extensions.net.validation.shaping import Shaper, Shaping
from heddle.runtime.flow.errors import InputError
from heddle.runtime.flow.materialize import plain
from heddle.runtime.flow.stream import Stream
from heddle.schemas.ascii import lower
from heddle.schemas.path import Path
from heddle.schemas.problem import Place
from heddle.schemas.types.effort import EffortError
from heddle.schemas.types.mistakes import SECONDS, Mask, Mistake

INVALID: Final = "invalid"
"""The code of the Error of what does not fit; its data lists each mistake."""


class Bounds(NamedTuple):
    """The time that a check may take, in seconds of the processor, until it `ends`: else EffortError is raised."""

    decide: float
    list_: float
    ends: bool


ON_LOOP: Final = Bounds(0.005, 0.005, ends=False)
"""The check holds the event loop: more than this is done in a thread."""

APART: Final = Bounds(30.0, SECONDS, ends=True)
"""The check holds a thread: what takes longer does not fit, and not every mistake is listed."""

_MANY: Final = 5000
_FEW: Final = 50

_UNLISTED: Final = Mistake((), "a value that does not fit", "one that fits the schema")
"""The mistake if one library rejects a value, and the other, which lists mistakes, does not."""

_TOO_LONG: Final = Mistake((), "data that takes too long to check", "less of it")


class ValidateFields(Protocol):
    """The fields of a `validate` that checks are made of."""

    @property
    def schema(self) -> Any:
        """The schema of the payload itself."""
        ...

    @property
    def root(self) -> str:
        """The folder that files of schemas are in."""
        ...

    @property
    def schemas(self) -> Mapping[str, Any]:
        """Schemas by the URI by which others name them."""
        ...

    @property
    def formats(self) -> bool:
        """Whether `format` is checked."""
        ...

    @property
    def coerce(self) -> bool:
        """Whether values are made of texts in a body, too."""
        ...


class PartCheck:
    """Checks one part of a request, or a whole payload; returns it with defaults and typed values."""

    def __init__(
        self, part: str, validator: SchemaValidator, shaping: Shaping, coerce: bool
    ) -> None:
        self.part = part
        self.validator = validator
        self._shaping = shaping
        self._coerce = coerce

    def check(
        self,
        value: Any,
        mistakes: list[tuple[str, Mistake]],
        bounds: Bounds,
        *,
        form: bool = False,
    ) -> Any:
        """Return the value as it goes on; what does not fit is added to the mistakes."""
        shaping = self._shaping
        if form or self.part not in ("", "body"):
            value = self._picked(value)
        elif self._coerce:
            value = shaping.coerce(value)
        if not self._fits(value, bounds, mistakes):
            return value
        # A default is not checked: it says what to do without a value.
        return shaping.fill(value)

    def _fits(self, value: Any, bounds: Bounds, mistakes: list[tuple[str, Mistake]]) -> bool:
        validator = self.validator
        try:
            if validator.is_valid(value, bounds.decide):
                return True
        except EffortError:
            if not bounds.ends:
                raise
            mistakes.append((self.part, _TOO_LONG))
            return False
        listed = validator.mistakes(value, seconds=bounds.list_, cut=bounds.ends)
        mistakes += [(self.part, mistake) for mistake in listed or [_UNLISTED]]
        return False

    def _picked(self, value: Any) -> Any:
        """Return a map of names to lists of texts with the values that the schema asks for."""
        if not isinstance(value, dict):
            return value
        properties = self._shaping.properties
        if self.part != "header":
            return {
                name: properties[name].pick(texts) if name in properties else texts
                for name, texts in plain(value).items()
            }
        # The names of headers have no case; a schema has its own spelling.
        names = {lower(name): name for name in properties}
        header: dict[str, Any] = {}
        for name, texts in plain(value).items():
            own = names.get(lower(name))
            header[own or name] = texts if own is None else properties[own].pick(texts)
        return header


class RequestChecks(NamedTuple):
    """The check of a payload, or those of parts of a request, and the files that schemas came from."""

    whole: PartCheck | None
    parts: tuple[PartCheck, ...]
    files: SchemaFiles

    def hide(self, mask: Mask) -> None:
        """Mask whatever mistakes show of the schemas."""
        for each in self.parts if self.whole is None else (self.whole,):
            each.validator.hide(mask)

    @property
    def most(self) -> int:
        """How many values are checked on the event loop."""
        parts = self.parts if self.whole is None else (self.whole,)
        return _FEW if any(each.validator.slow for each in parts) else _MANY

    def values(self, payload: Payload) -> list[Any]:
        """Return the values that are checked of a payload."""
        if self.whole is not None:
            # A request is decoded as a whole: libraries in C read the storage of a map.
            return [plain(payload) if type(payload) is HttpRequest else payload]
        if not isinstance(payload, dict):
            raise TypeError("found no request (expected: a map with body, query, params or header)")
        return [_part_of(payload, part.part) for part in self.parts]

    def check(self, payload: Payload, values: list[Any], bounds: Bounds) -> Payload:
        """Return a payload as it goes on; NodeError with its mistakes."""
        mistakes: list[tuple[str, Mistake]] = []
        if self.whole is not None:
            checked = self.whole.check(values[0], mistakes, bounds)
            if mistakes:
                raise invalid(mistakes)
            return payload if checked is values[0] else checked
        changed: dict[str, Any] = {}
        for part, value in zip(self.parts, values, strict=True):
            form = part.part == "body" and _is_form(payload)
            checked = part.check(value, mistakes, bounds, form=form)
            if checked is not value:
                changed[part.part] = checked
        if mistakes:
            raise invalid(mistakes)
        return with_fields(payload, **changed) if changed else payload


def _part_of(payload: dict[str, Any], name: str) -> Any:
    """Return a part of a request; an empty map if there is none of that kind."""
    if name == "body":
        body = payload.get("body")
        if isinstance(body, Stream):
            raise TypeError("the body is a stream, and cannot be checked (expected: stream: false)")
        return body
    value = payload.get(name)
    if value is None and name == "cookies":
        return dict(parsed(header_of(payload, "Cookie")))
    return {} if value is None else value


def _is_form(payload: dict[str, Any]) -> bool:
    """Return whether the body is a form: a map of names to lists of texts."""
    return lower(header_of(payload, "Content-Type")).startswith("application/x-www-form-urlencoded")


def pointer_of(path: Path) -> str:
    """Return a path as JSON Pointer (RFC 6901)."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)


def invalid(mistakes: list[tuple[str, Mistake]]) -> NodeError:
    """Return the failure of what does not fit: an Error that a listener answers with 422."""
    data: list[dict[str, str]] = []
    lines: list[str] = []
    for part, mistake in mistakes:
        pointer = pointer_of(mistake.path)
        where = f"{part}{pointer}" if part else pointer or "the payload"
        lines.append(f"{where}: {mistake.found} (expected: {mistake.expected})")
        entry = {"in": part} if part else {}
        data.append(
            {**entry, "pointer": pointer, "found": mistake.found, "expected": mistake.expected}
        )
    text = "\n".join(lines)
    return NodeError(Error(text, code=INVALID, data=data, cause=InputError(text, data)))


def is_light(values: list[Any], most: int) -> bool:
    """Return whether no more values than this are to be checked, at any depth; long texts count as several."""
    try:
        return _left(values, most) >= 0
    except RecursionError:
        return False


def _left(values: Any, most: int) -> int:
    """Return how many values are left of the most, after those in a list or map; less than 0 if there are more."""
    most -= len(values)
    if most < 0:
        return most
    for each in values.values() if type(values) is dict else values:
        kind = type(each)
        if kind is dict or kind is list:
            most = _left(each, most)
            if most < 0:
                return most
        elif kind is str:
            most -= len(each) >> 6
    return most


class SchemaFieldError(ValueError):
    """A schema that cannot be used: the path of its field, its place in a file, and what is expected."""

    def __init__(
        self,
        message: str,
        path: Path,
        expected: str = "",
        *,
        place: Place | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message)
        self.path = path
        self.place = place
        self.expected = expected
        self.hint = hint


def files_of(fields: ValidateFields) -> SchemaFiles:
    """Return what reads the files of the schemas; SchemaFieldError if `root` is not a path."""
    try:
        return SchemaFiles(fields.root, fields.schemas)
    except SchemaFileError as error:
        raise SchemaFieldError(str(error), ("root",)) from None


def checks_of(fields: ValidateFields, files: SchemaFiles) -> RequestChecks:
    """Return the checks that the fields say; SchemaFieldError if one cannot be made."""

    def check(name: str, given: Any) -> PartCheck:
        field = name or "schema"
        schema = given
        try:
            if name in ("", "body"):
                check_whole(given)
            else:
                schema = schema_of_part(given)
            if isinstance(schema, str):
                schema = {"$ref": files.uri_of(schema)}
            validator = SchemaValidator(schema, files, formats=fields.formats)
            return PartCheck(name, validator, Shaper(files).shape(schema), fields.coerce)
        except AmbiguousSchemaError as error:
            raise SchemaFieldError(str(error), (field,), error.expected) from None
        except SchemaMistakeError as error:
            path = (field, *error.path) if schema is given else (field,)
            raise SchemaFieldError(
                str(error), path, "a JSON Schema", place=error.place, hint=error.hint
            ) from None
        except SchemaFileError as error:
            raise SchemaFieldError(str(error), (field,)) from None

    whole = check("", fields.schema) if fields.schema is not None else None
    given = ((name, getattr(fields, name)) for name in PARTS)
    parts = tuple(check(name, each) for name, each in given if each is not None)
    return RequestChecks(whole, parts, files)
