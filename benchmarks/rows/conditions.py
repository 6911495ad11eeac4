"""conditions: an `if` whose condition is written in each language, beside an `if` of Python."""

import asyncio
from typing import Any

from benchmarks.measure import Measure
from benchmarks.packets.case import Case, case
from benchmarks.row import Row, Say
from benchmarks.scale import Scale

ORDER = {"total": 250, "country": "FR", "lines": [{"sku": "A-1", "count": 2}]}

WHEN = {
    "cel": 'self.total > 100 && self.country in ["DE", "FR"]',
    "python": 'payload["total"] > 100 and payload["country"] in ("DE", "FR")',
    "javascript": 'payload.total > 100 && ["DE", "FR"].includes(payload.country)',
    "jinja": 'total > 100 and country in ["DE", "FR"]',
    "jsonata": 'total > 100 and country in ["DE", "FR"]',
}

REASONS = {
    "javascript": (
        "Another engine, in which a program can be stopped: each packet is copied into it as JSON, and "
        "the statements run anew, so that nothing is kept between packets."
    ),
    "jsonata": "Its reference implementation is JavaScript, which interprets the query in QuickJS.",
    "jinja": "Another engine: each packet is handed over to it value by value.",
}
"""Why a language may be further away than ten times."""

REACHES = {"javascript": 200.0, "jsonata": 4000.0, "jinja": 150.0}


def _decided(order: Any) -> Any:
    """Return what one would write in Python; both ways lead to the order itself."""
    if order["total"] > 100 and order["country"] in ("DE", "FR"):
        return order
    return None


def _case(language: str) -> Case:
    lost = "ports: {'out[1]': {name: lost}}"
    when = f"{{language: {language}, code: '{WHEN[language]}'}}"
    return case(
        "if",
        language,
        f"- {{kind: if, name: it, when: {when}, {lost}}}\n- {{kind: nop, name: lost}}\n",
        ORDER,
        _decided,
        reach=REACHES.get(language, 10.0),
        reason=REASONS.get(language, ""),
    )


def run(scale: Scale, say: Say) -> list[Measure]:
    """Measure one language after the other."""
    return asyncio.run(_measured(scale, say))


async def _measured(scale: Scale, say: Say) -> list[Measure]:
    measures = []
    for language in WHEN:
        say(language)
        measures.append(await _case(language).measure(scale))
    return measures


ROW = Row(
    title="a condition over two fields of a packet, in each language, and the way that it decides on",
    floor="an `if` of Python with the same condition",
    run=run,
)
