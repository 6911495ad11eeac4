"""A duel: two servers take turns under the same load, in short rounds."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeAlias

from benchmarks.driver import Driver, driver
from benchmarks.measure import Measure, Reach, at_most, measured
from benchmarks.row import AnswerMismatchError, Say
from benchmarks.scale import Scale
from benchmarks.server import Server, module

BUSY = 0.9
"""A round counts where both servers had at least this much of their core."""

TRIES = 2
"""How many times as many rounds are run, where others disturb them."""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One server's part of a round; `cpu` is the share of a core that it had, 0 if unknown."""

    rate: float
    p50: float
    p99: float
    cpu: float
    per_cpu: float
    load_cpu: float


Round: TypeAlias = tuple[Turn, Turn]


def busy(*shares: float) -> bool:
    """Return whether servers that had these shares of their core were what limited the round."""
    return all(share >= BUSY or not share for share in shares)


def duel(
    floor: Server,
    subject: Server,
    *,
    request: str,
    expect: Any,
    reach: Reach,
    scale: Scale,
    say: Say,
    upgrade: str = "",
    connections: int | None = None,
    what: str = "requests",
    tail: Reach | None = None,
) -> list[Measure]:
    """Return how many times the floor's requests the subject answers: a second, and a second of its CPU.

    With a path to `upgrade` at, what is asked and answered are messages of WebSockets. `tail` is how
    far p99 may go: no further than the floor's, unless said.

    A round that something else on the machine disturbed does not count, unless most are like that:
    then all do, and `disturbed` says so.
    """
    with ExitStack() as stack:
        load = stack.enter_context(driver())
        servers = {"floor": floor, "subject": subject}
        many = connections or scale.connections
        for name, server in servers.items():
            load.open(name, server, many, request, expect, upgrade)
        if not upgrade:
            servers["echo"] = stack.enter_context(module("echo"))
            load.open("echo", servers["echo"], many, request, "pong")
        for name, server in servers.items():
            say(f"{name} warms up")
            _turn(load, name, server, scale.seconds)
        rounds = _rounds(load, floor, subject, scale, say)
        ceiling = 0.0
        if not upgrade:
            turns = [_turn(load, "echo", servers["echo"], scale.seconds) for _ in range(3)]
            ceiling = max(turn.rate for turn in turns)
    clean = [one for one in rounds if busy(*(turn.cpu for turn in one))]
    disturbed = len(clean) < max(1, scale.rounds // 2)
    told = rounds if disturbed else clean
    facts = {
        "floor": _median(told, 0, what),
        "subject": _median(told, 1, what),
        "rounds tried": len(rounds),
    }
    facts |= {"load alone": round(ceiling)} if ceiling else {}
    return _measures(told, disturbed, facts, what, reach, tail or at_most(1.0))


def _rounds(load: Driver, floor: Server, subject: Server, scale: Scale, say: Say) -> list[Round]:
    """Until enough of them were undisturbed, or there were too many."""
    rounds: list[Round] = []
    clean = 0
    while clean < scale.rounds and len(rounds) < scale.rounds * TRIES:
        one = (
            _turn(load, "floor", floor, scale.seconds),
            _turn(load, "subject", subject, scale.seconds),
        )
        rounds.append(one)
        clean += busy(*(turn.cpu for turn in one))
        say(f"round {len(rounds)}: {one[1].rate:,.0f}/s beside {one[0].rate:,.0f}/s")
    return rounds


def _turn(load: Driver, name: str, server: Server, seconds: float) -> Turn:
    before = server.cpu()
    told = load.drive(name, seconds)
    used = server.cpu() - before
    wrong = {what: told[what] for what in ("failed", "hung", "reset") if told[what]}
    if wrong or not told["answers"]:
        raise AnswerMismatchError(f"{name}: {wrong or 'no answer'} {told['first']}".rstrip())
    return Turn(
        rate=told["rate"],
        p50=told["p50"],
        p99=told["p99"],
        cpu=used / told["seconds"],
        per_cpu=told["answers"] / used if used else 0.0,
        load_cpu=told["cpu"],
    )


def _measures(
    rounds: Sequence[Round],
    disturbed: bool,
    facts: dict[str, Any],
    what: str,
    reach: Reach,
    tail: Reach,
) -> list[Measure]:
    measures = [
        measured(
            f"{what} a second",
            [its.rate / base.rate for base, its in rounds],
            reach=reach,
            disturbed=disturbed,
            facts=facts,
        ),
        measured(
            "p99",
            [its.p99 / base.p99 for base, its in rounds],
            reach=tail,
            disturbed=disturbed,
        ),
    ]
    if all(turn.per_cpu for one in rounds for turn in one):
        ratios = [its.per_cpu / base.per_cpu for base, its in rounds]
        measures.append(measured(f"{what} a second of the server's CPU", ratios))
    return measures


def _median(rounds: Sequence[Round], side: int, what: str) -> dict[str, float]:
    """Return what one of the two came to, in absolute figures."""
    turns = [one[side] for one in rounds]
    return {
        f"{what} a second": round(measured("", [turn.rate for turn in turns]).value),
        "p50 ms": round(measured("", [turn.p50 for turn in turns]).value, 2),
        "p99 ms": round(measured("", [turn.p99 for turn in turns]).value, 2),
        "server CPU": round(measured("", [turn.cpu for turn in turns]).value, 2),
        "load CPU": round(measured("", [turn.load_cpu for turn in turns]).value, 2),
    }
