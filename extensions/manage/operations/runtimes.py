"""The operations on what runs: namespaces, symbols, status, processes, and the Reports of runtimes."""

import time
from typing import Annotated, Any
from urllib.parse import quote

import msgspec

from heddle.extensions.extension import Error, about
from heddle.extensions.manage import models as shapes
from heddle.extensions.manage import serializers as forms
from heddle.extensions.manage.operation import (
    JSON,
    STREAM,
    ApiReply,
    BodyForm,
    Operation,
    ResponseForm,
)
from heddle.extensions.manage.operations.query_params import LIMIT, MOST
from heddle.extensions.manage.problem_response import ApiError
from heddle.extensions.manage.request import ApiRequest
from heddle.extensions.manage.request_body import sent_json
from heddle.runtime.flow.contracts import Process
from heddle.runtime.runtime import Runtime
from heddle.runtime.status.namespace_status import NamespaceStatus, namespace_status
from heddle.schemas.pieces import LoopYield
from heddle.schemas.suggestion import did_you_mean
from heddle.specs.model.mask import MASK
from heddle.specs.model.names import parse_id
from heddle.specs.model.report import Report, ReportStore
from heddle.specs.model.symbol_status import SymbolStatus
from heddle.specs.stores.folder.placement import LONGEST_NAME

LONGEST = 3600.0
"""Seconds between two Reports of a runtime, at most."""

_PIDS = 2**31 - 1


class Some(msgspec.Struct, frozen=True, kw_only=True):
    """The number of entries to return."""

    limit: Annotated[int, about("How many at most.", ge=1, le=MOST)] = LIMIT


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """Of which namespace."""

    namespace: Annotated[list[str], about("Only of this namespace. Repeatable.")] = []


class Symbols(shapes.ApiModel, frozen=True, kw_only=True):
    """The symbols of a namespace: as the runtimes that follow it say, and as they are here."""

    items: list[SymbolStatus]
    here: Annotated[
        list[SymbolStatus], about("As they are in this process; empty if no runtime is here.")
    ] = msgspec.field(default_factory=list)


class OneSymbol(shapes.ApiModel, frozen=True, kw_only=True):
    """A symbol."""

    symbol: SymbolStatus | None
    here: SymbolStatus | None = None


class Reports(shapes.ApiModel, frozen=True, kw_only=True):
    """The reports of runtimes about themselves."""

    items: list[Report]


class EventsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The events to listen to."""

    type: Annotated[
        list[str],
        about(
            "Only of this: `change` (the store), `reload`, `process` (one has ended), `event` "
            "(anything else that a runtime tells). Repeatable.",
            examples=["change"],
        ),
    ] = []


# --- namespaces -----------------------------------------------------------------------------------


async def namespaces(request: ApiRequest) -> ApiReply:
    """Return those that hold something, or run here."""
    counts: dict[str, list[int]] = {}
    for spec in await request.managed.store.specs():
        counts.setdefault(spec.namespace, [0, 0])[0] += 1
    for value in await request.managed.store.values():
        counts.setdefault(value.namespace, [0, 0])[1] += 1
    for runtime in request.managed.runtimes:
        counts.setdefault(runtime.namespace, [0, 0])
    items = [_namespace(request, name, *held) for name, held in sorted(counts.items())]
    return ApiReply(shapes.Namespaces(items=[item for item in items if request.sees(item.name)]))


async def namespace(request: ApiRequest) -> ApiReply:
    """Return one of them."""
    if request.namespace is None:
        raise RuntimeError("the operation needs a namespace in its path")
    store = request.managed.store
    specs, values = await store.specs(request.namespace), await store.values(request.namespace)
    described = _namespace(request, request.namespace, len(specs), len(values))
    if not described.specs and not described.values and not described.here:
        known = {spec.namespace for spec in await store.specs()}
        known |= {value.namespace for value in await store.values()}
        near = did_you_mean(request.namespace, [name for name in known if request.sees(name)])
        raise ApiError(
            404,
            "not-found",
            f"there is nothing in the namespace {request.namespace}. {near}".rstrip(),
        )
    return ApiReply(described)


def _namespace(request: ApiRequest, name: str, specs: int, values: int) -> shapes.Namespace:
    here = request.managed.runtime(name) is not None
    return shapes.Namespace(name=name, specs=specs, values=values, here=here)


# --- symbols and status ---------------------------------------------------------------------------


async def status(request: ApiRequest) -> ApiReply:
    """Return how a namespace stands: each symbol in each runtime that follows it."""
    if request.namespace is None:
        raise RuntimeError("the operation needs a namespace in its path")
    state = await namespace_status(request.managed.store, request.namespace)
    return ApiReply(await _masked(request, state), header={"Cache-Control": "no-store"})


async def symbols(request: ApiRequest) -> ApiReply:
    """Return every symbol."""
    if request.namespace is None:
        raise RuntimeError("the operation needs a namespace in its path")
    state = await namespace_status(request.managed.store, request.namespace)
    runtime = request.managed.runtime(request.namespace)
    here = list(runtime.status().symbols) if runtime is not None else []
    return ApiReply(
        await _masked(request, Symbols(items=list(state.symbols), here=here)),
        header={"Cache-Control": "no-store"},
    )


async def symbol(request: ApiRequest) -> ApiReply:
    """Return one symbol, by its name or id."""
    if request.namespace is None:
        raise RuntimeError("the operation needs a namespace in its path")
    state = await namespace_status(request.managed.store, request.namespace)
    runtime = request.managed.runtime(request.namespace)
    live = runtime.status().symbols if runtime is not None else ()
    stands = next(
        (
            symbol_status
            for symbol_status in state.symbols
            if request.key in (symbol_status.name, str(symbol_status.id))
        ),
        None,
    )
    here = next(
        (
            symbol_status
            for symbol_status in live
            if request.key in (symbol_status.name, str(symbol_status.id))
        ),
        None,
    )
    if stands is None and here is None:
        known = [
            symbol_status.name for symbol_status in state.symbols if symbol_status.name is not None
        ]
        known += [symbol_status.name for symbol_status in live if symbol_status.name is not None]
        raise ApiError(
            404,
            "not-found",
            f'there is no symbol "{request.key}" in the namespace {request.namespace}. '
            f"{did_you_mean(request.key, known)}".rstrip(),
        )
    return ApiReply(
        await _masked(request, OneSymbol(symbol=stands, here=here)),
        header={"Cache-Control": "no-store"},
    )


async def _masked(request: ApiRequest, shape: msgspec.Struct) -> Any:
    """Return the same with every secret masked that a runtime here knows, and without paths of the server.

    Long lists in slices.
    """
    data: dict[str, Any] = msgspec.to_builtins(shape)
    redactor, turns = request.home.events.redactor, LoopYield()
    lists = {name: value for name, value in data.items() if isinstance(value, list)}
    rest = {name: value for name, value in data.items() if name not in lists}
    data |= request.relative(request.masked(redactor.redacted(rest)))
    for name, items in lists.items():
        for number, each in enumerate(items):
            await turns.rest()
            # A place begins at the name of the list, whose items do not count in it.
            shown = redactor.redacted({name: [each]})[name]
            items[number] = request.relative(request.masked(shown[0] if shown != MASK else MASK))
    return data


# --- processes ------------------------------------------------------------------------------------


def runtime_of(request: ApiRequest) -> Runtime:
    """Return the runtime of the namespace in this process; Rejection if none is here."""
    if request.namespace is None:
        raise RuntimeError("the operation needs a namespace in its path")
    runtime = request.managed.runtime(request.namespace)
    if runtime is None:
        here = (
            ", ".join(sorted(runtime.namespace for runtime in request.managed.runtimes)) or "none"
        )
        raise ApiError(
            404,
            "not-here",
            f"no runtime of the namespace {request.namespace} runs in this process (here: {here}). "
            "Try: heddle start --system HOST:PORT, beside that runtime",
        )
    return runtime


def _process(request: ApiRequest) -> Process:
    id_ = parse_id(request.key)
    for each in runtime_of(request).processes:
        if each.id == id_:
            return each
    raise ApiError(404, "not-found", f"no process {request.key} runs: it has ended, or never was")


async def processes(request: ApiRequest) -> ApiReply:
    """Return those that run now."""
    running = runtime_of(request).processes
    items = [forms.process(each) for each in running[: request.query.limit]]
    return ApiReply(
        await _masked(request, shapes.Processes(items=items, total=len(running))),
        header={"Cache-Control": "no-store"},
    )


async def process(request: ApiRequest) -> ApiReply:
    """Return one of them."""
    value = await _masked(request, forms.process(_process(request)))
    return ApiReply(value, header={"Cache-Control": "no-store"})


async def cancel(request: ApiRequest) -> ApiReply:
    """End one: whatever it waits for is answered with the reason."""
    target = _process(request)
    # Not `cancelled`: that is a client that went away, and nobody answers those.
    target.cancel(Error(f"{request.caller.name} cancelled it", code="dropped"))
    return ApiReply(
        await _masked(request, forms.process(target)), 202, names=(str(target.id),), notified=True
    )


# --- reports --------------------------------------------------------------------------------------


def _reporting(request: ApiRequest) -> ReportStore:
    store = request.managed.store
    if isinstance(store, ReportStore):
        return store
    raise ApiError(501, "no-reports", f"runtimes do not say in the store {store.url} how they are")


async def reports(request: ApiRequest) -> ApiReply:
    """Return what runtimes say of themselves."""
    store = _reporting(request)
    for name in request.query.namespace:
        request.need("read", name)
    spaces = request.query.namespace or [None]
    stored: list[Report] = []
    for space in spaces:
        stored += await store.reports(space)
    seen = [each for each in stored if request.sees(each.namespace)]
    return ApiReply(
        request.relative(msgspec.to_builtins(Reports(items=seen))),
        header={"Cache-Control": "no-store"},
    )


async def report(request: ApiRequest) -> ApiReply:
    """Keep the Report of a runtime."""
    store = _reporting(request)
    sent: Report = await sent_json(request, Report)
    request.need("operate", sent.namespace)
    if sent.runtime != request.key:
        raise ApiError(
            422, "runtime", f"the Report is of {sent.runtime}, the path says {request.key}"
        )
    if len(quote(sent.runtime, safe="")) > LONGEST_NAME:
        raise ApiError(
            422, "runtime", f"the name of the runtime is longer than {LONGEST_NAME} bytes"
        )
    if not 0 < sent.interval <= LONGEST or not 0 <= sent.pid <= _PIDS:
        raise ApiError(
            422,
            "report",
            f"no runtime reports every {sent.interval:g} s with the pid {sent.pid} (expected: more than "
            f"0 and at most {LONGEST:g} s, a pid of a process)",
        )
    await _may_replace(request, store)
    # One from the future would never count as gone.
    await store.report(msgspec.structs.replace(sent, seen=min(sent.seen, time.time())))
    return ApiReply(status=204)


async def withdraw(request: ApiRequest) -> ApiReply:
    """Drop the Report of a runtime that ends."""
    store = _reporting(request)
    await _may_replace(request, store)
    await store.withdraw(request.key)
    return ApiReply(status=204)


async def _may_replace(request: ApiRequest, store: ReportStore) -> None:
    """Rejection if the Report that is there is of a namespace that the caller does not operate."""
    for each in await store.reports():
        if each.runtime == request.key:
            request.need("operate", each.namespace)


# --- events ---------------------------------------------------------------------------------------

TYPES = ("change", "reload", "process", "event")


async def listen(request: ApiRequest) -> ApiReply:
    """Return whoever may hear what happens goes on to the stream."""
    for word in request.query.type:
        if word not in TYPES:
            near = did_you_mean(word, TYPES)
            raise ApiError(
                400, "query", f'type: "{word}" (expected: {", ".join(TYPES)}). {near}'.rstrip(". ")
            )
    if request.namespace is None and not request.sees_all:
        raise ApiError(
            403, "forbidden", "this takes the role read in every namespace. Name one in the path"
        )
    return ApiReply(onward=True)


async def begin(request: ApiRequest) -> ApiReply:
    """Return the first event of a stream: how far the store has come."""
    revision = await request.managed.store.newest()
    return ApiReply({"event": "begin", "data": {"revision": revision}}, plain=True)


OPERATIONS = [
    Operation(
        name="namespaces.list",
        summary="List the namespaces.",
        run=namespaces,
        replies={200: ResponseForm(about="Those that you may look into.", type=shapes.Namespaces)},
    ),
    Operation(
        name="namespaces.get",
        summary="Look at a namespace.",
        run=namespace,
        replies={200: ResponseForm(about="What it holds.", type=shapes.Namespace)},
        rejections=(404,),
    ),
    Operation(
        name="namespaces.status",
        summary="How a namespace stands: every symbol, in every runtime that follows it.",
        run=status,
        replies={200: ResponseForm(about="How it stands.", type=NamespaceStatus)},
    ),
    Operation(
        name="symbols.list",
        summary="List the symbols of a namespace.",
        run=symbols,
        replies={200: ResponseForm(about="The symbols.", type=Symbols)},
    ),
    Operation(
        name="symbols.get",
        summary="Look at a symbol.",
        run=symbol,
        replies={200: ResponseForm(about="The symbol.", type=OneSymbol)},
        rejections=(404,),
    ),
    Operation(
        name="processes.list",
        summary="List the processes that run here.",
        details="Here is the process of the machine that answers: other runtimes are asked themselves.",
        run=processes,
        query=Some,
        replies={200: ResponseForm(about="The processes.", type=shapes.Processes)},
        rejections=(404,),
    ),
    Operation(
        name="processes.get",
        summary="Look at a process.",
        run=process,
        replies={200: ResponseForm(about="The process.", type=shapes.ProcessModel)},
        rejections=(404,),
    ),
    Operation(
        name="processes.cancel",
        summary="Cancel a process.",
        run=cancel,
        right="operate",
        replies={202: ResponseForm(about="It is cancelled, and ends.", type=shapes.ProcessModel)},
        rejections=(404,),
        audit=True,
    ),
    Operation(
        name="reports.list",
        summary="What runtimes say of themselves.",
        run=reports,
        query=Which,
        replies={200: ResponseForm(about="Their Reports.", type=Reports)},
        rejections=(501,),
    ),
    Operation(
        name="reports.put",
        summary="Keep the Report of a runtime.",
        run=report,
        right="operate",
        body=BodyForm(about="The Report.", type=Report, media=(JSON,)),
        replies={204: ResponseForm(about="Kept.")},
        rejections=(422, 501),
    ),
    Operation(
        name="reports.delete",
        summary="Drop the Report of a runtime that ends.",
        run=withdraw,
        right="operate",
        replies={204: ResponseForm(about="Dropped, or it was not there.")},
        rejections=(501,),
    ),
    Operation(
        name="events.listen",
        summary="Hear what happens: changes of the store, reloads, and the ends of processes.",
        details=(
            "Server-sent events. Whoever comes back with `Last-Event-ID` is sent what was missed. "
            "The first event is `begin`, with the newest revision."
        ),
        run=listen,
        query=EventsQuery,
        headers=("Last-Event-ID",),
        replies={200: ResponseForm(about="A stream that stays open.", type=str, media=(STREAM,))},
    ),
    Operation(
        name="events.begin",
        summary="The first event of a stream.",
        run=begin,
        right=None,
        query=EventsQuery,
        replies={200: ResponseForm(about="The event.", type=dict[str, Any])},
    ),
]
