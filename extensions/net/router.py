"""router: sends an HTTP request the way of its method and path."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final
from urllib.parse import unquote

from heddle.extensions.extension import (
    IN,
    Build,
    Choice,
    FieldError,
    Fields,
    Handler,
    Kind,
    Node,
    Payload,
    Port,
    Schema,
    about,
)
from heddle.extensions.net.http.path import segments_of
from heddle.extensions.net.http.request import HttpRequest
from heddle.extensions.net.route_segment import RouteSegmentError, parse_path, template_of
from heddle.extensions.net.routes import ANY, Routes
from heddle.extensions.response import HttpResponse
from heddle.schemas.ascii import upper
from heddle.schemas.common import Target
from heddle.schemas.link import Link, parse_target
from heddle.schemas.path import Path
from heddle.schemas.port import canonical, find_port
from heddle.schemas.schema import UnreachablePart

_ESCAPE: Final = re.compile(r"%[0-9A-Fa-f]{2}")

OUT_PORTS = Port("out", "Where routes lead.", indexed=True)
TO_PORTS = Port("to", "Where routes with `to` lead; the fields make these links.", indexed=True)


class RouteFields(Fields):
    """One route."""

    method: Annotated[
        str,
        about(
            "The method; `*` is every method that has no route of its own at this path.",
            pattern=r"^([A-Za-z]+|\*)$",
            examples=["GET", "POST", "*"],
        ),
    ]
    path: Annotated[
        str,
        about(
            "The path. `{name}` and `:name` take one segment, `{name:integer}` one of that type, "
            "`{name:path}` and `*` the rest.",
            pattern=r"^(/|\*)",
            examples=["/users/:id", "/users/{id:integer}", "/files/*"],
        ),
    ]
    to: Annotated[
        str | Target | None,
        about(
            "The node that it leads to, `join.in[1]` or `{name, port}` for another in port than `in`."
        ),
    ] = None
    port: Annotated[
        str | None, about("The out port that it leads to, in place of `to`.", examples=["out[0]"])
    ] = None

    @property
    def link(self) -> Link | None:
        """The link that `to` stands for."""
        if isinstance(self.to, Target):
            return self.to.link
        return None if self.to is None else parse_target(self.to)

    def __post_init__(self) -> None:
        if (self.to is None) == (self.port is None):
            raise FieldError(
                "neither to nor port" if self.to is None else "both to and port",
                expected="one of them: to with the name of a node, or port with an out port",
                path=("to",),
            )
        path = "/" + self.path if self.path.startswith("*") else self.path
        try:
            segments = parse_path(path)
        except RouteSegmentError as error:
            raise FieldError(str(error), expected=error.expected, path=("path",)) from None
        names = [segment.name for segment in segments if segment.name is not None]
        for name in names:
            if names.count(name) > 1:
                raise FieldError(
                    f'"{self.path}" has the name "{name}" twice',
                    expected="each name once",
                    path=("path",),
                )


class Router(Fields):
    """The fields of a router."""

    routes: Annotated[
        list[RouteFields],
        about("The routes, in any order: the most literal path wins.", min_length=1),
    ]


class RouterNode(Node):
    """Chooses an out port by method and path."""

    def __init__(self, routes: Routes[str], methods: frozenset[str]) -> None:
        self._routes = routes
        self._methods = methods
        self._choice = Choice(self._choose)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._choice if port == "in" else None

    def _choose(self, payload: Payload) -> tuple[str, Payload]:
        if type(payload) is HttpRequest:
            method, path = payload.method_text, payload.path_text
        else:
            method, path = method_and_path(payload)
        if "%" not in path:
            # The text of such a path is all of its segments.
            exact = self._routes.exact(method, path)
            if exact is not None:
                if type(payload) is HttpRequest:
                    return exact, payload.with_fields(params={})
                return exact, with_params(payload, {})
        segments = segments_of(path)
        entry = self._routes.find(method, segments)
        if entry is None:
            return "error", self._lost(method, path, segments)
        return entry[0], with_params(payload, entry[1])

    def _lost(self, method: str, path: str, segments: list[str]) -> Payload:
        """Return what is answered if no route leads: 404, 405 with Allow, or 204 to OPTIONS."""
        if method == "OPTIONS" and path == "*":
            # It asks about the server as a whole, not about a path.
            methods = set(self._methods) - {ANY}
        else:
            methods = self._routes.methods(segments)
        if not methods:
            return HttpResponse({"status": 404, "body": "Not Found"})
        if "GET" in methods:
            methods.add("HEAD")
        allow = {"Allow": [", ".join(["OPTIONS", *sorted(methods - {"OPTIONS"})])]}
        if method == "OPTIONS":
            return HttpResponse({"status": 204, "header": allow})
        return HttpResponse({"status": 405, "header": allow, "body": "Method Not Allowed"})


def method_and_path(payload: Payload) -> tuple[str, str]:
    """Return the method and path of a map; raise TypeError if there are none."""
    if isinstance(payload, dict):
        method, path = payload.get("method", "GET"), payload.get("path")
        if isinstance(method, str) and isinstance(path, str):
            return upper(method), path
    raise TypeError("a router wants a map with method and path, as a listener sends it")


def with_params(payload: Payload, params: dict[str, Any]) -> Payload:
    """Return the payload with what the names in its path stand for."""
    if type(payload) is HttpRequest:
        return payload.with_fields(params=params)
    return {**payload, "params": params}


def ports_of(fields: Router) -> list[str]:
    """Return the out port of each route: routes to one node share a port `to[i]`."""
    known: dict[Link, str] = {}
    ports: list[str] = []
    for route in fields.routes:
        link = route.link
        if link is None:
            ports.append(canonical(route.port or ""))
        else:
            ports.append(known.setdefault(link, f"to[{len(known)}]" if known else "to"))
    return ports


def links_of(fields: Router) -> Mapping[str, tuple[Link, ...]]:
    """Return a link for each node that routes name, by out port."""
    return {
        port: (route.link,)
        for route, port in zip(fields.routes, ports_of(fields), strict=True)
        if route.link is not None
    }


def makers_of(fields: Router) -> Mapping[str, Path]:
    """Return the path of the first `to` that makes the link of a port, by out port."""
    paths: dict[str, Path] = {}
    for index, (route, port) in enumerate(zip(fields.routes, ports_of(fields), strict=True)):
        if route.to is not None:
            paths.setdefault(port, ("routes", index, "to"))
    return paths


def routes_by_port(fields: Router) -> Mapping[str, str]:
    """Return what leaves by each out port, as people write it: `GET /tasks/{id}`."""
    texts: dict[str, list[str]] = {}
    for route, port in zip(fields.routes, ports_of(fields), strict=True):
        path = route.path if "*" in route.path else template_of(route.path)
        texts.setdefault(port, []).append(f"{upper(route.method)} {path}")
    return {port: ", ".join(routes) for port, routes in texts.items()}


def compile_router(fields: Router, build: Build) -> Node:
    """Two routes of one method and path, and a port that is not an out port, are Problems."""
    routes: Routes[str] = Routes()
    ports = ports_of(fields)
    for index, route in enumerate(fields.routes):
        if route.port is not None and find_port((OUT_PORTS,), route.port) is None:
            build.reject(
                "routes",
                index,
                "port",
                code="unknown-port",
                found=f'there is no out port "{route.port}"',
                expected="out[0], out[1], …",
            )
        path = "/" + route.path if route.path.startswith("*") else route.path
        if not routes.add(upper(route.method), path, ports[index]):
            build.reject(
                "routes",
                index,
                code="duplicate-route",
                found=f"{upper(route.method)} {route.path} leads somewhere already",
                hint="Each method and path has one route.",
            )
    return RouterNode(routes, frozenset(upper(route.method) for route in fields.routes))


def unreached_routes(fields: Router, linked: Mapping[str, str]) -> Iterator[UnreachablePart]:
    """Yield the routes that no request takes, and the links that no route leads to."""
    for index, route in enumerate(fields.routes):
        path = ("routes", index, "path")
        segments = parse_path("/" + route.path.removeprefix("/"))
        literal = "/".join(segment.prefix + segment.suffix for segment in segments)
        if "?" in literal or "#" in literal:
            yield UnreachablePart(
                path,
                f'no request has the path "{route.path}": what stands behind ? or # is not part of it',
                "Leave it out, and look at `query` behind the route.",
            )
        elif _ESCAPE.search(literal):
            yield UnreachablePart(
                path,
                f'no request has the path "{route.path}": paths are compared as they read decoded',
                f'Write it decoded: "{unquote(route.path)}".',
            )
    named = set(ports_of(fields))
    for port, written in linked.items():
        if port != "error" and find_port((OUT_PORTS,), port) is not None and port not in named:
            yield UnreachablePart(
                ("ports", written),
                "no request leaves by it: no route leads to it",
                "Name it in a route, or remove the link.",
            )


def _leads(fields: Router) -> Iterator[tuple[Path, str]]:
    """Yield the out port of each route; a port that no route may name is a Problem of the field."""
    for index, route in enumerate(fields.routes):
        if route.port is not None and find_port((OUT_PORTS,), route.port) is not None:
            yield ("routes", index, "port"), route.port


ROUTER: Kind[Any] = Kind(
    Schema(
        kind="router",
        fields=Router,
        summary="Sends an HTTP request the way of its method and path.",
        category="net",
        leads=_leads,
        makes=makers_of,
        ins=(IN,),
        ways=lambda fields: tuple(dict.fromkeys(ports_of(fields))),
        unreached=unreached_routes,
        labels=routes_by_port,
        outs=(
            OUT_PORTS,
            TO_PORTS,
            Port("error", "A response (404, 405, OPTIONS) if no route leads, or an Error."),
        ),
        example="""\
- kind: router
  name: router
  routes:
    - {method: GET, path: /ping, to: pong}
    - {method: GET, path: '/users/{id:integer}', to: user}
    - {method: GET, path: '/files/{name:path}', port: 'out[0]'}
  ports:
    out[0]:
      - {name: file, port: in}
- {kind: snippet, name: pong, language: text, code: pong}
- {kind: snippet, name: user, language: cel, code: "'user after ' + string(params.id - 1)"}
- {kind: snippet, name: file, language: cel, code: "'file ' + params.name"}
""",
        details="""\
The request goes on with `params` added: what the names in the path stand for. A route names its node with
`to`, or an out port with `port`, which is then linked under `ports`. Routes may lead to one node.

`{name}` takes one segment that is not empty. With a type, only what fits is taken, and the value has that type;
what does not fit is 404, if no other route takes it.

| in a path | takes | value |
|---|---|---|
| `{name}`, `{name:string}`, `:name` | a segment that is not empty | text |
| `{name:integer}` | `0`, `42`, `-7`; not `007`, `+7` or more than 64 bits | integer |
| `{name:number}` | integers, and `1.5` | number |
| `{name:uuid}` | a UUID with hyphens | text, small letters |
| `{name:path}` | the rest of the path, also if that is empty | text |
| `*` | the same, under the name `*` | text |

Text may stand before a parameter, and behind one in braces: `/v{version:integer}`, `/{name}.json`. `\\:`, `\\{`
and `\\}` are a colon and braces. Empty segments count, and a slash that came
encoded belongs to its segment: `{name}` is `a/b` for `a%2Fb`, and in a path it stays `%2F`. If several routes fit, the most literal
wins, from left to right: `/users/new` before `/users/{id:integer}` before `/users/{id}` before `/users/*`. At one path, a method before `*`.

If no route leads, `error` is sent a response: 404, or 405 with `Allow` if the path has other
methods. OPTIONS is answered 204 with `Allow`, and `OPTIONS *` with all methods of the router. With `error` not linked, that response is the answer. HEAD goes the
way of GET if it has no route of its own.
""",
    ),
    compile_router,
    links=links_of,
)
