"""checked: a POST whose body and path are checked, beside the same service in FastAPI."""

import json

from benchmarks.duel import duel
from benchmarks.measure import Measure, at_least
from benchmarks.paths import HERE
from benchmarks.row import Row, Say
from benchmarks.rows.validate import TASK
from benchmarks.scale import Scale
from benchmarks.server import heddle, module

SENT = {name: value for name, value in TASK.items() if name not in ("done", "priority")}
BODY = json.dumps(SENT, separators=(",", ":"))
REQUEST = (
    "POST /lists/7/tasks HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(BODY)}\r\n\r\n{BODY}"
)


def run(scale: Scale, say: Say) -> list[Measure]:
    """`checked.yaml` beside `servers/checked.py`; both fill in the same defaults."""
    with module("checked") as floor, heddle(HERE / "checked.yaml") as subject:
        return duel(
            floor,
            subject,
            request=REQUEST,
            expect={**SENT, "done": False, "priority": 5},
            reach=at_least(3.0),
            scale=scale,
            say=say,
        )


ROW = Row(
    title="POST of 300 B of JSON: path and body checked, defaults filled in, answered as JSON",
    floor="FastAPI on uvicorn (httptools, uvloop) with the same checks in pydantic",
    run=run,
)
