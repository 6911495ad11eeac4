"""How a namespace stands: what its store holds, beside what each of its runtimes says of it."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Literal, TypeAlias
from uuid import UUID

import msgspec

from heddle.schemas.pieces import LoopYield
from heddle.schemas.problem import Problem
from heddle.specs.model.report import Condition, Report, ReportStore, SymbolReport
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Store

Stands: TypeAlias = Literal[
    "refused", "degraded", "waiting", "behind", "draining", "active", "idle"
]
"""How a symbol stands, the worst first. `behind`: a runtime has not looked at it yet. `idle`: no runtime follows."""

ORDER: tuple[Stands, ...] = (
    "refused",
    "degraded",
    "waiting",
    "behind",
    "draining",
    "active",
    "idle",
)
ILL: frozenset[Stands] = frozenset({"refused", "degraded", "waiting", "behind"})
"""The states in which something is not as it should be."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """How one runtime has a symbol. `observed` is the revision of it that runs; 0 is that none does."""

    runtime: str
    state: Stands
    observed: int = 0
    conditions: tuple[Condition, ...] = ()

    @property
    def why(self) -> Condition | None:
        """The condition that says best why it is not as it should be."""
        return telling(self.conditions)


class SymbolStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How a symbol stands in all runtimes: the worst of them counts. `revision` is that of the store."""

    id: UUID
    name: str | None
    kind: str
    state: Stands
    revision: int = 0
    place: str = ""
    seen: tuple[Seen, ...] = ()

    @property
    def label(self) -> str:
        """What people call it."""
        return self.name or f"{self.kind}:{str(self.id)[:8]}"


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a namespace stands. `revision` is the newest of the store; `problems` are what cannot be read in it."""

    namespace: str
    store: str
    revision: int = 0
    runtimes: tuple[Report, ...] = ()
    symbols: tuple[SymbolStanding, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def followed(self) -> bool:
        """Whether a runtime follows it."""
        return bool(self.runtimes)

    @property
    def symbols_well(self) -> bool:
        """Whether every symbol is as it should be."""
        return not any(each.state in ILL for each in self.symbols)

    @property
    def well(self) -> bool:
        """Whether a runtime follows it, and everything is as it should be."""
        sick = any(is_ill(condition) for each in self.runtimes for condition in each.conditions)
        return self.followed and self.symbols_well and not sick and not self.problems


def is_ill(condition: Condition) -> bool:
    """Whether a condition is not as it should be; that something drains is no harm."""
    if condition.type == "Draining":
        return False
    return condition.status is (condition.type == "Degraded")


def reason(why: Condition | None) -> str:
    """A condition for people: `flow.yaml:7:3: unknown field …`; empty where there is nothing to say."""
    if why is None:
        return ""
    said = why.message or why.reason
    # That it is degraded says itself which revision runs.
    place = why.place if why.type != "Degraded" or not why.place.startswith("revision ") else ""
    return f"{place}: {said}" if place else said


def telling(conditions: Iterable[Condition]) -> Condition | None:
    """The condition that says best what is not as it should be; None where all are well."""
    ill = [each for each in conditions if is_ill(each)]
    # Why it is not valid says more than that it is not active for that reason.
    return next((each for each in ill if each.message), ill[0] if ill else None)


async def standing(
    store: Store, namespace: str, *, names: Collection[str] = (), ids: Collection[UUID] = ()
) -> Standing:
    """How a namespace stands now; with `names` or `ids`, of these symbols only.

    It reads the Specs of the namespace, so it costs what that holds. A store in which runtimes do
    not say how they are has no runtimes here. StoreError where the store cannot be read.
    """
    # The Reports first: who has looked at more than is read here is not behind.
    reports = await store.reports(namespace) if isinstance(store, ReportStore) else ()
    reports = sorted(reports, key=lambda report: (report.host, report.started, report.runtime))
    specs = await store.specs(namespace)
    told = [(report, {each.id: each for each in report.symbols}) for report in reports]
    turns = LoopYield()
    found: dict[UUID, SymbolStanding] = {}
    for spec in specs:
        await turns.rest()
        found[spec.id] = _symbol(spec, told)
    for report in reports:
        for symbol in report.symbols:
            if symbol.id not in found:
                found[symbol.id] = _gone(symbol, reports)
    wanted = [
        each
        for each in found.values()
        if not (names or ids)
        or each.id in ids
        or bool({each.name, each.label, str(each.id)} & set(names))
    ]
    return Standing(
        namespace=namespace,
        store=store.url,
        revision=await store.newest(),
        runtimes=tuple(reports),
        symbols=tuple(sorted(wanted, key=lambda each: (each.name or "~", str(each.id)))),
        problems=tuple(await store.problems()),
    )


def _symbol(
    spec: Spec, reports: Sequence[tuple[Report, Mapping[UUID, SymbolReport]]]
) -> SymbolStanding:
    """How a Spec of the store stands."""
    seen = tuple(_seen(spec, report, told.get(spec.id)) for report, told in reports)
    return SymbolStanding(
        id=spec.id,
        name=spec.name,
        kind=spec.kind,
        state=_worst(seen),
        revision=spec.revision,
        place=str(spec.place()) if spec.places is not None else "",
        seen=seen,
    )


def _seen(spec: Spec, report: Report, told: SymbolReport | None) -> Seen:
    if spec.revision > report.observed:
        observed = told.observed if told is not None else 0
        conditions = told.conditions if told is not None else ()
        return Seen(
            runtime=report.runtime, state="behind", observed=observed, conditions=conditions
        )
    if told is None:
        return Seen(runtime=report.runtime, state="active", observed=spec.revision)
    return Seen(
        runtime=report.runtime,
        state=stands(told),
        observed=told.observed,
        conditions=told.conditions,
    )


def _gone(symbol: SymbolReport, reports: Sequence[Report]) -> SymbolStanding:
    """How a symbol stands that the store has not: one that drains, or could not be let go, or is held."""
    seen = tuple(
        Seen(
            runtime=report.runtime,
            state=stands(told),
            observed=told.observed,
            conditions=told.conditions,
        )
        for report in reports
        for told in report.symbols
        if told.id == symbol.id
    )
    return SymbolStanding(
        id=symbol.id, name=symbol.name, kind=symbol.kind, state=_worst(seen), seen=seen
    )


def stands(symbol: SymbolReport) -> Stands:
    """How a symbol stands in a runtime that has named it."""
    true = {each.type for each in symbol.conditions if each.status}
    if symbol.refused and not symbol.observed:
        return "refused"
    if "Degraded" in true:
        return "degraded"
    if symbol.waiting:
        return "waiting"
    return "draining" if "Draining" in true else "active"


def _worst(seen: Sequence[Seen]) -> Stands:
    return min((each.state for each in seen), key=ORDER.index, default="idle")
