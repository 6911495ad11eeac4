"""The status of a namespace, for people and for programs."""

import time
from typing import Any
from uuid import UUID

import click
import msgspec

from heddle.cli.views.output import print_problems, print_table
from heddle.cli.views.revision_view import stamp
from heddle.runtime.status.namespace_status import NamespaceStatus
from heddle.specs.model.report import Report
from heddle.specs.model.symbol_status import ORDER, Condition, SymbolState, SymbolStatus, telling

COLORS: dict[SymbolState, str] = {
    "rejected": "red",
    "degraded": "red",
    "waiting": "yellow",
    "behind": "yellow",
    "draining": "cyan",
    "active": "green",
    "idle": "bright_black",
}


def print_status(status: NamespaceStatus) -> None:
    """Print the runtimes, then the symbols, then what cannot be read."""
    head, rows = runtimes_of(status)
    click.echo(headline(status))
    if rows:
        click.echo()
        print_table(head, rows)
    head, rows = symbols_of(status)
    if rows:
        click.echo()
        print_table(head, rows)
    print_problems(status.problems)


def headline(status: NamespaceStatus) -> str:
    """`namespace shop of file://flows: revision 41, 2 runtimes follow it`."""
    count = len(status.runtimes)
    followers = {0: "no runtime follows it", 1: "1 runtime follows it"}.get(
        count, f"{count} runtimes follow it"
    )
    return (
        f"namespace {status.namespace} of {status.store}: revision {status.revision}, {followers}"
    )


def runtimes_of(status: NamespaceStatus) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows of a table of runtimes."""
    head = [
        "runtime",
        "state",
        "observed",
        "up",
        "active",
        "waiting",
        "rejected",
        "processes",
        "why",
    ]
    now = time.time()
    rows = []
    for runtime in status.runtimes:
        state, why = state_of(runtime)
        counts = [
            str(each)
            for each in (runtime.active, runtime.waiting, runtime.rejected, runtime.processes)
        ]
        rows.append(
            [
                f"{runtime.host}:{runtime.pid}",
                state,
                str(runtime.observed),
                span(now - runtime.started),
                *counts,
                str(why or ""),
            ]
        )
    return head, rows


def state_of(report: Report) -> tuple[str, Condition | None]:
    """Return what a runtime is, in a word, and the condition that says why."""
    why = telling(report.conditions)
    if why is None:
        return "well", None
    so = {each.type for each in report.conditions if each.status}
    if "Active" not in so:
        return "stopping", why
    return "degraded" if "Degraded" in so else "waiting" if "Linked" not in so else "ill", why


def symbols_of(
    status: NamespaceStatus, *, worst_first: bool = False
) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows of a table of symbols."""
    head = ["symbol", "kind", "state", "revision", "running", "why"]
    symbols = list(status.symbols)
    if worst_first:
        symbols.sort(key=lambda each: ORDER.index(each.state))
    holders = holders_of(status)
    return head, [_row(each, holders.get(each.id)) for each in symbols]


def holders_of(status: NamespaceStatus) -> dict[UUID, Report]:
    """Return the runtimes that act for all others, by symbol."""
    return {symbol: runtime for runtime in status.runtimes for symbol in runtime.leases}


def _row(status: SymbolStatus, holder: Report | None) -> list[str]:
    acts = f"acts in {holder.host}:{holder.pid}" if holder is not None else ""
    running = sorted({each.observed for each in status.runtimes if each.state != "waiting"} - {0})
    return [
        status.label,
        status.kind,
        status.state,
        str(status.revision) if status.revision else "gone",
        ", ".join(str(each) for each in running) or "-",
        str(status.why or acts),
    ]


def span(seconds: float) -> str:
    """Return how long something has lasted, in its two largest units: `3h 12m`."""
    left = max(int(seconds), 0)
    parts: list[str] = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return " ".join(parts[:2])


# --- for programs ---------------------------------------------------------------------------------


def status_data(status: NamespaceStatus, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return how a namespace stands, as plain data."""
    from heddle.cli.views.problem_report import as_data

    well = status.symbols_well if names else status.well
    holders = holders_of(status)
    return {
        "ok": status.followed and well,
        "namespace": status.namespace,
        "store": status.store,
        "revision": status.revision,
        "runtimes": [_runtime_data(each) for each in status.runtimes],
        "symbols": [_symbol_data(each, holders.get(each.id)) for each in status.symbols],
        "problems": [as_data(problem) for problem in status.problems],
    }


def _runtime_data(report: Report) -> dict[str, Any]:
    return {
        "runtime": report.runtime,
        "host": report.host,
        "pid": report.pid,
        "version": report.version,
        "started": stamp(report.started),
        "seen": stamp(report.seen),
        "generation": report.generation,
        "observed": report.observed,
        "active": report.active,
        "waiting": report.waiting,
        "rejected": report.rejected,
        "processes": report.processes,
        "buffers": {
            "limit": report.buffers.limit,
            "used": report.buffers.used,
            "peak": report.buffers.peak,
            "rejected": report.buffers.rejected,
        },
        "conditions": [_condition_data(each) for each in report.conditions],
    }


def _symbol_data(status: SymbolStatus, holder: Report | None) -> dict[str, Any]:
    data: dict[str, Any] = {"id": str(status.id)}
    if status.name is not None:
        data["name"] = status.name
    data |= {"kind": status.kind, "state": status.state, "revision": status.revision}
    if status.place:
        data["place"] = status.place
    if holder is not None:
        data["holder"] = holder.runtime
    data["runtimes"] = [_in_runtime_data(each) for each in status.runtimes]
    return data


def _in_runtime_data(seen: SymbolStatus) -> dict[str, Any]:
    data: dict[str, Any] = {
        "runtime": seen.runtime,
        "state": seen.state,
        "observed": seen.observed,
    }
    if seen.conditions:
        data["conditions"] = [_condition_data(each) for each in seen.conditions]
    return data


def _condition_data(condition: Condition) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(condition)
    data["status"] = condition.status
    if condition.since:
        data["since"] = stamp(condition.since)
    return data


def require_reports(store: object) -> None:
    """Raise CommandError if runtimes keep no Reports in this store."""
    from heddle.cli.exit_codes import CommandError
    from heddle.specs.model.report import ReportStore

    if not isinstance(store, ReportStore):
        url = getattr(store, "url", "")
        raise CommandError(f"{url}: runtimes do not say there how they are, so nobody can look")
