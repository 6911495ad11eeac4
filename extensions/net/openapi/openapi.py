"""openapi: answers an OpenAPI document of the flow that it stands in, or a page that shows it."""

from typing import Annotated, Any

import msgspec

from heddle.extensions.extension import (
    ERROR,
    IN,
    OUT,
    Action,
    Build,
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
from heddle.extensions.extension import Error as HeddleFailure
from heddle.extensions.net.answers import header_of
from heddle.extensions.net.http.negotiate import accepts
from heddle.extensions.net.http.request import HttpRequest
from heddle.extensions.response import HttpResponse
from heddle.runtime.managed import home_of


class OpenApi(Fields):
    """What an `openapi` says."""

    title: Annotated[str, about("The title of the API.")] = "API"
    version: Annotated[str, about("The version of the API.", examples=["1.0"])] = "1"
    description: Annotated[str, about("What the API is for.")] = ""
    listener: Annotated[
        str | None, about("The listener whose routes are described; without it, those of all.")
    ] = None


class OpenApiNode(Node):
    """Describes the routes of the generation that is live, once for each generation."""

    def __init__(self, fields: OpenApi) -> None:
        self._fields = fields
        self._host: Host | None = None
        self._made: tuple[int, dict[str, Any], bytes] | None = None
        self._action = Action(self._act)

    async def open(self, host: Host) -> None:
        """Keep the host: it knows the runtime."""
        self._host = host

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None

    def _act(self, payload: Payload) -> Payload:
        document, data = self._document()
        path = payload.path_text if type(payload) is HttpRequest else _path_of(payload)
        if not path.endswith(".json") and accepts(header_of(payload, "Accept"), "text/html") > 0:
            from heddle.extensions.net.openapi.viewer import page_of

            header = {
                "Content-Type": "text/html; charset=utf-8",
                "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            }
            return HttpResponse(header=header, body=page_of(document, "openapi.json"))
        return HttpResponse(header={"Content-Type": "application/json"}, body=data)

    def _document(self) -> tuple[dict[str, Any], bytes]:
        """Return the document of this generation, as data and as JSON."""
        host = self._host
        if host is None:
            raise NodeError(HeddleFailure("the node is not open", code="dropped"))
        number = host.wiring.generation.number
        if self._made is None or self._made[0] != number:
            from heddle.extensions.net.openapi.document import describe_flow

            fields = self._fields
            runtime = home_of(host)
            document = host.mask(
                describe_flow(
                    [symbol.binding.spec for symbol in runtime.table.all()],
                    runtime.registry.scheme,
                    title=fields.title,
                    version=fields.version,
                    description=fields.description,
                    listener=fields.listener,
                )
            )
            self._made = (number, document, msgspec.json.encode(document))
        return self._made[1], self._made[2]


def _path_of(payload: Payload) -> str:
    path = payload.get("path") if isinstance(payload, dict) else None
    return path if isinstance(path, str) else "openapi.json"


def compile_openapi(fields: OpenApi, build: Build) -> Node:
    """Build the node; the document is made when somebody asks for it."""
    del build
    return OpenApiNode(fields)


OPENAPI: Kind[Any] = Kind(
    Schema(
        kind="openapi",
        fields=OpenApi,
        summary="Answers an OpenAPI document of the routes of its namespace, or a page that shows it.",
        category="net",
        ins=(IN,),
        outs=(OUT, Port("error", ERROR.help)),
        example="""\
- kind: listener
  name: listener
  port: 0
  ports:
    out: {name: router}
- kind: router
  name: router
  routes:
    - {method: GET, path: '/tasks/{id:integer}', to: read}
    - {method: GET, path: /openapi.json, to: api}
    - {method: GET, path: /docs, to: api}
- kind: validate
  name: read
  annotations:
    summary: Read one task
    tags: tasks
    response: '{type: object, properties: {id: {type: integer}}}'
  query: {deep: {type: boolean, default: false}}
  ports:
    out: {name: found}
- {kind: snippet, name: found, language: cel, code: "{'id': params.id}"}
- kind: openapi
  name: api
  title: Tasks
  version: '1.0'
""",
        details="""\
The document (OpenAPI 3.1) is made of what stands in the specs, and is that of the generation that is live:

| of | comes |
|---|---|
| routes | methods, paths, parameters of the path with their types |
| [validate](validate.md) | parameters, bodies, and the response 422 |
| [auth](auth.md), before the router or behind it | security schemes, 401 and 403 |
| [respond](respond.md) and [fork](fork.md) | statuses; `missing` is a problem document |
| annotations of the node that a route leads to | `summary`, `description`, `tags` (a list with commas), `operationId`, `deprecated: 'true'`, and `response`: the schema of a good response, in YAML or JSON, or the path of a file that has it |

A path that ends in `.json`, or a client that takes no HTML, gets the document; a browser gets a page that shows it. The page
is whole in itself, and loads nothing. Routes that lead here are not part of the document. `heddle openapi FILE` prints the
same without running anything.
""",
    ),
    compile_openapi,
)
