"""process: a process from its beginning to its end, beside an empty function call."""

from benchmarks.calls import compare
from benchmarks.measure import Measure, at_most
from benchmarks.row import AnswerMismatchError, Row, Say
from benchmarks.rows.nodes import straight
from benchmarks.scale import Scale
from heddle.runtime.flow.process import LiveProcess

SUBJECT = "process = LiveProcess(wiring); run = process.run(entry, 0); process.end()"


REASON = (
    "A process is made, counted in, sends a packet through three nodes, and lets go of what it owns; "
    "the floor does nothing at all."
)


def _empty() -> None:
    pass


def run(scale: Scale, say: Say) -> list[Measure]:
    """Create it, open it on a flow of three nodes (a packet goes through), end it."""
    wiring = straight([lambda x: x + 1] * 3)
    entry = wiring.entry(0, "in")
    process = LiveProcess(wiring)
    answer = process.run(entry, 0)
    process.end()
    if answer != 3 or wiring.processes:
        raise AnswerMismatchError(
            f"a process answered {answer!r} and left {len(wiring.processes)} behind"
        )
    say("created, opened on three nodes, ended")
    names = {"LiveProcess": LiveProcess, "wiring": wiring, "entry": entry, "empty": _empty}
    return [
        compare(
            "created, opened on three nodes, ended",
            floor="empty()",
            subject=SUBJECT,
            names=names,
            scale=scale,
            reach=at_most(40.0),
            reason=REASON,
        ),
        compare(
            "created and ended",
            floor="empty()",
            subject="LiveProcess(wiring).end()",
            names=names,
            scale=scale,
        ),
    ]


ROW = Row(
    title="a process: created, opened on a flow of three nodes, ended",
    floor="one call of an empty Python function",
    run=run,
)
