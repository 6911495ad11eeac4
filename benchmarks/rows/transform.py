"""transform: JSON in, a CEL transform, JSON out, beside the same by hand."""

import json

from benchmarks.duel import duel
from benchmarks.measure import Measure, at_least
from benchmarks.paths import HERE
from benchmarks.row import Row, Say
from benchmarks.scale import Scale
from benchmarks.server import heddle, module

ORDER = {
    "id": 90125,
    "customer": {"name": "Ada Lovelace", "email": "ada@analytical.example"},
    "express": True,
    "items": [
        {"sku": "card-deck-blank", "count": 4, "price": 125},
        {"sku": "brass-gear-40", "count": 2, "price": 1990},
        {"sku": "oil-whale-small", "count": 1, "price": 350},
    ],
    "note": "Please ring twice; the engine is loud today.",
}
"""An order of 300 bytes."""

TOLD = {
    "order": 90125,
    "to": "Ada Lovelace <ada@analytical.example>",
    "lines": [
        {"sku": "card-deck-blank", "sum": 500},
        {"sku": "brass-gear-40", "sum": 3980},
        {"sku": "oil-whale-small", "sum": 350},
    ],
    "express": True,
}
"""What both servers make of it."""

BODY = json.dumps(ORDER, separators=(",", ":"))
REQUEST = (
    "POST /orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(BODY)}\r\n\r\n{BODY}"
)


def run(scale: Scale, say: Say) -> list[Measure]:
    """`transform.yaml` beside `servers/transform.py`; both answers are looked at, value by value."""
    with module("transform") as floor, heddle(HERE / "transform.yaml") as subject:
        return duel(
            floor,
            subject,
            request=REQUEST,
            expect=TOLD,
            reach=at_least(1.2),
            scale=scale,
            say=say,
        )


ROW = Row(
    title=f"POST {round(len(BODY), -2)} B of JSON → CEL transform → JSON",
    floor="hand-written uvicorn + msgspec that does the same",
    run=run,
)
