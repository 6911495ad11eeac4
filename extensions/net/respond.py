"""respond: makes a response, which every listener takes for one."""

from http import HTTPStatus
from typing import Annotated, Any, TypeAlias

import msgspec

from heddle.extensions.extension import (
    ERROR,
    IN,
    OUT,
    Action,
    Build,
    Expression,
    Fields,
    Handler,
    Kind,
    Node,
    Payload,
    Port,
    Program,
    Schema,
    Text,
    about,
)
from heddle.extensions.response import HttpResponse
from heddle.runtime.flow.elsewhere import once

_Failure: TypeAlias = Annotated[int, msgspec.Meta(ge=300, le=599)]


class Respond(Fields):
    """The fields of a `respond`."""

    status: Annotated[int, about("The status.", ge=200, le=599)] = 200
    missing: Annotated[
        _Failure | None,
        about(
            "The status if the payload is null: with a problem document as body. Without it, null is "
            "a payload like others.",
            examples=[404],
        ),
    ] = None
    body: Annotated[
        Expression | None,
        about("What the body is, if not the payload; with status 204 or 304 there is none."),
    ] = None
    header: Annotated[
        dict[str, Text],
        about("Headers with their values.", examples=[{"Cache-Control": "no-store"}]),
    ] = msgspec.field(default_factory=dict)
    headers: Annotated[
        Expression | None,
        about(
            "More headers, computed: a map of names to values; null leaves one out.",
            examples=["{'Location': '/tasks/' + string(id)}"],
        ),
    ] = None


class RespondNode(Node):
    """Makes a response of each payload."""

    def __init__(self, fields: Respond, programs: dict[str, Program]) -> None:
        self._status = fields.status
        self._missing = fields.missing
        self._header = {name: str(text) for name, text in fields.header.items()}
        self._programs = programs
        self._bare = fields.status in (204, 304)
        self._action = Action(self._respond)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None

    def _respond(self, payload: Payload) -> Payload:
        if payload is None and self._missing is not None:
            return missing(self._missing)
        programs = self._programs
        made = once(programs, payload) if programs else {}
        header: dict[str, Any] = dict(self._header)
        computed = made.get("headers")
        if computed is not None:
            if not isinstance(computed, dict):
                raise TypeError("headers is not a map (expected: names with values)")
            header.update({name: value for name, value in computed.items() if value is not None})
        response = HttpResponse(status=self._status)
        if header:
            response["header"] = header
        if not self._bare:
            body = made["body"] if "body" in programs else payload
            # In a response, null is no body at all: as data it is written out.
            response["body"] = b"null" if body is None else body
            if body is None:
                response["header"] = {"Content-Type": "application/json", **header}
        return response


def missing(status: int) -> HttpResponse:
    """Return the response to a request for what is not there: a problem document (RFC 9457)."""
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = ""
    body = {"type": "about:blank", "title": title, "status": status}
    header = {"Content-Type": "application/problem+json"}
    return HttpResponse(status=status, header=header, body=body)


def compile_respond(fields: Respond, build: Build) -> Node:
    """Compile the expressions."""
    programs = {
        name: build.program(expression, name)
        for name, expression in (("body", fields.body), ("headers", fields.headers))
        if expression is not None
    }
    return RespondNode(fields, programs)


RESPOND: Kind[Any] = Kind(
    Schema(
        kind="respond",
        fields=Respond,
        summary="Makes a response with a status and headers of a payload.",
        category="net",
        ins=(IN,),
        outs=(OUT, Port("error", ERROR.help)),
        example="""\
- kind: respond
  name: created
  status: 201
  header: {Cache-Control: no-store}
  headers: "{'Location': '/tasks/' + string(id)}"
""",
        details="""\
The body is the payload, or what `body` makes of it. A response is a map of `status`, `header` and `body`, and says of itself
that it is one: a listener with `answer: data` takes no other map for a response. With `missing`, null becomes that
status, as a row that is not there is answered 404:

```yaml
- kind: sql
  name: read
  source: tasks.db
  args: '{"id": params.id}'
  statement: SELECT id, title FROM tasks WHERE id = :id
  result: row
  ports: {out: {name: found}}
- {kind: respond, name: found, missing: 404}
```

A node behind it sees a map. What makes another map of it, such as a snippet, makes data.
""",
    ),
    compile_respond,
)
