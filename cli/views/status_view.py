"""How a namespace stands, for people and for programs."""

import time
from typing import Any
from uuid import UUID

import click
import msgspec

from heddle.cli.views.output import print_problems, print_table
from heddle.cli.views.revision_view import stamp
from heddle.runtime.status.namespace_status import (
    ORDER,
    Seen,
    Standing,
    Stands,
    SymbolStanding,
    reason,
    telling,
)
from heddle.specs.model.report import Condition, Report

COLORS: dict[Stands, str] = {
    "refused": "red",
    "degraded": "red",
    "waiting": "yellow",
    "behind": "yellow",
    "draining": "cyan",
    "active": "green",
    "idle": "bright_black",
}


def tell_standing(found: Standing) -> None:
    """The runtimes, then the symbols, then what cannot be read."""
    head, rows = runtimes_of(found)
    click.echo(headline(found))
    if rows:
        click.echo()
        print_table(head, rows)
    head, rows = symbols_of(found)
    if rows:
        click.echo()
        print_table(head, rows)
    print_problems(found.problems)


def headline(found: Standing) -> str:
    """`namespace shop of file://flows: revision 41, 2 runtimes follow it`."""
    count = len(found.runtimes)
    who = {0: "no runtime follows it", 1: "1 runtime follows it"}.get(
        count, f"{count} runtimes follow it"
    )
    return f"namespace {found.namespace} of {found.store}: revision {found.revision}, {who}"


def runtimes_of(found: Standing) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of a table of runtimes."""
    head = [
        "runtime",
        "state",
        "observed",
        "up",
        "active",
        "waiting",
        "refused",
        "processes",
        "why",
    ]
    now = time.time()
    rows = []
    for one in found.runtimes:
        state, why = state_of(one)
        counts = [str(each) for each in (one.active, one.waiting, one.refused, one.processes)]
        rows.append(
            [
                f"{one.host}:{one.pid}",
                state,
                str(one.observed),
                span(now - one.started),
                *counts,
                reason(why),
            ]
        )
    return head, rows


def state_of(one: Report) -> tuple[str, Condition | None]:
    """What a runtime is, in a word, and the condition that says why."""
    why = telling(one.conditions)
    if why is None:
        return "well", None
    so = {each.type for each in one.conditions if each.status}
    if "Active" not in so:
        return "stopping", why
    return "degraded" if "Degraded" in so else "waiting" if "Linked" not in so else "ill", why


def symbols_of(found: Standing, *, worst_first: bool = False) -> tuple[list[str], list[list[str]]]:
    """The head and the rows of a table of symbols."""
    head = ["symbol", "kind", "state", "revision", "running", "why"]
    symbols = list(found.symbols)
    if worst_first:
        symbols.sort(key=lambda each: ORDER.index(each.state))
    holders = holders_of(found)
    return head, [_row(each, holders.get(each.id)) for each in symbols]


def holders_of(found: Standing) -> dict[UUID, Report]:
    """Return the runtimes that act for all others, by symbol."""
    return {symbol: one for one in found.runtimes for symbol in one.leases}


def _row(one: SymbolStanding, holder: Report | None) -> list[str]:
    worst = worst_of(one)
    acts = f"acts in {holder.host}:{holder.pid}" if holder is not None else ""
    running = sorted({each.observed for each in one.seen if each.state != "waiting"} - {0})
    return [
        one.label,
        one.kind,
        one.state,
        str(one.revision) if one.revision else "gone",
        ", ".join(str(each) for each in running) or "-",
        (reason(worst.why) if worst is not None else "") or acts,
    ]


def worst_of(one: SymbolStanding) -> Seen | None:
    """How the runtime has it that counts."""
    return next((each for each in one.seen if each.state == one.state), None)


def span(seconds: float) -> str:
    """How long something has lasted, in its two largest units: `3h 12m`."""
    left = max(int(seconds), 0)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


# --- for programs ---------------------------------------------------------------------------------


def as_standing(found: Standing, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """How a namespace stands, as plain data."""
    from heddle.cli.views.problem_report import as_data

    well = found.symbols_well if names else found.well
    holders = holders_of(found)
    return {
        "ok": found.followed and well,
        "namespace": found.namespace,
        "store": found.store,
        "revision": found.revision,
        "runtimes": [_runtime_data(each) for each in found.runtimes],
        "symbols": [_symbol_data(each, holders.get(each.id)) for each in found.symbols],
        "problems": [as_data(problem) for problem in found.problems],
    }


def _runtime_data(one: Report) -> dict[str, Any]:
    return {
        "runtime": one.runtime,
        "host": one.host,
        "pid": one.pid,
        "version": one.version,
        "started": stamp(one.started),
        "seen": stamp(one.seen),
        "generation": one.generation,
        "observed": one.observed,
        "active": one.active,
        "waiting": one.waiting,
        "refused": one.refused,
        "processes": one.processes,
        "buffers": {
            "limit": one.buffers.limit,
            "used": one.buffers.used,
            "peak": one.buffers.peak,
            "rejected": one.buffers.rejected,
        },
        "conditions": [_condition_data(each) for each in one.conditions],
    }


def _symbol_data(one: SymbolStanding, holder: Report | None) -> dict[str, Any]:
    said: dict[str, Any] = {"id": str(one.id)}
    if one.name is not None:
        said["name"] = one.name
    said |= {"kind": one.kind, "state": one.state, "revision": one.revision}
    if one.place:
        said["place"] = one.place
    if holder is not None:
        said["holder"] = holder.runtime
    said["runtimes"] = [_seen_data(each) for each in one.seen]
    return said


def _seen_data(one: Seen) -> dict[str, Any]:
    said: dict[str, Any] = {
        "runtime": one.runtime,
        "state": one.state,
        "observed": one.observed,
    }
    if one.conditions:
        said["conditions"] = [_condition_data(each) for each in one.conditions]
    return said


def _condition_data(one: Condition) -> dict[str, Any]:
    said: dict[str, Any] = msgspec.to_builtins(one)
    said["status"] = one.status
    if one.since:
        said["since"] = stamp(one.since)
    return said


def require_reports(store: object) -> None:
    """Raise CommandError if runtimes keep no Reports in this store."""
    from heddle.cli.exit_codes import CommandError
    from heddle.specs.model.report import ReportStore

    if not isinstance(store, ReportStore):
        url = getattr(store, "url", "")
        raise CommandError(f"{url}: runtimes do not say there how they are, so nobody can look")
