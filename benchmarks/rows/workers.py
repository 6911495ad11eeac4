"""workers: two processes of one namespace, which share its sockets, beside one."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.driver import Driver, driver
from benchmarks.measure import Measure, at_least, measured
from benchmarks.row import AnswerMismatchError, Row, Say
from benchmarks.scale import Scale
from benchmarks.server import heddle

REQUEST = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

# The load shares the cores with the workers. So each request is some work for them, as in a flow that
# does something: with an empty one it would be the load that is measured.
FLOW = """\
- kind: listener
  name: listener
  port: 0
  ports:
    out:
      - {name: work, port: in}
- kind: snippet
  name: work
  language: python
  code: |
    def main(payload):
        return sum(number * number for number in range(16000))
"""
ANSWER = sum(number * number for number in range(16000))


def run(scale: Scale, say: Say) -> list[Measure]:
    """Measure one worker and two in turns under the same load; both may use every core."""
    with TemporaryDirectory() as folder:
        path = Path(folder, "flow.yaml")
        path.write_text(FLOW)
        with (
            heddle(path, pinned=False) as one,
            heddle(path, "--workers", "2", pinned=False) as two,
            driver() as load,
        ):
            two.until("all workers ready")
            for name, server in (("one", one), ("two", two)):
                load.open(name, server, scale.connections, REQUEST, ANSWER)
                _drive(load, name, scale.seconds)
            rounds: list[tuple[dict[str, Any], dict[str, Any]]] = []
            for number in range(scale.rounds):
                rounds.append(
                    (_drive(load, "one", scale.seconds), _drive(load, "two", scale.seconds))
                )
                say(
                    f"round {number + 1}: {rounds[-1][1]['rate']:,.0f}/s beside {rounds[-1][0]['rate']:,.0f}/s"
                )
    return [
        measured(
            "requests a second of two workers",
            [its["rate"] / base["rate"] for base, its in rounds],
            reach=at_least(1.6),
            facts={
                name: {
                    "requests a second": round(
                        measured("", [each[side]["rate"] for each in rounds]).value
                    ),
                    "p99 ms": round(measured("", [each[side]["p99"] for each in rounds]).value, 2),
                    "load CPU": round(
                        measured("", [each[side]["cpu"] for each in rounds]).value, 2
                    ),
                }
                for side, name in enumerate(("one", "two"))
            },
        ),
        measured("p99 of two workers", [its["p99"] / base["p99"] for base, its in rounds]),
    ]


def _drive(load: Driver, name: str, seconds: float) -> dict[str, Any]:
    told = load.drive(name, seconds)
    wrong = {what: told[what] for what in ("failed", "hung", "reset") if told[what]}
    if wrong or not told["answers"]:
        raise AnswerMismatchError(f"{name}: {wrong or 'no answer'} {told['first']}".rstrip())
    return told


ROW = Row(
    title="two workers that share the sockets of one namespace, a flow that computes for a millisecond",
    floor="one worker under the same load",
    run=run,
)
