"""kinds: one packet through each kind, beside plain Python that does with it what the kind does."""

import asyncio
from dataclasses import replace

from benchmarks.measure import Measure
from benchmarks.packets import control, data, net
from benchmarks.packets.case import Case
from benchmarks.row import Row, Say
from benchmarks.scale import Scale

CASES: tuple[Case, ...] = (*control.CASES, *data.CASES, *net.CASES)

LEFT_OUT = {
    "access": "It guards the API of the runtime itself; for flows, see auth.",
    "follow": "It has no in port: each event begins a process, see `process`.",
    "listener": "It has no in port: see `ping` and `transform`.",
    "manage": "It works on the runtime itself, and takes as long as what it is asked to do.",
    "openapi": "It makes its document once for each generation; it is answered as any text is.",
    "run-store": "It keeps runs, and has no in port: see `tasks_durable`.",
    "signal": "It has no in port: each signal begins a process, see `process`.",
    "signature": "It takes as long as the HMAC of the body, which the standard library makes.",
    "task": "A workflow calls it: see `tasks`.",
    "test": "It has no in port, and runs when `heddle test` says so.",
    "timer": "It has no in port: each tick begins a process, see `process`.",
    "validate": "It takes as long as the library that decides: see `validate` and `checked`.",
    "websocket": "Its messages are measured on connections: see `sockets`.",
    "workflow": "It begins a run of its tasks: see `tasks` and `tasks_durable`.",
}
"""Kinds that no packet can be sent through, and where to look instead."""


def run(scale: Scale, say: Say) -> list[Measure]:
    """Measure one kind after the other."""
    return asyncio.run(_measured(scale, say))


async def _measured(scale: Scale, say: Say) -> list[Measure]:
    # There are many of them: fewer samples each.
    few = replace(scale, samples=max(2, scale.samples // 3))
    measures = []
    for one in CASES:
        say(f"{one.kind}: {one.what}")
        measures.append(await one.measure(few))
    return measures


ROW = Row(
    title="one packet through each kind",
    floor="plain Python that does the same, with the library that one would take",
    run=run,
)
