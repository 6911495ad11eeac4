"""Symbols, processes, frames, events: the tables of what runs in this process."""

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import msgspec

from heddle.extensions.sql.internal.frames import Later, rows_of, shower
from heddle.extensions.sql.internal.store_tables import specs_of
from heddle.extensions.sql.internal.table import Values, View, VirtualTable, columns
from heddle.runtime.assembly.expansion import HELD
from heddle.runtime.flow.budget import BUDGET
from heddle.runtime.flow.contracts import Process
from heddle.runtime.runtime import Runtime
from heddle.runtime.status.namespace_status import namespace_status
from heddle.schemas.page import describe
from heddle.schemas.problem import Problem
from heddle.specs.model.symbol_status import SymbolStatus


def _runtimes(view: View) -> list[Runtime]:
    return [runtime for runtime in view.managed.runtimes if view.managed.covers(runtime.namespace)]


async def _elsewhere(view: View) -> Iterator[str]:
    """Return the namespaces that the store holds and no runtime here runs."""
    here = {runtime.namespace for runtime in view.managed.runtimes}
    held = {spec.namespace for spec in await specs_of(view)}
    return iter(sorted(held - here))


async def _symbols(view: View) -> Iterable[Values]:
    entries = [_row_of(each) for runtime in _runtimes(view) for each in runtime.status().symbols]
    for namespace in await _elsewhere(view):
        stands = await namespace_status(view.managed.store, namespace)
        entries += [_row_of(symbol) for symbol in stands.symbols]
    return entries


def _row_of(symbol: SymbolStatus) -> Values:
    """Return the row of a symbol; what only its own process knows is null elsewhere."""
    return (
        str(symbol.id),
        symbol.kind,
        symbol.namespace,
        symbol.name,
        symbol.state,
        list(symbol.reasons),
        msgspec.to_builtins(symbol.conditions),
        symbol.revision,
        symbol.observed,
        symbol.generation or None,
        symbol.place or None,
        symbol.node,
    )


async def _ports(view: View) -> Iterable[Values]:
    return [row for runtime in _runtimes(view) for row in _ports_of(runtime)]


def _ports_of(runtime: Runtime) -> Iterator[Values]:
    linked: set[tuple[str, str]] = set()
    for row in _links_of(runtime):
        linked.add((str(row[4]), str(row[6])))
    for symbol in runtime.table.all():
        schema = runtime.registry.scheme.schema(symbol.spec.kind)
        ins, outs = schema.ports_of() if schema is not None else ((), ())
        known = {port.name for port in (*ins, *outs)}
        for way, ports in (("in", ins), ("out", outs)):
            for port in ports:
                text = str(symbol.id)
                is_linked = (
                    (text, port.name) in linked
                    if way == "in"
                    else bool(symbol.links.get(port.name))
                )
                yield (
                    text,
                    symbol.label,
                    symbol.spec.namespace,
                    port.name,
                    way,
                    is_linked,
                    port.help,
                )
        for name, links in symbol.links.items():
            if name not in known and not name.startswith(HELD):
                yield (
                    str(symbol.id),
                    symbol.label,
                    symbol.spec.namespace,
                    name,
                    "out",
                    bool(links),
                    "",
                )


async def _links(view: View) -> Iterable[Values]:
    entries = [row for runtime in _runtimes(view) for row in _links_of(runtime)]
    elsewhere = set(await _elsewhere(view))
    specs = [spec for spec in await specs_of(view) if spec.namespace in elsewhere]
    named = {(spec.namespace, spec.name or ""): str(spec.id) for spec in specs}
    ids = {str(spec.id) for spec in specs}
    for spec in specs:
        for port, links in spec.ports.items():
            for link in links:
                text = str(link.id) if link.id else named.get((spec.namespace, link.name or ""))
                target = text if text in ids else None
                row = (
                    str(spec.id),
                    spec.label,
                    spec.namespace,
                    port,
                    target,
                    link.target,
                    link.port,
                )
                entries.append((*row, None))
    return entries


def _links_of(runtime: Runtime) -> Iterator[Values]:
    for symbol in runtime.table.all():
        for port, links in symbol.binding.spec.ports.items():
            for link in links:
                target = runtime.table.get(link.id if link.id is not None else link.name or "")
                yield (
                    str(symbol.id),
                    symbol.label,
                    symbol.spec.namespace,
                    port,
                    str(target.id) if target is not None else None,
                    link.target,
                    link.port,
                    target is not None and runtime.table.active(target),
                )


async def _processes(view: View) -> Iterable[Values]:
    return [
        _process(runtime, process) for runtime in _runtimes(view) for process in runtime.processes
    ]


async def _buffers(view: View) -> Iterable[Values]:
    del view
    figures = BUDGET.figures()
    return [(figures["limit"], figures["used"], figures["peak"], figures["rejected"])]


def _process(runtime: Runtime, process: Process) -> Values:
    keys = process.keys()
    error = process.error or process.reason
    show = shower(runtime.events)
    data = {key: process.get(key) for key in keys}
    return (
        str(process.id),
        runtime.namespace,
        str(process.parent.id) if process.parent is not None else None,
        process.origin,
        process.status.value,
        process.started,
        process.ended,
        process.wiring.generation.number,
        runtime.events.shown(error.message) if error is not None else None,
        Later(lambda: show(data)),
    )


async def _frames(view: View) -> Iterable[Values]:
    logs = view.frames.read()
    return [
        row
        for runtime in _runtimes(view)
        if runtime.namespace in logs
        for row in rows_of(runtime, logs[runtime.namespace])
    ]


async def _events(view: View) -> Iterable[Values]:
    return [
        (
            event.time,
            event.level,
            event.event,
            event.namespace,
            event.symbol or None,
            event.generation,
            event.reason or None,
            dict(event.data),
            [_problem_data(problem) for problem in event.problems],
        )
        for runtime in _runtimes(view)
        for event in tuple(runtime.events.recent)
    ]


async def _problems(view: View) -> Iterable[Values]:
    rows: dict[tuple[str, Problem], None] = {}
    for runtime in _runtimes(view):
        for problem in runtime.status().problems:
            rows[runtime.namespace, problem] = None
    if not view.managed.runtimes:
        for problem in await view.managed.store.problems():
            rows["", problem] = None
    return [
        (
            namespace or None,
            problem.code,
            problem.place.file or None,
            problem.place.line or None,
            problem.place.column or None,
            problem.path or None,
            problem.found,
            problem.expected or None,
            problem.hint or None,
        )
        for namespace, problem in rows
    ]


def _problem_data(problem: Problem) -> dict[str, Any]:
    return {"code": problem.code, "place": str(problem.place), "found": str(problem)}


async def _kinds(view: View) -> Iterable[Values]:
    scheme = view.managed.registry.scheme
    entries: list[Values] = []
    for name in sorted(scheme.names):
        schema = scheme.schema(name)
        if schema is None:
            continue
        ins, outs = schema.ports_of()
        entries.append(
            (
                name,
                schema.category,
                schema.summary,
                scheme.owner(name),
                [port.name for port in ins],
                [port.name for port in outs],
                Later(partial(describe, schema)),
            )
        )
    return entries


TABLES = (
    VirtualTable(
        name="symbols",
        help="The symbols of the runtimes in this process; of other namespaces, as their runtimes say.",
        columns=columns(
            id="TEXT the id",
            kind="TEXT the kind",
            namespace="TEXT the namespace",
            name="TEXT the name, or null",
            state="TEXT rejected, degraded, waiting, behind, draining, active or idle",
            reasons="JSON why it is not active, or what was rejected",
            conditions="JSON its conditions",
            revision="INTEGER the revision that the store holds",
            observed="INTEGER the revision that runs",
            generation="INTEGER the generation that its node began in",
            place="TEXT where it is written",
            node="JSON what its node says of itself",
        ),
        rows=_symbols,
    ),
    VirtualTable(
        name="ports",
        help="The ports of every symbol.",
        columns=columns(
            symbol_id="TEXT the symbol's id",
            symbol="TEXT the symbol's name",
            namespace="TEXT the namespace",
            port="TEXT the name of the port",
            direction="TEXT in or out",
            linked="BOOLEAN whether anything is linked there",
            help="TEXT what it is for",
        ),
        rows=_ports,
    ),
    VirtualTable(
        name="links",
        help="Who leads to whom.",
        columns=columns(
            source_id="TEXT the id of the symbol that it leads from",
            source="TEXT its name",
            namespace="TEXT the namespace",
            source_port="TEXT the out port",
            target_id="TEXT the id of the symbol that it leads to; null if nobody is there",
            target="TEXT its name",
            target_port="TEXT the in port",
            active="BOOLEAN whether the target is active; null if no runtime is here",
        ),
        rows=_links,
    ),
    VirtualTable(
        name="processes",
        help="The processes that run, of the current generation and of those that drain.",
        columns=columns(
            id="TEXT the id",
            namespace="TEXT the namespace",
            parent_id="TEXT the id of the process that it was forked from",
            origin="TEXT the symbol that began it",
            status="TEXT running, ending or ended",
            started="REAL when it began, in seconds since 1970",
            ended="REAL when it ended",
            generation="INTEGER the generation that it runs on",
            error="TEXT what went wrong, or why it was cancelled",
            data="JSON what it keeps",
        ),
        rows=_processes,
    ),
    VirtualTable(
        name="buffers",
        help="What this operating-system process keeps in buffers for all of its connections.",
        columns=columns(
            max_bytes="INTEGER the limit, in bytes; 0 is none",
            used="INTEGER what is kept now, in bytes",
            peak="INTEGER the most that was kept since the start",
            rejected="INTEGER how often there was no room",
        ),
        rows=_buffers,
    ),
    VirtualTable(
        name="frames",
        help="The last thousand packets that went through a port, of processes that began while "
        "somebody asked for this table: from the first time on, and until a minute after the last. "
        "At most 16 MiB are kept; of a packet of more than 64 KiB only `{type, size}` is. "
        "Those of the namespace that serves the API are not kept: tokens go through it.",
        columns=columns(
            process_id="TEXT the process",
            namespace="TEXT the namespace",
            symbol_id="TEXT the symbol's id",
            symbol="TEXT the symbol's name",
            port="TEXT the port",
            direction="TEXT in or out",
            input="JSON the packet",
            output="JSON its answer",
            answered="BOOLEAN whether it has been answered",
            time="REAL how long the answer took, in seconds",
        ),
        rows=_frames,
    ),
    VirtualTable(
        name="events",
        help="The last thousand events of each runtime.",
        columns=columns(
            time="REAL when, in seconds since 1970",
            level="TEXT debug, info, warning or error",
            event="TEXT what happened",
            namespace="TEXT the namespace",
            symbol="TEXT the symbol",
            generation="INTEGER the generation",
            reason="TEXT why",
            data="JSON named values",
            problems="JSON what is wrong: [{code, place, found}]",
        ),
        rows=_events,
    ),
    VirtualTable(
        name="problems",
        help="Everything that keeps something from being live.",
        columns=columns(
            namespace="TEXT the namespace",
            code="TEXT one word for programs",
            file="TEXT the file",
            line="INTEGER the line",
            column="INTEGER the column",
            path="TEXT the way to the field",
            found="TEXT what was found",
            expected="TEXT what was expected",
            hint="TEXT what to try",
        ),
        rows=_problems,
    ),
    VirtualTable(
        name="kinds",
        help="Every kind that specs may have.",
        columns=columns(
            kind="TEXT the kind",
            category="TEXT its group",
            summary="TEXT what it is for",
            extension="TEXT the extension that it comes from",
            ins="JSON its in ports",
            outs="JSON its out ports",
            page="JSON its fields, as heddle kinds --json has them",
        ),
        rows=_kinds,
    ),
)
