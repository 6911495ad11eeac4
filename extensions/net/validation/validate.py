"""validate: checks a request, or any payload, against JSON Schemas."""

from typing import Annotated, Any, TypeAlias

import msgspec

from heddle.extensions.extension import (
    IN,
    OUT,
    Build,
    FieldError,
    Fields,
    Kind,
    Node,
    Port,
    Schema,
    TypeOfCode,
    about,
)
from heddle.extensions.net.validation.part_schema import PARTS

JsonSchema: TypeAlias = dict[str, Any] | bool | str


class Validate(Fields):
    """The fields of a `validate`."""

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


def _types(fields: Validate, type_of_code: TypeOfCode) -> dict[str, Any]:
    """Return what leaves it: what fits its schemas."""
    del type_of_code
    from heddle.extensions.net.validation.sent_types import type_of_payload, type_of_request

    if fields.schema is not None:
        return {"out": type_of_payload(fields.schema)}
    given = {name: getattr(fields, name) for name in PARTS}
    return {
        "out": type_of_request({name: each for name, each in given.items() if each is not None})
    }


def compile_validate(fields: Validate, build: Build) -> Node:
    """Compile each schema; one that is not valid, or names one that cannot be had, is a Problem."""
    # jsonschema takes a while to import, and most runtimes have no such node.
    from heddle.extensions.net.validation.checks import SchemaFieldError, checks_of, files_of
    from heddle.extensions.net.validation.validate_node import ValidateNode

    # What it has checked in a thread begins anew at this node, and not before it.
    build.leaves = True
    try:
        return ValidateNode(fields, checks_of(fields, files_of(fields)))
    except SchemaFieldError as error:
        build.reject(
            *error.path,
            code="schema",
            found=str(error),
            expected=error.expected,
            hint=error.hint,
            place=error.place,
        )


VALIDATE: Kind[Any] = Kind(
    Schema(
        kind="validate",
        fields=Validate,
        types=_types,
        ways=lambda _: ("out",),
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
What fits goes to `out`, with defaults filled in and with the types that its schema asks for: `heddle check`
compares them with what the next node accepts. Schemas are
[JSON Schema](https://json-schema.org) of draft 2020-12.

`query`, `params`, `header` and `cookies` are texts: the values that go on have the types of their schemas, `"7"` is 7
for an integer, `"true"` is true for a boolean. A name that has a schema stands for its value, and not for a list of
texts, unless `type` is `array`; what has no schema stays as it came. Write the schemas by name, each with
`required: true` if it must be there, or one schema of an object; a map that could be both is rejected, and
`type: object` makes it a schema. A `body` that came as a form is read in the same way; any
other body as it is, unless `coerce` is true. `default` is filled in where a property is missing, also in inner objects.

What does not fit is an Error with the code `invalid`, whose data lists every mistake with `in`, `pointer` (JSON Pointer,
RFC 6901), `found` and `expected`. If `error` is not linked, a listener answers `422` with a problem document
(RFC 9457, `application/problem+json`), which has them under `problems`, at most 100 of each part. Secret Values
in a schema are masked in them:

```json
{"type": "urn:heddle:problem:invalid", "title": "Unprocessable Content", "status": 422, "detail": "…", "problems": [
  {"in": "body", "pointer": "/title", "found": "missing", "expected": "string"}
]}
```

A schema is written in place, or comes from a Value (`body: '{{ .TASK }}'` with `env`), or is a file:
`body: schemas/task.yaml#/$defs/new`. Files, YAML or JSON, are below `root`, outside of the folder of the specs; a `$ref` in one is
relative to it. A file that is saved counts from then on (`schema changed`); if one cannot be used, the event `schema rejected` says why,
the node is degraded, and the schema before it stays. Nothing is fetched: a schema that has a URI of the web is given
under `schemas`.

Checked formats: `date date-time duration email hostname ipv4 ipv6 json-pointer regex relative-json-pointer time uri
uri-reference uuid`. Regular expressions take linear time, as RE2 does: one that looks ahead, behind or back is
rejected. What would hold other requests for more than some milliseconds is checked in a thread. With
`pip install 'heddle-runtime[validation]'`, jsonschema-rs decides whether a value fits, which is many times as fast.
""",
    ),
    compile_validate,
)
