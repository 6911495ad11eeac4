"""validate: a request of 300 bytes that fits its schema, beside jsonschema alone on the same data."""

import time
from typing import Any
from uuid import UUID

from jsonschema import Draft202012Validator

from benchmarks.measure import Measure, at_most, measured
from benchmarks.row import AnswerMismatchError, Row, Say
from benchmarks.scale import Scale
from heddle.extensions.net.validation import schema_validator
from heddle.runtime.assembly.extension import registry
from heddle.runtime.flow.node import Action
from heddle.specs.model.spec import Spec

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["title", "tags", "owner"],
    "properties": {
        "title": {"type": "string", "minLength": 1, "maxLength": 200},
        "done": {"type": "boolean"},
        "priority": {"type": "integer", "minimum": 0, "maximum": 9},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 10},
        "owner": {
            "type": "object",
            "required": ["name"],
            "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
            "additionalProperties": False,
        },
        "notes": {
            "type": "array",
            "items": {"type": "object", "properties": {"text": {"type": "string"}}},
        },
    },
    "additionalProperties": False,
}

TASK: dict[str, Any] = {
    "title": "Weave the second half of the cloth before the fair",
    "done": False,
    "priority": 3,
    "tags": ["loom", "cloth", "fair"],
    "owner": {"name": "Ada Lovelace", "age": 36},
    "notes": [
        {"text": "The warp is on the loom, the weft is still to be dyed"},
        {"text": "Ask for the blue of last year"},
    ],
}


def run(scale: Scale, say: Say) -> list[Measure]:
    """Measure with jsonschema-rs, and without."""
    measures = []
    for title, engine, bar in (
        ("with jsonschema-rs", schema_validator.rust, 0.1),
        ("without", None, 1.5),
    ):
        say(title)
        kept, schema_validator.rust = schema_validator.rust, engine
        try:
            measures.append(_measured(scale, title, bar))
        finally:
            schema_validator.rust = kept
    return measures


def _measured(scale: Scale, title: str, bar: float) -> Measure:
    """Return the time of the node in times that of jsonschema, in turns."""
    spec = Spec(id=UUID(int=1), kind="validate", name="it", fields={"schema": SCHEMA})
    handler = registry([]).scheme.compile(spec).handler("in")
    if not isinstance(handler, Action) or handler.fn(TASK) is not TASK:
        raise AnswerMismatchError("the node did not send on what fits")
    alone = Draft202012Validator(SCHEMA)
    if not alone.is_valid(TASK):
        raise AnswerMismatchError("jsonschema rejects what fits")
    ratios, floors, nodes = [], [], []
    for _ in range(scale.samples):
        floors.append(_seconds(alone.validate, scale.calls))
        nodes.append(_seconds(handler.fn, scale.calls))
        ratios.append(nodes[-1] / floors[-1])
    facts = {"jsonschema µs": min(floors) * 1e6, "node µs": min(nodes) * 1e6}
    return measured(f"valid, {title}", ratios, reach=at_most(bar), facts=facts)


def _seconds(check: Any, most: float) -> float:
    """Return the seconds of one call, over as many as the time allows."""
    begun, calls = time.perf_counter(), 0
    while (passed := time.perf_counter() - begun) < most:
        for _ in range(10):
            check(TASK)
        calls += 10
    return passed / calls


ROW = Row(
    title="a payload of 300 bytes that fits its schema, through the node",
    floor="jsonschema alone, on the same payload and schema",
    run=run,
)
