"""items: a `for` over a long list, beside the loop that one would write."""

import asyncio
from dataclasses import replace
from typing import Any

from benchmarks.measure import Measure
from benchmarks.packets.case import Case, case
from benchmarks.row import Row, Say
from benchmarks.scale import Scale

WORKERS = 16
"""How many items are under way at the same time, if several are."""


def _double(value: Any) -> Any:
    return value * 2


def _loop(values: Any) -> Any:
    return [_double(value) for value in values]


async def _at_once(values: Any) -> Any:
    """Return a few workers that share the list, and answers in its order."""
    answers: list[Any] = [None] * len(values)
    left = iter(enumerate(values))

    async def work() -> None:
        for index, value in left:
            answers[index] = _double(value)

    await asyncio.gather(*(work() for _ in range(WORKERS)))
    return answers


def _cases(count: int) -> list[Case]:
    each = "- {{kind: for, name: it, {more}ports: {{'out[0]': {{name: double}}}}}}\n{node}"
    node = "- {{kind: snippet, name: double, language: {0}, code: {1} * 2}}\n"
    items = list(range(count))
    reason = (
        "An item is a packet: it may fail and go to an error port, wait, be cancelled or be watched, "
        "and its answer be NOTHING or an Error. A comprehension asks for none of that."
    )
    return [
        case(
            "for",
            f"{count:,} items, Python",
            each.format(more="", node=node.format("python", "payload")),
            items,
            _loop,
            reach=20.0,
            reason=reason,
        ),
        case(
            "for",
            f"{count:,} items, CEL",
            each.format(more="", node=node.format("cel", "self")),
            items,
            _loop,
            reach=20.0,
            reason=reason,
        ),
        case(
            "for",
            f"{count:,} items, {WORKERS} at a time",
            each.format(more=f"concurrency: {WORKERS}, ", node=node.format("python", "payload")),
            items,
            _at_once,
            reach=80.0,
            reason=(
                "Each item is a process of its own, a child of the packet's, with its own data, "
                "transaction and end, so that items which wait can do so at the same time."
            ),
        ),
    ]


def run(scale: Scale, say: Say) -> list[Measure]:
    """Measure one list, three times."""
    return asyncio.run(_measured(scale, say))


async def _measured(scale: Scale, say: Say) -> list[Measure]:
    measures = []
    # One sample is a whole list: that is long enough.
    few = replace(scale, samples=max(2, scale.samples // 3))
    for one in _cases(scale.items):
        say(one.what)
        measures.append(await one.measure(few))
    return measures


ROW = Row(
    title="`for` over a long list",
    floor="a comprehension that calls a Python function; a few asyncio workers",
    run=run,
)
