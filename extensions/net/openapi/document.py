"""An OpenAPI 3.1 document of the routes of a flow."""

import re
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from heddle.extensions.net.openapi.components import SchemaComponents
from heddle.extensions.net.openapi.request_flow import KindSource, RequestFlow, RouteFlow, Stage
from heddle.extensions.net.route_segment import parse_path, template_of
from heddle.extensions.net.validation.part_schema import schema_of_part
from heddle.extensions.net.validation.references import SchemaFiles
from heddle.extensions.net.validation.schema_validator import check_schema
from heddle.schemas.ascii import elements, lower, upper
from heddle.specs.model.spec import Spec
from heddle.specs.yaml.diagnose import thorough

VERSION: Final = "3.1.0"

_METHODS: Final = ("GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE")
_PROBLEM: Final = "Problem"
_PLACES: Final = {"params": "path", "query": "query", "header": "header", "cookies": "cookie"}

_PROBLEM_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "problems": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "in": {"type": "string"},
                    "pointer": {"type": "string"},
                    "found": {"type": "string"},
                    "expected": {"type": "string"},
                },
            },
        },
    },
}


class FlowDescription(NamedTuple):
    """The document of a flow, the files that its schemas came from, and why some of them are left out."""

    document: dict[str, Any]
    files: tuple[SchemaFiles, ...]
    problems: tuple[str, ...]


def describe_flow(
    specs: Iterable[Spec],
    scheme: Any,
    *,
    title: str = "API",
    version: str = "1",
    description: str = "",
    listener: str | None = None,
) -> FlowDescription:
    """Return the document of the routes behind a listener, or behind all of them.

    A schema that cannot be used is left out, and the rest is described. The document may hold what
    blanks were filled with: mask it before it is shown.
    """
    describer = _Describer(KindSource(specs, scheme))
    document = describer.document(title, version, description, listener)
    return FlowDescription(document, describer.files, describer.problems)


class _Describer:
    """Makes one document."""

    def __init__(self, source: KindSource) -> None:
        self._flow = RequestFlow(source)
        self._files: dict[Any, SchemaFiles] = {}
        self._schemas: dict[tuple[Any, str], Any] = {}
        self._problems: dict[str, None] = {}
        self._components = SchemaComponents()
        self._components.schemas[_PROBLEM] = dict(_PROBLEM_SCHEMA)
        self._security: dict[str, Any] = {}
        self._ids: set[str] = set()

    def document(
        self, title: str, version: str, description: str, listener: str | None
    ) -> dict[str, Any]:
        paths: dict[str, dict[str, Any]] = {}
        for flow in self._flow.routes(listener):
            if any(stage.spec.kind == "openapi" for stage in flow.behind):
                continue
            path = flow.route.path
            path = template_of("/" + path if path.startswith("*") else path)
            method = upper(flow.route.method)
            methods = (*_METHODS[:4], "PATCH") if method == "*" else (method,)
            for each in methods:
                if each in _METHODS:
                    entry = paths.setdefault(path, {})
                    entry.setdefault(lower(each), self._operation(flow, each))
        info = {"title": title, "version": version}
        components: dict[str, Any] = {"schemas": self._components.schemas}
        if self._security:
            components["securitySchemes"] = self._security
        return {
            "openapi": VERSION,
            "info": {**info, "description": description} if description else info,
            "paths": paths,
            "components": components,
        }

    # -- one operation -------------------------------------------------------------------------

    def _operation(self, flow: RouteFlow, method: str) -> dict[str, Any]:
        notes = flow.target.annotations
        operation: dict[str, Any] = {}
        for key in ("summary", "description"):
            if notes.get(key):
                operation[key] = notes[key]
        if notes.get("tags"):
            operation["tags"] = elements(notes["tags"])
        operation["operationId"] = self._operation_id(notes.get("operationId", ""), flow, method)
        if lower(notes.get("deprecated", "")) == "true":
            operation["deprecated"] = True
        checks = [
            stage
            for stage in (*flow.before, *flow.behind)
            if _is(stage, "validate") and stage.request
        ]
        parameters = self._parameters(flow, checks)
        if parameters:
            operation["parameters"] = parameters
        bodies = [self._schema(stage, "body") for stage in checks if stage.fields.body is not None]
        if bodies and method not in ("GET", "HEAD", "TRACE"):
            schema = bodies[0] if len(bodies) == 1 else {"allOf": bodies}
            operation["requestBody"] = {"required": True, "content": {_JSON: {"schema": schema}}}
        guards = [stage for stage in (*flow.before, *flow.behind) if _is(stage, "auth")]
        if guards:
            operation["security"] = self._guarded(guards)
        operation["responses"] = self._responses(flow, bool(checks), guards)
        return operation

    def _operation_id(self, given: str, flow: RouteFlow, method: str) -> str:
        """Return the name of an operation: that of its target, made different if another has it."""
        name = given or flow.target.name or f"{lower(method)}{flow.route.path}"
        name = re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") or lower(method)
        base, number = name, 2
        if name in self._ids:
            base = name = f"{lower(method)}_{name}"
        while name in self._ids:
            name, number = f"{base}_{number}", number + 1
        self._ids.add(name)
        return name

    def _parameters(self, flow: RouteFlow, checks: list[Stage]) -> list[dict[str, Any]]:
        path = flow.route.path
        made: dict[tuple[str, str], dict[str, Any]] = {}
        for segment in parse_path("/" + path if path.startswith("*") else path):
            if segment.name is not None:
                name = "path" if segment.name == "*" else segment.name
                made["path", name] = {
                    "name": name,
                    "in": "path",
                    "required": True,
                    "schema": segment.schema,
                }
        for stage in checks:
            for part, place in _PLACES.items():
                if getattr(stage.fields, part) is None:
                    continue
                schema = self._schema(stage, part)
                for name, inner, must in _properties(schema, self._components.schemas):
                    known = made.get((place, name))
                    if place == "path" and known is None:
                        continue
                    parameter = {
                        "name": name,
                        "in": place,
                        "required": must or place == "path",
                        "schema": {**(known or {}).get("schema", {}), **inner},
                    }
                    if inner.get("description"):
                        parameter["description"] = inner["description"]
                    made[place, name] = parameter
        return list(made.values())

    @property
    def files(self) -> tuple[SchemaFiles, ...]:
        """The reader of the files of the schemas."""
        return tuple(self._files.values())

    @property
    def problems(self) -> tuple[str, ...]:
        """Why schemas are left out, each once."""
        return tuple(self._problems)

    def _schema(self, stage: Stage, part: str) -> Any:
        """Return the schema of a part of requests, as it stands in the document; `true` if it cannot be used."""
        spec = stage.spec
        key = (spec.id, part)
        if key not in self._schemas:
            try:
                self._schemas[key] = self._schema_of_fields(stage, part)
            except (ValueError, RecursionError) as error:
                self._problems[f"{spec.at((part,))}: {error}"] = None
                self._schemas[key] = True
        return self._schemas[key]

    def _schema_of_fields(self, stage: Stage, part: str) -> Any:
        fields, id_ = stage.fields, stage.spec.id
        if id_ not in self._files:
            self._files[id_] = SchemaFiles(fields.root, fields.schemas)
        given = getattr(fields, part)
        schema = given if part == "body" else schema_of_part(given)
        return self._embedded(schema, self._files[id_])

    def _embedded(self, schema: Any, files: SchemaFiles) -> Any:
        """Return a schema, or that in a file, as it stands in the document; ValueError if it cannot be used."""
        if isinstance(schema, str):
            schema = {"$ref": files.uri_of(schema)}
        check_schema(schema, files)
        return self._components.embed(schema, files)

    def _guarded(self, guards: list[Stage]) -> list[dict[str, list[str]]]:
        """Return which of the schemes of `auth` nodes do: each node asks for one of its own."""
        choices: list[dict[str, list[str]]] = [{}]
        for stage in guards:
            names = list(self._schemes(stage.fields))
            ways: list[dict[str, list[str]]] = [{name: []} for name in names]
            if stage.fields.optional:
                ways.append({})
            choices = [{**choice, **way} for choice in choices for way in ways]
        return choices

    def _schemes(self, fields: Any) -> Iterator[str]:
        """Yield the names of the security schemes of an `auth`."""
        schemes: dict[str, dict[str, str]] = {}
        if fields.basic is not None:
            schemes["basic"] = {"type": "http", "scheme": "basic"}
        if fields.bearer is not None:
            schemes["bearer"] = {"type": "http", "scheme": "bearer"}
        if fields.jwt is not None:
            schemes["jwt"] = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
        if fields.cookie:
            schemes[f"cookie_{fields.cookie}"] = {
                "type": "apiKey",
                "in": "cookie",
                "name": fields.cookie,
            }
        if fields.query:
            schemes[f"query_{fields.query}"] = {
                "type": "apiKey",
                "in": "query",
                "name": fields.query,
            }
        self._security.update(schemes)
        yield from schemes

    def _responses(self, flow: RouteFlow, checked: bool, guards: list[Stage]) -> dict[str, Any]:
        """Return the responses by status: those that nodes make, and those of checks."""
        responses: dict[str, Any] = {}
        good: list[str] = []
        for stage in flow.behind:
            if _is(stage, "respond"):
                status = str(stage.fields.status)
                responses[status] = _response(status)
                good += [status] if status < "300" else []
                if stage.fields.missing is not None:
                    missing = str(stage.fields.missing)
                    responses[missing] = _response(missing, _problem(), _PROBLEM_JSON)
            elif _is(stage, "fork") and stage.fields.status is not None:
                status = str(stage.fields.status)
                responses[status] = _response(status)
                good += [status] if status < "300" else []
        if not good:
            good.append("200")
        content = self._annotated(flow.target)
        for status in dict.fromkeys(good):
            bare = status == "204"
            responses[status] = _response(status, None if bare else content, bare=bare)
        if checked:
            responses["422"] = _response("422", _problem(), _PROBLEM_JSON)
            responses.setdefault("400", _response("400"))
        if any(segment.name for segment in parse_path("/" + flow.route.path.removeprefix("/"))):
            # A router answers text; a node behind it, a problem document.
            lost = responses.setdefault("404", _response("404"))
            lost.setdefault("content", {})["text/plain"] = {"schema": {"type": "string"}}
        if guards and not all(stage.fields.optional for stage in guards):
            responses["401"] = _response("401")
        if any(stage.fields.allow is not None for stage in guards):
            responses["403"] = _response("403")
        return dict(sorted(responses.items()))

    def _annotated(self, target: Spec) -> Any:
        """Return the schema that the annotation `response` of a Spec has, in YAML or JSON; None without it."""
        text = target.annotations.get("response", "")
        if not text:
            return None
        path = ("annotations", "response")
        try:
            parsed = thorough(text)
            if parsed.faults or len(parsed.documents) != 1:
                raise ValueError("not a schema in YAML or JSON")
            if "" not in self._files:
                self._files[""] = SchemaFiles(".", {})
            return self._embedded(parsed.documents[0], self._files[""])
        except (ValueError, RecursionError) as error:
            self._problems[f"{target.at(path)}: {error}"] = None
            return None


_JSON: Final = "application/json"
_PROBLEM_JSON: Final = "application/problem+json"


def _problem() -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{_PROBLEM}"}


def _response(
    status: str, schema: Any = None, media: str = _JSON, *, bare: bool = False
) -> dict[str, Any]:
    try:
        phrase = HTTPStatus(int(status)).phrase
    except ValueError:
        phrase = status
    response: dict[str, Any] = {"description": phrase}
    if schema is not None and not bare:
        response["content"] = {media: {"schema": schema}}
    return response


def _properties(
    schema: Any, schemas: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield the properties of the schema of an object: name, schema, and whether it is required."""
    todo: list[Any] = [schema]
    seen: set[int] = set()
    while todo:
        part = todo.pop(0)
        # Schemas may name each other in a circle.
        if not isinstance(part, dict) or id(part) in seen:
            continue
        seen.add(id(part))
        required = part.get("required", ())
        for name, inner in part.get("properties", {}).items():
            yield name, inner if isinstance(inner, dict) else {}, name in required
        reference = part.get("$ref")
        if isinstance(reference, str):
            todo.append(schemas.get(reference.rpartition("/")[2]))
        todo += part.get("allOf", ())


def _is(stage: Stage, kind: str) -> bool:
    return stage.spec.kind == kind and stage.fields is not None
