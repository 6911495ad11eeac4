"""The description of an API (OpenAPI 3.1) out of its routers and the operations that they lead to."""

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any

import msgspec

from heddle.extensions.manage import problem_response as rejection
from heddle.extensions.manage.models import SPEC, VALUE
from heddle.extensions.manage.operation import STREAM, YAML, Operation, ResponseForm
from heddle.extensions.manage.problem_response import ProblemDocument
from heddle.extensions.manage.request import bare
from heddle.schemas.ascii import lower, upper
from heddle.schemas.port import canonical
from heddle.specs.model.names import MAX_NAME
from heddle.specs.model.spec import Spec

_REF = "#/components/schemas/{name}"
_PARAM = re.compile(r":(\w+)")

_NAMES = {
    "namespace": (
        "The namespace; a slash in it is written `%2F`.",
        {"type": "string", "pattern": r"^[\w$][\w$.@+~/-]*$", "maxLength": MAX_NAME},
    ),
    "key": ("Its name or its id, percent-encoded.", {"type": "string", "minLength": 1}),
    "number": ("The number of the revision.", {"type": "integer", "minimum": 0}),
}

_HEADERS = {
    "If-Match": (
        'The revision that it must still have, as `ETag` gave it: `"12"`. `*` is any.',
        {"type": "string", "examples": ['"12"']},
    ),
    "If-None-Match": ("`*`: there must be none yet; a revision: only if it has another.", None),
    "Idempotency-Key": (
        (
            "What tells this change set from every other of yours: sent again with the same key, it "
            "is answered with what it has become, and not made again. The body is not looked at then."
        ),
        {"type": "string", "maxLength": 255, "examples": ["8e03978e-40d5-43dd-bc93-6894a57f9324"]},
    ),
    "Last-Event-ID": ("The id of the last event that was seen.", None),
    "ETag": ("The revision, in quotes.", None),
    "Location": ("Where it is found from now on.", None),
}

_ENTRIES: dict[str, dict[str, Any]] = {
    SPEC: {
        "type": "object",
        "description": (
            "A Spec: the common fields, and those of its kind (see `/v1/schema.json`). What JSON cannot "
            'say is marked: `{"$bytes": "aGk="}`, `{"$float": "nan"}`.'
        ),
        "required": ["kind"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "kind": {"type": "string", "minLength": 1},
            "namespace": {"type": "string"},
            "name": {"type": "string", "minLength": 1, "maxLength": MAX_NAME},
            "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
            "env": {"type": "object"},
            "ports": {"type": "object"},
        },
        "additionalProperties": True,
        "examples": [{"kind": "snippet", "name": "pong", "language": "text", "code": "pong"}],
    },
    VALUE: {
        "type": "object",
        "description": "A Value. The data of a secret is masked, unless it is asked for with `reveal`.",
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "namespace": {"type": "string"},
            "name": {"type": "string", "minLength": 1, "maxLength": MAX_NAME},
            "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
            "data": {},
            "sealed": {"type": "string", "description": "Its data, sealed: only a key opens it."},
            "from": {"type": "object", "description": "Where it comes from: `env` or `file`."},
            "secret": {"type": "boolean"},
        },
        "examples": [{"name": "database", "data": "postgresql://db/shop", "secret": True}],
    },
}


class OpenApiRoute(msgspec.Struct, frozen=True):
    """A method and a path that lead to an operation."""

    method: str
    path: str
    operation: Operation

    @property
    def template(self) -> str:
        """The path as OpenAPI writes it: `/v1/namespaces/{namespace}`."""
        return _PARAM.sub(r"{\1}", self.path)

    @property
    def params(self) -> list[str]:
        """The names in the path."""
        return _PARAM.findall(self.path)

    @property
    def scope(self) -> str:
        """The suffix that tells it from other routes to the same operation."""
        return (
            ""
            if self.operation.name.startswith("namespace")
            else ("namespace" if "namespace" in self.params else "all")
        )


def routes_of(specs: Iterable[Spec], operations: Mapping[str, Operation]) -> list[OpenApiRoute]:
    """Return the routes of all routers that lead straight to a `manage`, in the order of the specs."""
    known = list(specs)
    named = {spec.name: spec for spec in known if spec.name is not None}
    ids = {spec.id: spec for spec in known}
    routes: list[OpenApiRoute] = []
    for spec in known:
        if spec.kind != "router":
            continue
        ports = {canonical(port): links for port, links in spec.ports.items()}
        for route in spec.fields.get("routes", ()):
            for link in ports.get(canonical(str(route.get("port", ""))), ()):
                target = ids.get(link.id) if link.id is not None else named.get(link.name or "")
                if target is None or target.kind != "manage":
                    continue
                operation = operations.get(str(target.fields.get("operation")))
                if operation is not None:
                    routes.append(
                        OpenApiRoute(upper(str(route["method"])), str(route["path"]), operation)
                    )
    return routes


def describe(specs: Iterable[Spec], operations: Mapping[str, Operation]) -> dict[str, Any]:
    """Return the OpenAPI document of what these specs serve by these operations."""
    served = reversed(routes_of(specs, operations))
    routes = list({(route.method, route.template): route for route in served}.values())
    routes.reverse()
    shapes = _Shapes(routes)
    counts: dict[str, int] = {}
    for route in routes:
        counts[route.operation.name] = counts.get(route.operation.name, 0) + 1
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        data = _operation(route, shapes, alone=counts[route.operation.name] == 1)
        paths.setdefault(route.template, {})[lower(route.method)] = data
    groups = list(dict.fromkeys(route.operation.group for route in routes))
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Heddle",
            "version": version("heddle-runtime"),
            "description": "Specs, values, and the runtimes that follow them. Rejections are problem documents (RFC 9457).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": group} for group in groups],
        "paths": paths,
        "components": {
            "schemas": shapes.components,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of `heddle token new`. As long as there is none, callers from the same machine need none.",
                }
            },
        },
        "security": [{"token": []}, {}],
    }
    # Some defaults are tuples and structs: what is described is JSON.
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))
    return plain


class _Shapes:
    """The schemas that the routes need."""

    def __init__(self, routes: Iterable[OpenApiRoute]) -> None:
        types: list[Any] = [ProblemDocument]
        for route in routes:
            operation = route.operation
            types.append(operation.query)
            if operation.body is not None:
                types.append(operation.body.type)
            for reply in operation.replies.values():
                types += [each for each in (reply.type, reply.planned) if each is not None]
        self._types = types
        made, components = msgspec.json.schema_components(types, ref_template=_REF)
        self._made = dict(zip(map(id, types), made, strict=True))
        queries = {route.operation.query.__name__ for route in routes}
        self.components: dict[str, Any] = {
            name: schema
            for name, schema in sorted({**components, **_ENTRIES}.items())
            if name not in queries
        }

    def of(self, kind: Any) -> dict[str, Any]:
        """Return the schema of a type."""
        return self._made[id(kind)]


def _operation(route: OpenApiRoute, shapes: _Shapes, *, alone: bool) -> dict[str, Any]:
    operation = route.operation
    name = operation.name if alone else f"{operation.name}.{route.scope}"
    data: dict[str, Any] = {
        "operationId": name,
        "summary": operation.summary.rstrip("."),
        "tags": [operation.group],
    }
    details = [operation.details] if operation.details else []
    if operation.right is not None:
        details.append(f"Takes the role `{operation.right}`.")
    if details:
        data["description"] = "\n\n".join(details)
    parameters = [*_path(route), *_query(operation), *_request_headers(operation)]
    if parameters:
        data["parameters"] = parameters
    if operation.body is not None:
        schema = shapes.of(operation.body.type)
        data["requestBody"] = {
            "description": operation.body.about,
            "required": True,
            "content": {media: {"schema": schema} for media in operation.body.media},
        }
    data["responses"] = {
        **{str(status): _outcome(form, shapes) for status, form in operation.replies.items()},
        **_rejections(route),
    }
    if operation.right is None:
        data["security"] = []
    return data


def _path(route: OpenApiRoute) -> list[dict[str, Any]]:
    parameters = []
    for name in route.params:
        text, schema = _NAMES.get(name, ("", {"type": "string"}))
        parameters.append(
            {"name": name, "in": "path", "required": True, "description": text, "schema": schema}
        )
    return parameters


def _query(operation: Operation) -> list[dict[str, Any]]:
    fields = msgspec.structs.fields(operation.query)
    if not fields:
        return []
    _, made = msgspec.json.schema_components([operation.query], ref_template=_REF)
    properties: Mapping[str, dict[str, Any]] = made[operation.query.__name__]["properties"]
    rows: list[dict[str, Any]] = []
    for field in fields:
        schema = dict(properties[field.encode_name])
        text = schema.pop("description", "")
        bare_type = bare(field.type)
        if "anyOf" in schema:
            # A parameter that is left out is the only null that there is.
            schema = {**next(value for value in schema["anyOf"] if value.get("type") != "null")}
            text = text or schema.pop("description", "")
        if schema.get("default", 0) in (None, [], ""):
            schema.pop("default", None)
        data = {"name": field.encode_name, "in": "query", "description": text, "schema": schema}
        if getattr(bare_type, "__origin__", None) is list:
            data |= {"style": "form", "explode": True}
        rows.append(data)
    return rows


def _request_headers(operation: Operation) -> list[dict[str, Any]]:
    headers = []
    for name in operation.headers:
        text, schema = _HEADERS[name]
        headers.append(
            {
                "name": name,
                "in": "header",
                "description": text,
                "schema": schema or {"type": "string"},
            }
        )
    return headers


def _outcome(form: ResponseForm, shapes: _Shapes) -> dict[str, Any]:
    data: dict[str, Any] = {"description": form.about}
    if form.type is not None:
        schema = shapes.of(form.type)
        if form.planned is not None:
            schema = {"anyOf": [schema, shapes.of(form.planned)]}
        data["content"] = {
            media: {"schema": {"type": "string"} if media in (YAML, STREAM) else schema}
            for media in form.media
        }
    if form.headers:
        data["headers"] = {
            name: {"description": _HEADERS[name][0], "schema": {"type": "string"}}
            for name in form.headers
        }
    return data


def _rejections(route: OpenApiRoute) -> dict[str, Any]:
    operation = route.operation
    statuses = set(operation.rejections)
    if operation.right is not None:
        statuses |= {400, 401, 403, 421, 429, 503}
    if operation.body is not None:
        statuses |= {413, 415}
    ref = {"$ref": _REF.format(name=ProblemDocument.__name__)}
    return {
        str(status): {
            "description": rejection.TITLES[status],
            "content": {rejection.MEDIA: {"schema": ref}},
        }
        for status in sorted(statuses - set(operation.replies))
    }
