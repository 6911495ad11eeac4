"""The status of a namespace: what its store holds, beside what each of its runtimes says of it."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import msgspec

from heddle.schemas.pieces import LoopYield
from heddle.schemas.problem import Problem
from heddle.specs.model.report import Report, ReportStore
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Store
from heddle.specs.model.symbol_status import ORDER, UNWELL, SymbolState, SymbolStatus


class NamespaceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of a namespace. `revision` is the newest of the store; `problems` are what cannot be read in it."""

    namespace: str
    store: str
    revision: int = 0
    runtimes: tuple[Report, ...] = ()
    symbols: tuple[SymbolStatus, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def followed(self) -> bool:
        """Whether a runtime follows it."""
        return bool(self.runtimes)

    @property
    def symbols_well(self) -> bool:
        """Whether every symbol is as it should be."""
        return not any(each.state in UNWELL for each in self.symbols)

    @property
    def well(self) -> bool:
        """Whether a runtime follows it, and everything is as it should be."""
        conditions = (condition for each in self.runtimes for condition in each.conditions)
        unwell = any(condition.unwell for condition in conditions)
        return self.followed and self.symbols_well and not unwell and not self.problems


async def namespace_status(
    store: Store, namespace: str, *, names: Collection[str] = (), ids: Collection[UUID] = ()
) -> NamespaceStatus:
    """Return how a namespace stands now; with `names` or `ids`, of these symbols only.

    It reads the Specs of the namespace, so it costs what that holds. A store in which runtimes do
    not say how they are has no runtimes here. Raise StoreError if the store cannot be read.
    """
    # The Reports first: who has looked at more than is read here is not behind.
    reports = await store.reports(namespace) if isinstance(store, ReportStore) else ()
    reports = sorted(reports, key=lambda report: (report.host, report.started, report.runtime))
    specs = await store.specs(namespace)
    entries = [(report, {each.id: each for each in report.symbols}) for report in reports]
    turns = LoopYield()
    statuses: dict[UUID, SymbolStatus] = {}
    for spec in specs:
        await turns.rest()
        statuses[spec.id] = _symbol(spec, entries)
    for report in reports:
        for symbol in report.symbols:
            if symbol.id not in statuses:
                statuses[symbol.id] = _gone(symbol, reports)
    selected = [
        each
        for each in statuses.values()
        if not (names or ids)
        or each.id in ids
        or bool({each.name, each.label, str(each.id)} & set(names))
    ]
    return NamespaceStatus(
        namespace=namespace,
        store=store.url,
        revision=await store.newest(),
        runtimes=tuple(reports),
        symbols=tuple(sorted(selected, key=lambda each: (each.name or "~", str(each.id)))),
        problems=tuple(await store.problems()),
    )


def _symbol(
    spec: Spec, reports: Sequence[tuple[Report, Mapping[UUID, SymbolStatus]]]
) -> SymbolStatus:
    """Return how a Spec of the store is in all runtimes."""
    return _together(
        [_in_runtime(spec, report, known.get(spec.id)) for report, known in reports], spec
    )


def _in_runtime(spec: Spec, report: Report, known: SymbolStatus | None) -> SymbolStatus:
    """Return how one runtime has a Spec; it names those only that are not well."""
    behind = spec.revision > report.observed
    if known is None:
        known = SymbolStatus(
            id=spec.id, name=spec.name, kind=spec.kind, observed=0 if behind else spec.revision
        )
    return msgspec.structs.replace(
        known,
        namespace=spec.namespace,
        runtime=report.runtime,
        revision=spec.revision,
        state="behind" if behind else known.state,
    )


def _gone(symbol: SymbolStatus, reports: Sequence[Report]) -> SymbolStatus:
    """Return how a symbol is that the store has not: one that drains, could not be let go, or is held."""
    return _together(
        [
            msgspec.structs.replace(known, runtime=report.runtime, namespace=report.namespace)
            for report in reports
            for known in report.symbols
            if known.id == symbol.id
        ]
    )


def _together(runtimes: Sequence[SymbolStatus], spec: Spec | None = None) -> SymbolStatus:
    """Return one status of how several runtimes have a symbol: the worst of them counts."""
    states: list[SymbolState] = [each.state for each in runtimes] or ["idle"]
    state = min(states, key=ORDER.index)
    worst = next((each for each in runtimes if each.state == state), None)
    known = worst if spec is None else spec
    if known is None:
        raise ValueError("what the store has not is known from a runtime")
    return SymbolStatus(
        id=known.id,
        name=known.name,
        kind=known.kind,
        namespace=known.namespace,
        state=state,
        place=str(spec.place()) if spec is not None and spec.places is not None else "",
        revision=spec.revision if spec is not None else 0,
        observed=min((each.observed for each in runtimes), default=0),
        reasons=tuple(str(each.why) for each in runtimes if each.why is not None),
        conditions=worst.conditions if worst is not None else (),
        runtimes=tuple(runtimes),
    )
