"""The operations about the server itself: its health, its kinds, and the description of the API."""

import asyncio
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from heddle.extensions.manage import models as shapes
from heddle.extensions.manage.operation import ApiReply, Operation, ResponseForm
from heddle.extensions.manage.problem_response import TITLES, ApiError
from heddle.extensions.manage.request import ApiRequest
from heddle.schemas.ascii import lower
from heddle.schemas.errors import StoreError
from heddle.schemas.export import file_schema, kind_schema
from heddle.schemas.port import Port
from heddle.schemas.suggestion import did_you_mean

_NOT_KEPT = {"Cache-Control": "no-store"}


async def healthy(request: ApiRequest) -> ApiReply:
    """Return ready, if it answers and no source waits that was active before a runtime here began."""
    return _unready(request) or ApiReply(shapes.HealthModel(status="ok"), header=_NOT_KEPT)


async def ready(request: ApiRequest) -> ApiReply:
    """Return its store can be read, every runtime here has begun, and no source waits that was active before."""
    try:
        await request.managed.store.newest()
    except StoreError:
        return ApiReply(shapes.HealthModel(status="unready"), 503, header=_NOT_KEPT)
    return await healthy(request)


def _unready(request: ApiRequest) -> ApiReply | None:
    """Return a text that says that a source waits; only those who may read the namespace see why."""
    waiting = {
        runtime.namespace: why for runtime in request.managed.runtimes if (why := runtime.unready)
    }
    if not waiting:
        return None
    # Why it waits may quote what somebody wrote: without a token only its name is said.
    texts = [why if request.sees(name) else why.partition(":")[0] for name, why in waiting.items()]
    return ApiReply(
        shapes.HealthModel(status="unready", reason="; ".join(texts)), 503, header=_NOT_KEPT
    )


async def api(request: ApiRequest) -> ApiReply:
    """Return what answers here, and who asks."""
    return ApiReply(
        shapes.Api(
            product="heddle",
            version=version("heddle-runtime"),
            namespace=request.host.namespace,
            caller=request.caller.name,
            roles=list(request.caller.roles),
            namespaces=list(request.caller.namespaces),
            openapi="/v1/openapi.json",
        )
    )


async def kinds(request: ApiRequest) -> ApiReply:
    """Return every kind, in one line."""
    entries = sorted(request.managed.registry.scheme.kinds.items())
    return ApiReply(
        shapes.Kinds(
            items=[
                shapes.KindLine(
                    kind=name, category=kind.schema.category, summary=kind.schema.summary
                )
                for name, kind in entries
            ]
        )
    )


async def kind(request: ApiRequest) -> ApiReply:
    """Return one kind."""
    scheme = request.managed.registry.scheme
    schema = scheme.schema(request.key)
    if schema is None:
        near = did_you_mean(request.key, scheme.names, "kind")
        raise ApiError(404, "not-found", f'there is no kind "{request.key}". {near}'.rstrip())
    return ApiReply(
        shapes.KindForm(
            kind=schema.kind,
            category=schema.category,
            summary=schema.summary,
            details=schema.details,
            example=schema.example,
            ins=[_port(port) for port in schema.ins],
            outs=[_port(port) for port in schema.outs],
            schema=kind_schema(schema, scheme.languages.known),
        )
    )


def _port(port: Port) -> shapes.PortForm:
    return shapes.PortForm(name=port.name, help=port.help, indexed=port.indexed)


async def schema(request: ApiRequest) -> ApiReply:
    """Return the JSON Schema of spec files, with every kind that is known here."""
    scheme = request.managed.registry.scheme
    schemas = [kind.schema for kind in scheme.kinds.values()]
    return ApiReply(await asyncio.to_thread(file_schema, schemas, scheme.languages.known))


async def reject(request: ApiRequest) -> ApiReply:
    """Return the problem document of a response that another node has made, or of an Error."""
    payload: Any = request.payload
    status = payload.get("status", 500) if isinstance(payload.get("status"), int) else 500
    if status < 400:
        return ApiReply(status=status, header=_headers(payload))
    title = TITLES.get(status, "")
    detail = payload.get("detail") or {
        404: "nothing is found at this path. Try: /v1/openapi.json says which there are",
        405: "this path does not have this method",
        429: "too many requests in too short a time. Try again a little later",
    }.get(status, title)
    raise ApiError(
        status, lower(title).replace(" ", "-") or "rejected", detail, header=_headers(payload)
    )


def _headers(value: Any) -> dict[str, str]:
    header = value.get("header") or {}
    return {
        name: ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in header.items()
        if lower(name) not in ("content-type", "content-length")
    }


OPERATIONS = [
    Operation(
        name="health.live",
        summary="Whether it answers.",
        details="And whether every source that was active before the start of a runtime is so again.",
        run=healthy,
        right=None,
        replies={
            200: ResponseForm(about="It does.", type=shapes.HealthModel),
            503: ResponseForm(
                about="A source waits that was active before.", type=shapes.HealthModel
            ),
        },
    ),
    Operation(
        name="health.ready",
        summary="Whether it can do its work: the store can be read.",
        details="And whether every source that was active before the start of a runtime is so again.",
        run=ready,
        right=None,
        replies={
            200: ResponseForm(about="It can.", type=shapes.HealthModel),
            503: ResponseForm(about="It cannot.", type=shapes.HealthModel),
        },
    ),
    Operation(
        name="api.get",
        summary="What answers here, and who you are.",
        run=api,
        replies={200: ResponseForm(about="What answers.", type=shapes.Api)},
    ),
    Operation(
        name="kinds.list",
        summary="List the kinds that Specs may have.",
        run=kinds,
        replies={200: ResponseForm(about="The kinds.", type=shapes.Kinds)},
    ),
    Operation(
        name="kinds.get",
        summary="Look at a kind: its ports, and the schema of its fields.",
        run=kind,
        replies={200: ResponseForm(about="The kind.", type=shapes.KindForm)},
        rejections=(404,),
    ),
    Operation(
        name="schema.get",
        summary="The JSON Schema of spec files, for editors.",
        run=schema,
        replies={200: ResponseForm(about="The schema.", type=dict[str, Any])},
    ),
    Operation(
        name="reject",
        summary="Make a problem document of a response that says no.",
        run=reject,
        right=None,
        replies={},
    ),
]


def openapi_of(operations: Mapping[str, Operation]) -> Operation:
    """Return the operation that describes an API of these operations."""

    async def openapi(request: ApiRequest) -> ApiReply:
        """Return the description of this API, as its routes are now."""
        from heddle.extensions.manage.openapi import describe

        specs = [symbol.spec for symbol in request.home.table.all()]
        # It is made of hundreds of types: a second of work, in which nobody waits.
        return ApiReply(await asyncio.to_thread(describe, specs, operations))

    return Operation(
        name="openapi.get",
        summary="The description of this API (OpenAPI 3.1).",
        run=openapi,
        replies={200: ResponseForm(about="The document.", type=dict[str, Any])},
    )
