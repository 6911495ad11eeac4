"""What runs: namespaces, symbols, status, processes, and the Reports of runtimes."""

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
    """How many."""

    limit: Annotated[int, about("How many at most.", ge=1, le=MOST)] = LIMIT


class Which(msgspec.Struct, frozen=True, kw_only=True):
    """Of which namespace."""

    namespace: Annotated[list[str], about("Only of this namespace. Repeatable.")] = []


class Symbols(shapes.ApiModel, frozen=True, kw_only=True):
    """The symbols of a namespace: as the runtimes that follow it say, and as they are here."""

    items: list[SymbolStatus]
    here: Annotated[
        list[SymbolStatus], about("As they are in this process; empty where no runtime is here.")
    ] = msgspec.field(default_factory=list)


class OneSymbol(shapes.ApiModel, frozen=True, kw_only=True):
    """A symbol."""

    symbol: SymbolStatus | None
    here: SymbolStatus | None = None


class Reports(shapes.ApiModel, frozen=True, kw_only=True):
    """What runtimes say of themselves."""

    items: list[Report]


class EventsQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to hear of."""

    type: Annotated[
        list[str],
        about(
            "Only of this: `change` (the store), `reload`, `process` (one has ended), `event` "
            "(anything else that a runtime tells). Repeatable.",
            examples=["change"],
        ),
    ] = []


# --- namespaces -----------------------------------------------------------------------------------


async def namespaces(asked: ApiRequest) -> ApiReply:
    """Those that hold something, or run here."""
    counts: dict[str, list[int]] = {}
    for spec in await asked.managed.store.specs():
        counts.setdefault(spec.namespace, [0, 0])[0] += 1
    for value in await asked.managed.store.values():
        counts.setdefault(value.namespace, [0, 0])[1] += 1
    for runtime in asked.managed.runtimes:
        counts.setdefault(runtime.namespace, [0, 0])
    items = [_namespace(asked, name, *held) for name, held in sorted(counts.items())]
    return ApiReply(shapes.Namespaces(items=[one for one in items if asked.sees(one.name)]))


async def namespace(asked: ApiRequest) -> ApiReply:
    """One of them."""
    if asked.namespace is None:
        raise RuntimeError("the operation needs a namespace in its path")
    store = asked.managed.store
    specs, values = await store.specs(asked.namespace), await store.values(asked.namespace)
    found = _namespace(asked, asked.namespace, len(specs), len(values))
    if not found.specs and not found.values and not found.here:
        known = {one.namespace for one in await store.specs()}
        known |= {one.namespace for one in await store.values()}
        near = did_you_mean(asked.namespace, [name for name in known if asked.sees(name)])
        raise ApiError(
            404,
            "not-found",
            f"there is nothing in the namespace {asked.namespace}. {near}".rstrip(),
        )
    return ApiReply(found)


def _namespace(asked: ApiRequest, name: str, specs: int, values: int) -> shapes.Namespace:
    here = asked.managed.runtime(name) is not None
    return shapes.Namespace(name=name, specs=specs, values=values, here=here)


# --- symbols and status ---------------------------------------------------------------------------


async def status(asked: ApiRequest) -> ApiReply:
    """How a namespace stands: each symbol in each runtime that follows it."""
    if asked.namespace is None:
        raise RuntimeError("the operation needs a namespace in its path")
    found = await namespace_status(asked.managed.store, asked.namespace)
    return ApiReply(await _masked(asked, found), header={"Cache-Control": "no-store"})


async def symbols(asked: ApiRequest) -> ApiReply:
    """Every symbol."""
    if asked.namespace is None:
        raise RuntimeError("the operation needs a namespace in its path")
    found = await namespace_status(asked.managed.store, asked.namespace)
    runtime = asked.managed.runtime(asked.namespace)
    here = list(runtime.status().symbols) if runtime is not None else []
    return ApiReply(
        await _masked(asked, Symbols(items=list(found.symbols), here=here)),
        header={"Cache-Control": "no-store"},
    )


async def symbol(asked: ApiRequest) -> ApiReply:
    """One symbol, by its name or id."""
    if asked.namespace is None:
        raise RuntimeError("the operation needs a namespace in its path")
    found = await namespace_status(asked.managed.store, asked.namespace)
    runtime = asked.managed.runtime(asked.namespace)
    live = runtime.status().symbols if runtime is not None else ()
    stands = next((one for one in found.symbols if asked.key in (one.name, str(one.id))), None)
    here = next((one for one in live if asked.key in (one.name, str(one.id))), None)
    if stands is None and here is None:
        known = [one.name for one in found.symbols if one.name is not None]
        known += [one.name for one in live if one.name is not None]
        raise ApiError(
            404,
            "not-found",
            f'there is no symbol "{asked.key}" in the namespace {asked.namespace}. '
            f"{did_you_mean(asked.key, known)}".rstrip(),
        )
    return ApiReply(
        await _masked(asked, OneSymbol(symbol=stands, here=here)),
        header={"Cache-Control": "no-store"},
    )


async def _masked(asked: ApiRequest, shape: msgspec.Struct) -> Any:
    """The same with every secret masked that a runtime here knows, and without paths of the server.

    Long lists in slices.
    """
    data: dict[str, Any] = msgspec.to_builtins(shape)
    redactor, turns = asked.home.events.redactor, LoopYield()
    lists = {name: value for name, value in data.items() if isinstance(value, list)}
    rest = {name: value for name, value in data.items() if name not in lists}
    data |= asked.relative(asked.masked(redactor.redacted(rest)))
    for name, items in lists.items():
        for number, each in enumerate(items):
            await turns.rest()
            # A place begins at the name of the list, whose items do not count in it.
            shown = redactor.redacted({name: [each]})[name]
            items[number] = asked.relative(asked.masked(shown[0] if shown != MASK else MASK))
    return data


# --- processes ------------------------------------------------------------------------------------


def _runtime(asked: ApiRequest) -> Runtime:
    """The runtime of the namespace in this process; Refusal where none is here."""
    if asked.namespace is None:
        raise RuntimeError("the operation needs a namespace in its path")
    found = asked.managed.runtime(asked.namespace)
    if found is None:
        here = ", ".join(sorted(one.namespace for one in asked.managed.runtimes)) or "none"
        raise ApiError(
            404,
            "not-here",
            f"no runtime of the namespace {asked.namespace} runs in this process (here: {here}). "
            "Try: heddle start --system HOST:PORT, beside that runtime",
        )
    return found


def _process(asked: ApiRequest) -> Process:
    id_ = parse_id(asked.key)
    for one in _runtime(asked).processes:
        if one.id == id_:
            return one
    raise ApiError(404, "not-found", f"no process {asked.key} runs: it has ended, or never was")


async def processes(asked: ApiRequest) -> ApiReply:
    """Those that run now."""
    found = _runtime(asked).processes
    items = [forms.process(one) for one in found[: asked.query.limit]]
    return ApiReply(
        await _masked(asked, shapes.Processes(items=items, total=len(found))),
        header={"Cache-Control": "no-store"},
    )


async def process(asked: ApiRequest) -> ApiReply:
    """One of them."""
    found = await _masked(asked, forms.process(_process(asked)))
    return ApiReply(found, header={"Cache-Control": "no-store"})


async def cancel(asked: ApiRequest) -> ApiReply:
    """End one: whatever it waits for is answered with the reason."""
    found = _process(asked)
    # Not `cancelled`: that is a client that went away, and nobody answers those.
    found.cancel(Error(f"{asked.caller.name} cancelled it", code="dropped"))
    return ApiReply(
        await _masked(asked, forms.process(found)), 202, names=(str(found.id),), told=True
    )


# --- reports --------------------------------------------------------------------------------------


def _reporting(asked: ApiRequest) -> ReportStore:
    store = asked.managed.store
    if isinstance(store, ReportStore):
        return store
    raise ApiError(501, "no-reports", f"runtimes do not say in the store {store.url} how they are")


async def reports(asked: ApiRequest) -> ApiReply:
    """What runtimes say of themselves."""
    store = _reporting(asked)
    for name in asked.query.namespace:
        asked.need("read", name)
    spaces = asked.query.namespace or [None]
    found: list[Report] = []
    for space in spaces:
        found += await store.reports(space)
    seen = [one for one in found if asked.sees(one.namespace)]
    return ApiReply(
        asked.relative(msgspec.to_builtins(Reports(items=seen))),
        header={"Cache-Control": "no-store"},
    )


async def report(asked: ApiRequest) -> ApiReply:
    """Keep the Report of a runtime."""
    store = _reporting(asked)
    said: Report = await sent_json(asked, Report)
    asked.need("operate", said.namespace)
    if said.runtime != asked.key:
        raise ApiError(
            422, "runtime", f"the Report is of {said.runtime}, the path says {asked.key}"
        )
    if len(quote(said.runtime, safe="")) > LONGEST_NAME:
        raise ApiError(
            422, "runtime", f"the name of the runtime is longer than {LONGEST_NAME} bytes"
        )
    if not 0 < said.interval <= LONGEST or not 0 <= said.pid <= _PIDS:
        raise ApiError(
            422,
            "report",
            f"no runtime reports every {said.interval:g} s with the pid {said.pid} (wanted: more than "
            f"0 and at most {LONGEST:g} s, a pid of a process)",
        )
    await _may_replace(asked, store)
    # One from the future would never count as gone.
    await store.report(msgspec.structs.replace(said, seen=min(said.seen, time.time())))
    return ApiReply(status=204)


async def withdraw(asked: ApiRequest) -> ApiReply:
    """Drop the Report of a runtime that ends."""
    store = _reporting(asked)
    await _may_replace(asked, store)
    await store.withdraw(asked.key)
    return ApiReply(status=204)


async def _may_replace(asked: ApiRequest, store: ReportStore) -> None:
    """Refusal where the Report that is there is of a namespace that the caller does not operate."""
    for one in await store.reports():
        if one.runtime == asked.key:
            asked.need("operate", one.namespace)


# --- events ---------------------------------------------------------------------------------------

TYPES = ("change", "reload", "process", "event")


async def listen(asked: ApiRequest) -> ApiReply:
    """Whoever may hear what happens goes on to the stream."""
    for word in asked.query.type:
        if word not in TYPES:
            near = did_you_mean(word, TYPES)
            raise ApiError(
                400, "query", f'type: "{word}" (wanted: {", ".join(TYPES)}). {near}'.rstrip(". ")
            )
    if asked.namespace is None and not asked.sees_all:
        raise ApiError(
            403, "forbidden", "this takes the role read in every namespace. Name one in the path"
        )
    return ApiReply(onward=True)


async def begin(asked: ApiRequest) -> ApiReply:
    """The first event of a stream: how far the store has come."""
    revision = await asked.managed.store.newest()
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
        refusals=(404,),
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
        refusals=(404,),
    ),
    Operation(
        name="processes.list",
        summary="List the processes that run here.",
        details="Here is the process of the machine that answers: other runtimes are asked themselves.",
        run=processes,
        query=Some,
        replies={200: ResponseForm(about="The processes.", type=shapes.Processes)},
        refusals=(404,),
    ),
    Operation(
        name="processes.get",
        summary="Look at a process.",
        run=process,
        replies={200: ResponseForm(about="The process.", type=shapes.ProcessModel)},
        refusals=(404,),
    ),
    Operation(
        name="processes.cancel",
        summary="Cancel a process.",
        run=cancel,
        right="operate",
        replies={202: ResponseForm(about="It is cancelled, and ends.", type=shapes.ProcessModel)},
        refusals=(404,),
        audit=True,
    ),
    Operation(
        name="reports.list",
        summary="What runtimes say of themselves.",
        run=reports,
        query=Which,
        replies={200: ResponseForm(about="Their Reports.", type=Reports)},
        refusals=(501,),
    ),
    Operation(
        name="reports.put",
        summary="Keep the Report of a runtime.",
        run=report,
        right="operate",
        body=BodyForm(about="The Report.", type=Report, media=(JSON,)),
        replies={204: ResponseForm(about="Kept.")},
        refusals=(422, 501),
    ),
    Operation(
        name="reports.delete",
        summary="Drop the Report of a runtime that ends.",
        run=withdraw,
        right="operate",
        replies={204: ResponseForm(about="Dropped, or it was not there.")},
        refusals=(501,),
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
