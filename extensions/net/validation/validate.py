"""validate: checks a request, or any payload, against JSON Schemas."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path as FilePath
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import msgspec

from heddle.extensions.extension import (
    IN,
    OUT,
    Action,
    Build,
    Error,
    FieldError,
    Fields,
    Handler,
    Host,
    Kind,
    Node,
    NodeError,
    Payload,
    Port,
    Schema,
    about,
)
from heddle.extensions.net.answers import header_of, with_fields
from heddle.extensions.net.cookies.cookie import parsed
from heddle.extensions.net.http.request import HttpRequest
from heddle.extensions.net.validation.schema_watch import follow_schemas
from heddle.runtime.flow.elsewhere import ElsewhereError, once
from heddle.runtime.flow.errors import InputError
from heddle.runtime.flow.materialize import plain
from heddle.runtime.flow.stream import ByteStream
from heddle.schemas.ascii import lower
from heddle.schemas.path import Path
from heddle.schemas.types.mistakes import Mistake

JsonSchema: TypeAlias = dict[str, Any] | bool | str

PARTS: Final = ("body", "query", "params", "header", "cookies")
"""The parts of a request that are checked, in order."""

LARGE: Final = 128 * 1024
"""A body of more bytes is checked in a thread."""

INVALID: Final = "invalid"
"""The code of the Error of what does not fit; its data lists each mistake."""


class Validate(Fields):
    """What a `validate` says."""

    schema: Annotated[
        JsonSchema | None,
        about(
            "The schema of the payload itself, in place of parts of a request: a JSON Schema, or the "
            "path of a file that has it, with a fragment or without.",
            examples=["schemas/order.json", "schemas/shop.yaml#/$defs/order"],
        ),
    ] = None
    body: Annotated[JsonSchema | None, about("The schema of the body of a request.")] = None
    query: Annotated[
        JsonSchema | None,
        about(
            "The schemas of parts of the query, by name, each with `required: true` if it must be there; "
            "or one schema of the whole query.",
            examples=[{"limit": {"type": "integer", "default": 20}}],
        ),
    ] = None
    params: Annotated[
        JsonSchema | None, about("The same for what the router took of the path.")
    ] = None
    header: Annotated[
        JsonSchema | None, about("The same for headers; the case of names does not count.")
    ] = None
    cookies: Annotated[JsonSchema | None, about("The same for cookies.")] = None
    root: Annotated[str, about("The folder that files of schemas are in, and stay in.")] = "."
    schemas: Annotated[
        dict[str, JsonSchema],
        about(
            "Schemas, or paths of their files, by the URI by which a `$ref` names them: nothing is "
            "fetched.",
            examples=[{"https://example.com/task.json": "schemas/task.json"}],
        ),
    ] = msgspec.field(default_factory=dict)
    formats: Annotated[bool, about("Whether `format` is checked.")] = True
    coerce: Annotated[
        bool,
        about("Whether numbers, booleans and null are made of texts in a body or payload, too."),
    ] = False

    def __post_init__(self) -> None:
        given = [name for name in PARTS if getattr(self, name) is not None]
        if self.schema is not None and given:
            raise FieldError(
                f"schema and {given[0]}", expected="schema, or parts of a request", path=("schema",)
            )
        if self.schema is None and not given:
            raise FieldError(
                "nothing to check",
                expected=f"schema, or one of {', '.join(PARTS)}",
                path=("schema",),
            )


_UNLISTED: Final = Mistake((), "a value that does not fit", "one that fits the schema")
"""What is said if one library rejects a value, and the other, which lists mistakes, does not."""


class PartCheck:
    """Checks one part of a request, or a whole payload; returns it with defaults and typed values."""

    def __init__(self, part: str, validator: Any, shaping: Any, coerce: bool) -> None:
        self.part = part
        self._validator = validator
        self._shaping = shaping
        self._coerce = coerce

    def check(self, value: Any, mistakes: list[tuple[str, Mistake]], form: bool = False) -> Any:
        """Return the value as it goes on; what does not fit is added to the mistakes."""
        shaping = self._shaping
        if form or self.part not in ("", "body"):
            value = self._picked(value)
        elif self._coerce:
            value = shaping.coerce(value)
        if not self._validator.is_valid(value):
            listed = self._validator.mistakes(value) or [_UNLISTED]
            mistakes += [(self.part, mistake) for mistake in listed]
            return value
        # A default is not checked: it says what to do without a value.
        return shaping.fill(value)

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
    files: tuple[FilePath, ...]


class SchemaFieldError(ValueError):
    """A schema that cannot be used: the path of its field, and what is expected there."""

    def __init__(self, message: str, path: Path, expected: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.expected = expected


class ValidateNode(Node):
    """Sends on what fits, with defaults and typed values."""

    def __init__(self, checks: RequestChecks, make: Callable[[], RequestChecks]) -> None:
        self._checks = checks
        self._make = make
        self._stale = ""
        self._apart = self._leave
        whole = checks.whole is not None
        self._action = Action(self._check_whole if whole else self._check_request)

    async def open(self, host: Host) -> None:
        """Follow the files of the schemas, if there are any."""
        if self._checks.files:
            host.tasks.start(
                follow_schemas(host, lambda: self._checks.files, self._read, self._rejected)
            )

    def _read(self) -> None:
        self._checks = self._make()

    def _rejected(self, why: str) -> None:
        self._stale = why

    def degraded(self) -> str:
        """Return why it checks by older schemas than its files hold; "" if it does not."""
        return f"its schema is rejected, the one before stays: {self._stale}" if self._stale else ""

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None

    def _check_whole(self, payload: Payload) -> Payload:
        whole = self._checks.whole
        mistakes: list[tuple[str, Mistake]] = []
        # A request is decoded as a whole: libraries in C read the storage of a map.
        value = plain(payload) if type(payload) is HttpRequest else payload
        checked = value if whole is None else whole.check(value, mistakes)
        if mistakes:
            raise invalid(mistakes)
        return payload if checked is value else checked

    def _check_request(self, payload: Payload) -> Payload:
        if not isinstance(payload, dict):
            raise TypeError("found no request (expected: a map with body, query, params or header)")
        if type(payload) is HttpRequest and _size(payload) > LARGE:
            # What is sent may keep jsonschema busy for seconds: others have their turn meanwhile.
            return once({"checked": self._apart}, payload)["checked"]
        return self._checked(payload)

    def _leave(self, payload: Payload) -> Payload:
        # Decoded here, as that is charged to the connection.
        payload.get("body")
        raise ElsewhereError(self._apart, payload, self._check_in_thread)

    async def _check_in_thread(self, payload: Payload) -> Payload:
        return await asyncio.to_thread(self._checked, payload)

    def _checked(self, payload: Payload) -> Payload:
        """Return a request as it goes on; NodeError with every mistake."""
        mistakes: list[tuple[str, Mistake]] = []
        changed: dict[str, Any] = {}
        for part in self._checks.parts:
            name = part.part
            value = _part_of(payload, name)
            checked = part.check(value, mistakes, name == "body" and _is_form(payload))
            if checked is not value:
                changed[name] = checked
        if mistakes:
            raise invalid(mistakes)
        return with_fields(payload, **changed) if changed else payload


def _size(request: HttpRequest) -> int:
    """Return the bytes of a body that was read whole."""
    body = request.raw_body
    return len(body) if isinstance(body, bytes) else 0


def _part_of(payload: dict[str, Any], name: str) -> Any:
    """Return a part of a request; an empty map if there is none of that kind."""
    if name == "body":
        body = payload.get("body")
        if isinstance(body, ByteStream):
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


def schema_of_part(given: Any) -> Any:
    """Return the schema of a map of texts: as it is, or made of schemas by name."""
    if not isinstance(given, dict) or _is_schema(given):
        return given
    properties: dict[str, Any] = {}
    required: list[str] = []
    for name, schema in given.items():
        must = isinstance(schema, dict) and isinstance(schema.get("required"), bool)
        if must and schema["required"]:
            required.append(name)
        kept = {k: v for k, v in schema.items() if k != "required"} if must else schema
        properties[name] = kept
    made: dict[str, Any] = {"type": "object", "properties": properties}
    return {**made, "required": required} if required else made


def _is_schema(given: Mapping[str, Any]) -> bool:
    """Return whether a map is a schema, and not schemas by name: those are maps or booleans."""
    return any(not isinstance(value, dict | bool) for value in given.values())


def compile_validate(fields: Validate, build: Build) -> Node:
    """Compile each schema; one that is not valid, or names one that cannot be had, is a Problem."""
    try:
        return ValidateNode(checks_of(fields), lambda: checks_of(fields))
    except SchemaFieldError as error:
        build.reject(*error.path, code="schema", found=str(error), expected=error.expected)


def checks_of(fields: Validate) -> RequestChecks:
    """Return the checks that the fields say; SchemaFieldError if one cannot be made."""
    # jsonschema takes a while to import, and most runtimes have no such node.
    from heddle.extensions.net.validation.references import SchemaFileError, SchemaFiles
    from heddle.extensions.net.validation.schema_validator import (
        SchemaMistakeError,
        SchemaValidator,
    )
    from heddle.extensions.net.validation.shaping import Shaper

    try:
        files = SchemaFiles(fields.root, fields.schemas)
    except SchemaFileError as error:
        raise SchemaFieldError(str(error), ("root",)) from None

    def check(name: str, given: Any) -> PartCheck:
        field = name or "schema"
        schema = given if name in ("", "body") else schema_of_part(given)
        if isinstance(schema, str):
            schema = {"$ref": files.uri_of(schema)}
        try:
            validator = SchemaValidator(schema, files, formats=fields.formats)
            return PartCheck(name, validator, Shaper(files).shape(schema), fields.coerce)
        except SchemaMistakeError as error:
            path = (field, *error.path) if given is schema else (field,)
            raise SchemaFieldError(str(error), path, "a JSON Schema") from None
        except SchemaFileError as error:
            raise SchemaFieldError(str(error), (field,)) from None

    whole = check("", fields.schema) if fields.schema is not None else None
    given = ((name, getattr(fields, name)) for name in PARTS)
    parts = tuple(check(name, each) for name, each in given if each is not None)
    return RequestChecks(whole, parts, files.paths)


VALIDATE: Kind[Any] = Kind(
    Schema(
        kind="validate",
        fields=Validate,
        summary="Checks a request, or any payload, against JSON Schemas.",
        category="net",
        ins=(IN,),
        outs=(
            OUT,
            Port("error", "The Error of what does not fit; not linked, it is answered 422."),
        ),
        example="""\
- kind: validate
  name: check
  query:
    limit: {type: integer, minimum: 1, maximum: 100, default: 20}
  body:
    type: object
    required: [title]
    properties:
      title: {type: string, minLength: 1, maxLength: 200}
      due: {type: string, format: date-time}
      done: {type: boolean, default: false}
    additionalProperties: false
  ports:
    out: {name: show, port: in}
- kind: snippet
  name: show
  language: cel
  code: '{"limit": query.limit, "task": body}'
""",
        details="""\
What fits goes to `out`, with defaults filled in and with the types that its schema asks for. Schemas are
[JSON Schema](https://json-schema.org) of draft 2020-12.

`query`, `params`, `header` and `cookies` are texts: the values that go on have the types of their schemas, `"7"` is 7
for an integer, `"true"` is true for a boolean. A name that has a schema stands for its value, and not for a list of
texts, unless `type` is `array`; what has no schema stays as it came. Write the schemas by name, each with
`required: true` if it must be there, or one schema of an object. A `body` that came as a form is read in the same way; any
other body as it is, unless `coerce` is true. `default` is filled in where a property is missing, also in inner objects.

What does not fit is an Error with the code `invalid`, whose data lists every mistake with `in`, `pointer` (JSON Pointer,
RFC 6901), `found` and `expected`. If `error` is not linked, a listener answers `422` with a problem document
(RFC 9457, `application/problem+json`), which has them under `problems`:

```json
{"type": "urn:heddle:problem:invalid", "title": "Unprocessable Content", "status": 422, "detail": "…", "problems": [
  {"in": "body", "pointer": "/title", "found": "missing", "expected": "string"}
]}
```

A schema is written in place, or comes from a Value (`body: '{{ .TASK }}'` with `env`), or is a file:
`body: schemas/task.yaml#/$defs/new`. Files, YAML or JSON, are below `root`, outside of the folder of the specs; a `$ref` in one is
relative to it. A file that is saved counts from then on (`schema changed`); one that cannot be used is told
(`schema rejected`), and the schema before it stays. Nothing is fetched: a schema that has a URI of the web is given
under `schemas`.

Checked formats: `date date-time duration email hostname ipv4 ipv6 json-pointer regex relative-json-pointer time uri
uri-reference uuid`. Regular expressions take linear time, unless they look around or back. With
`pip install 'heddle-runtime[validation]'`, jsonschema-rs decides whether a value fits, which is many times as fast.
""",
    ),
    compile_validate,
)
