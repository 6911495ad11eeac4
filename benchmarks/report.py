"""The report: the table that people read, and the same for programs."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measure import Measure
from benchmarks.row import Row

HEAD = ("row", "what", "reach", "value", "middle half", "")

Rows = Mapping[str, tuple[Row, Sequence[Measure]]]


def table(rows: Rows) -> str:
    """Return a Markdown table that is aligned, so that it reads well in a terminal too."""
    lines: list[tuple[str, ...]] = [HEAD]
    for name, (_, measures) in rows.items():
        for measure in measures:
            lines.append(_cells(name, measure))
            name = ""
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEAD))]
    shown = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in lines
    ]
    shown.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(shown)


def reasons(rows: Rows) -> str:
    """Why what is far above its floor is so: each reason once, with all that it holds for."""
    found: dict[str, list[str]] = {}
    for name, (_, measures) in rows.items():
        for measure in measures:
            if measure.reason:
                found.setdefault(measure.reason, []).append(f"{name} ({measure.name})")
    return "\n".join(f"* {', '.join(whose)}: {reason}" for reason, whose in found.items())


def data(rows: Rows) -> list[dict[str, Any]]:
    """Everything that was measured, as plain data."""
    return [
        {
            "row": name,
            "title": row.title,
            "floor": row.floor,
            "measures": [_data(measure) for measure in measures],
        }
        for name, (row, measures) in rows.items()
    ]


def shown(value: float, unit: str) -> str:
    """Return a figure to three digits: ratios always with decimals, counts and times if they have any."""
    digits = 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:,.{digits}f}" if value % 1 or unit == "×" else f"{value:,.0f}"


def _cells(name: str, measure: Measure) -> tuple[str, ...]:
    unit, reach = measure.unit, measure.reach
    spread = ""
    if measure.low is not None and measure.high is not None and measure.rounds > 1:
        spread = f"{shown(measure.low, unit)} … {shown(measure.high, unit)}"
    return (
        name,
        measure.name,
        f"{reach.side} {shown(reach.bound, unit)} {unit}".rstrip() if reach is not None else "",
        f"{shown(measure.value, unit)} {unit}".rstrip(),
        spread,
        _verdict(measure),
    )


def _verdict(measure: Measure) -> str:
    if measure.ok is None:
        return ""
    return ("ok" if measure.ok else "short") + (", disturbed" if measure.disturbed else "")


def _data(measure: Measure) -> dict[str, Any]:
    told: dict[str, Any] = {"name": measure.name, "value": measure.value, "unit": measure.unit}
    if measure.reach is not None:
        told |= {"reach": f"{measure.reach.side} {measure.reach.bound:g}", "ok": measure.ok}
    if measure.rounds > 1:
        told |= {"low": measure.low, "high": measure.high, "rounds": measure.rounds}
        told |= {"disturbed": True} if measure.disturbed else {}
    told |= {"reason": measure.reason} if measure.reason else {}
    return told | ({"facts": measure.facts} if measure.facts else {})
