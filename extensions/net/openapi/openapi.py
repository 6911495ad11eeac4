"""openapi: answers an OpenAPI document of the flow that it stands in, or a page that shows it."""

import asyncio
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import msgspec

from heddle.extensions.extension import (
    ERROR,
    IN,
    OUT,
    Action,
    Build,
    Error,
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
from heddle.extensions.net.answers import header_of
from heddle.extensions.net.http.negotiate import accepts
from heddle.extensions.net.http.request import HttpRequest
from heddle.extensions.response import HttpResponse
from heddle.runtime.flow.elsewhere import ElsewhereError
from heddle.runtime.managed import home_of

if TYPE_CHECKING:
    from heddle.extensions.net.validation.references import SchemaFiles


class OpenApi(Fields):
    """The fields of an `openapi`."""

    title: Annotated[str, about("The title of the API.")] = "API"
    version: Annotated[str, about("The version of the API.", examples=["1.0"])] = "1"
    description: Annotated[str, about("What the API is for.")] = ""
    listener: Annotated[
        str | None, about("The listener whose routes are described; without it, those of all.")
    ] = None


EVERY: Final = 0.5
"""Seconds between two looks at the files of schemas, while there are requests."""

AGAIN: Final = 5.0
"""Seconds until a description that has failed is tried again."""


class ServedDocument(NamedTuple):
    """The document of a generation as data and as JSON, and what it was made of.

    It is `whole` if no schema is left out. `problems` are those of the last attempt.
    """

    number: int
    whole: bool
    document: dict[str, Any]
    data: bytes
    files: "tuple[SchemaFiles, ...]"
    problems: tuple[str, ...]


class OpenApiNode(Node):
    """Describes the routes of the generation that is live, anew if a file of a schema has changed."""

    def __init__(self, fields: OpenApi) -> None:
        self._fields = fields
        self._host: Host | None = None
        self._made: ServedDocument | None = None
        self._failed: tuple[int, float, Error] | None = None
        self._looked = 0.0
        self._turn = asyncio.Lock()
        self._apart = self._make
        self._action = Action(self._act)

    async def open(self, host: Host) -> None:
        """Keep the host: it knows the runtime."""
        self._host = host

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None

    def degraded(self) -> str:
        """Return which schemas the document does not have as they are now; "" if it has all of them."""
        made = self._made
        if made is None or not made.problems:
            return ""
        kept = "the document before stays" if made.whole else "some are left out"
        return f"its schemas cannot all be used, {kept}: {'; '.join(made.problems)}"

    def _act(self, payload: Payload) -> Payload:
        made = self._current()
        if made is None:
            # Schemas are read and checked in a thread: others have their turn meanwhile.
            raise ElsewhereError(self._apart, payload, self._make)
        path = payload.path_text if type(payload) is HttpRequest else _path_of(payload)
        if not path.endswith(".json") and accepts(header_of(payload, "Accept"), "text/html") > 0:
            from heddle.extensions.net.openapi.viewer import page_of

            header = {
                "Content-Type": "text/html; charset=utf-8",
                "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
            }
            return HttpResponse(header=header, body=page_of(made.document, "openapi.json"))
        return HttpResponse(header={"Content-Type": "application/json"}, body=made.data)

    def _current(self) -> ServedDocument | None:
        """Return the document, if it is that of this generation and of its files; NodeError if there is none."""
        if self._host is None:
            raise NodeError(Error("the node is not open", code="dropped"))
        number = self._host.wiring.generation.number
        now, failed, made = monotonic(), self._failed, self._made
        if failed is not None and failed[0] == number and now < failed[1]:
            raise NodeError(failed[2])
        if made is None or made.number != number:
            return None
        if made.files and now - self._looked > EVERY:
            if any(files.changed() for files in made.files):
                return None
            self._looked = now
        return made

    async def _make(self, payload: Payload) -> None:
        """Describe the generation; requests that come meanwhile wait for the same description."""
        del payload
        async with self._turn:
            host = self._host
            if host is None or self._current() is not None:
                return
            runtime, number = home_of(host), host.wiring.generation.number
            specs = [symbol.binding.spec for symbol in runtime.table.all()]
            looked = monotonic()
            try:
                made = await asyncio.to_thread(
                    self._described, number, specs, runtime.registry.scheme, host
                )
            except Exception as error:  # a file may hold anything
                # Kept for a while: to try again for each request would take as long each time.
                self._failed = (number, monotonic() + AGAIN, Error.of(error))
                raise
            before = self._made
            if before is not None and before.whole and before.number == number and not made.whole:
                made = before._replace(files=made.files, problems=made.problems)
            self._made, self._looked = made, looked

    def _described(self, number: int, specs: list[Any], scheme: Any, host: Host) -> ServedDocument:
        from heddle.extensions.net.openapi.document import describe_flow

        fields = self._fields
        described = describe_flow(
            specs,
            scheme,
            title=fields.title,
            version=fields.version,
            description=fields.description,
            listener=fields.listener,
        )
        document = host.mask(described.document)
        problems = tuple(host.mask(list(described.problems)))
        data = msgspec.json.encode(document)
        return ServedDocument(number, not problems, document, data, described.files, problems)


def _path_of(payload: Payload) -> str:
    path = payload.get("path") if isinstance(payload, dict) else None
    return path if isinstance(path, str) else "openapi.json"


def compile_openapi(fields: OpenApi, build: Build) -> Node:
    """Build the node; the document is made when somebody asks for it."""
    build.leaves = True
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
