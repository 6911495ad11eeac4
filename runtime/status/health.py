"""Health is what is not well in a runtime: the conditions of its symbols, and of itself.

It is looked up, not remembered, except since when something is so. To tell what is not well costs
what that is, and what can say of itself that it is not; never what the namespace holds.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from uuid import UUID

import msgspec

from heddle.runtime.assembly.loader import Loader
from heddle.runtime.assembly.rejection import Rejection
from heddle.runtime.assembly.rollout import Shift
from heddle.runtime.assembly.symbol import Symbol
from heddle.runtime.assembly.table import SymbolTable
from heddle.runtime.assembly.team import ALONE, Team
from heddle.runtime.events.events import Events
from heddle.runtime.flow.step import FAILURES
from heddle.schemas.pieces import Pieces, at_once
from heddle.schemas.problem import Place, Problem
from heddle.specs.model.spec import Spec
from heddle.specs.model.symbol_status import CONDITIONS, Condition, SymbolStatus, state_of

_COMPILED = frozenset({"code", "codec"})
_LINKED = frozenset({"unknown-port", "missing-link", "waiting-link"})
_BEGIN = "begin"
_NOT = frozenset({"Draining", "Degraded"})
"""The condition of a part that is as it should be."""

NAMED = 5
"""So many symbols are named where more are meant."""


class RuntimeHealth:
    """A condition that is not well in one runtime.

    `failure` says why the store cannot be followed, `unkept` why what it reports cannot be kept;
    each is empty when it can.
    """

    def __init__(
        self,
        table: SymbolTable,
        loader: Loader,
        shift: Shift,
        events: Events,
        failure: Callable[[], str],
        team: Team = ALONE,
        unkept: Callable[[], str] = str,
    ) -> None:
        self._table = table
        self._loader = loader
        self._shift = shift
        self._events = events
        self._failure = failure
        self._team = team
        self._unkept = unkept
        self._since: dict[UUID | None, dict[str, tuple[bool, float]]] = {}
        self.stopping = False

    # -- one symbol ----------------------------------------------------------------------------

    def of(self, uuid: UUID) -> tuple[Condition, ...]:
        """Return all conditions of a symbol, in their order; none of one that is neither here nor rejected."""
        symbol, rejection = self._table.get(uuid), self._loader.not_live.get(uuid)
        draining = self._draining(uuid)
        if symbol is None and rejection is None:
            return self._dated(uuid, [_yes("Draining", draining)], 0.0) if draining else ()
        active = symbol is not None and self._table.active(symbol)
        text = self._node_reason(symbol) if symbol is not None and active else ""
        if active and not (rejection or draining or text or uuid in self._since):
            return _well(_natural(symbol, active=True))
        conditions = [
            *_written(rejection),
            self._linked(symbol, rejection),
            self._active(symbol, rejection, active=active),
            _yes("Draining", draining) if draining else Condition(type="Draining", status=False),
            self._degraded(symbol, rejection, text, active=active),
        ]
        return self._dated(uuid, conditions, _natural(symbol, active=active))

    def _linked(self, symbol: Symbol | None, rejection: Rejection | None) -> Condition:
        for problem in rejection.own if rejection is not None else ():
            if problem.code in _LINKED:
                return _no("Linked", problem, rejection)
        lacks = self._table.lacks(symbol) if symbol is not None else None
        if symbol is None or lacks is None:
            return Condition(type="Linked", status=True)
        path, _ = lacks
        return Condition(
            type="Linked",
            status=False,
            reason="TargetMissing",
            message="; ".join(self._table.reasons(symbol)),
            place=_at(symbol.spec, symbol.spec.place(path)),
        )

    def _active(
        self, symbol: Symbol | None, rejection: Rejection | None, *, active: bool
    ) -> Condition:
        if active:
            return Condition(type="Active", status=True)
        if symbol is not None:
            why = "; ".join(self._table.reasons(symbol))
            return Condition(type="Active", status=False, reason="Waiting", message=why)
        if rejection is None:
            raise RuntimeError("neither the table nor the loader knows this symbol")
        return _rejected("Active", rejection, "Rejected", "")

    def _degraded(
        self, symbol: Symbol | None, rejection: Rejection | None, text: str, *, active: bool
    ) -> Condition:
        if symbol is not None and rejection is not None:
            runs = symbol.spec.revision
            subject = "its deletion" if rejection.gone else f"revision {rejection.revision}"
            if rejection.revision == runs:
                subject = "what was written"
            goes_on = "goes on running" if active else "stays"
            message = f"{subject} was rejected, revision {runs} {goes_on}: "
            return _rejected("Degraded", rejection, "Rejected", message, status=True)
        if text:
            return Condition(type="Degraded", status=True, reason="Degraded", message=text)
        return Condition(type="Degraded", status=False)

    def _node_reason(self, symbol: Symbol) -> str:
        """Return what a node says of itself; what it raises is what is wrong with it."""
        try:
            return symbol.node.degraded()
        except FAILURES as error:
            return f"it cannot say how it is: {type(error).__name__}: {error}"

    def _draining(self, uuid: UUID) -> float:
        """Since when something of a symbol drains; 0 if nothing does."""
        left = self._shift.draining.get(uuid)
        return left[1] if left is not None else 0.0

    def status(self, uuid: UUID) -> SymbolStatus:
        """Return what there is to say of a symbol."""
        symbol, rejection = self._table.get(uuid), self._loader.not_live.get(uuid)
        spec = self._spec(uuid)
        observed = symbol.spec.revision if symbol is not None else 0
        revision = rejection.revision if rejection is not None else observed
        conditions = self.of(uuid)
        state = state_of(revision=revision, observed=observed, conditions=conditions)
        return SymbolStatus(
            id=uuid,
            name=spec.name if spec is not None else None,
            kind=spec.kind if spec is not None else "",
            namespace=spec.namespace if spec is not None else "",
            state="rejected" if symbol is None and rejection is not None else state,
            revision=revision,
            observed=observed,
            conditions=conditions,
        )

    def _spec(self, uuid: UUID) -> Spec | None:
        symbol, rejection = self._table.get(uuid), self._loader.not_live.get(uuid)
        if symbol is not None:
            return symbol.spec
        if rejection is not None:
            return rejection.spec
        left = self._shift.draining.get(uuid)
        return left[0].spec if left is not None else None

    # -- all of them ---------------------------------------------------------------------------

    def degraded(self) -> tuple[SymbolStatus, ...]:
        """Return every symbol with a condition that is not as it should be, and those that drain."""
        return at_once(self.degraded_in_pieces())

    def degraded_in_pieces(self) -> Pieces[tuple[SymbolStatus, ...]]:
        """Return the same a piece at a time: after a large change there are as many as it replaced."""
        mapping: dict[UUID, None] = dict.fromkeys(self._loader.not_live)
        mapping |= dict.fromkeys(symbol.id for symbol in self._table.waiters())
        mapping |= dict.fromkeys(
            symbol.id for symbol in self._shift.telling.values() if self._node_reason(symbol)
        )
        if not self.stopping:
            # Then all of them drain, which goes without saying.
            mapping |= dict.fromkeys(self._shift.draining)
        self._forget(mapping)
        statuses: list[SymbolStatus] = []
        for uuid in mapping:
            statuses.append(self.status(uuid))
            yield
        return tuple(statuses)

    def _forget(self, degraded: dict[UUID, None]) -> None:
        """Forget since when something was so with symbols that are no more."""
        for uuid in [each for each in self._since if each is not None and each not in degraded]:
            if self._table.get(uuid) is None:
                del self._since[uuid]

    # -- the runtime ---------------------------------------------------------------------------

    def overall(self, degraded: Sequence[SymbolStatus]) -> tuple[Condition, ...]:
        """Return the conditions of the runtime as a whole, given the symbols that are not well."""
        conditions = [
            self._sound("Valid", degraded),
            self._sound("Compiled", degraded),
            self._sound("Linked", degraded),
            Condition(type="Active", status=not self.stopping),
            Condition(type="Draining", status=bool(self._shift.draining) or self.stopping),
            self._degraded_symbols(degraded),
        ]
        unready = self.unready()
        if unready:
            conditions[3] = Condition(
                type="Active", status=False, reason="SourceWaiting", message=unready
            )
        if self.stopping:
            conditions[3] = Condition(
                type="Active", status=False, reason="Stopping", message="the runtime is stopping"
            )
        return self._dated(None, conditions, 0.0)

    def unready(self) -> str:
        """Return why it is not ready: sources that were active before it began wait; empty if none does."""
        waiting = self._loader.waiting_sources
        if not waiting:
            return ""
        fallbacks = set(self._loader.fallbacks)
        why = [
            str(problem)
            for uuid, rejection in self._loader.not_live.items()
            if uuid not in fallbacks
            for problem in rejection.problems
        ]
        labels = some(sorted(waiting.values()))
        first = f": {why[0]}" if why else ""
        return str(self._events.mask(f"{labels} waits, and was active before{first}"))

    def _sound(self, sort: str, degraded: Sequence[SymbolStatus]) -> Condition:
        """Return that something is so with every symbol."""
        if sort == "Valid" and self._loader.unreadable:
            problem = self._loader.unreadable[0]
            more = len(self._loader.unreadable) - 1
            condition = _no(sort, problem, None)
            return msgspec.structs.replace(
                condition,
                message=f"{condition.message} (and {more} more)" if more else condition.message,
            )
        failing = [
            (status, condition)
            for status in degraded
            for condition in status.conditions
            if condition.type == sort and not condition.status
        ]
        if not failing:
            return Condition(type=sort, status=True)
        first = failing[0][1]
        names = _names(status for status, _ in failing)
        return msgspec.structs.replace(
            first, message=f"{names}: {first.message}" if first.message else names, since=0.0
        )

    def _degraded_symbols(self, degraded: Sequence[SymbolStatus]) -> Condition:
        failure = self._failure()
        if failure:
            return Condition(
                type="Degraded", status=True, reason="StoreNotFollowed", message=failure
            )
        fallbacks = self._loader.fallbacks
        if fallbacks:
            return self._fallback(fallbacks, degraded)
        if self._loader.unreadable:
            condition = _no("Degraded", self._loader.unreadable[0], None)
            return msgspec.structs.replace(condition, status=True, reason="Unreadable")
        if self._team.failure:
            return Condition(
                type="Degraded",
                status=True,
                reason="ReplacementStopped",
                message=self._team.failure,
            )
        bad = [status for status in degraded if status.rejected or _is(status, "Degraded")]
        unkept = self._unkept() if not bad else ""
        if unkept:
            return Condition(type="Degraded", status=True, reason="ReportsNotKept", message=unkept)
        if not bad:
            return Condition(type="Degraded", status=False)
        rejected = [status for status in bad if status.rejected]
        text = f"{_names(rejected)} rejected" if rejected else f"{_names(bad)} degraded"
        reason = "Rejected" if rejected else "Degraded"
        return Condition(type="Degraded", status=True, reason=reason, message=text)

    def _fallback(self, fallbacks: Sequence[UUID], degraded: Sequence[SymbolStatus]) -> Condition:
        """Return that it serves what was accepted last, as the newest had Problems when it began."""
        statuses = [status for status in degraded if status.id in fallbacks]
        problem = next(
            (each for fallback in fallbacks for each in self._loader.not_live[fallback].problems),
            None,
        )
        text = f"{_names(statuses)}: the last accepted revision serves"
        condition = _no("Degraded", problem, None) if problem is not None else None
        return Condition(
            type="Degraded",
            status=True,
            reason="LastAccepted",
            message=f"{text}: {condition.message}" if condition is not None else text,
            place=condition.place if condition is not None else "",
        )

    # -- since when ----------------------------------------------------------------------------

    def _dated(
        self, uuid: UUID | None, conditions: Iterable[Condition], natural: float
    ) -> tuple[Condition, ...]:
        """Return the conditions with since when they are so, secrets masked."""
        before = self._since.get(uuid, {})
        now = time.time()
        noted: dict[str, tuple[bool, float]] = {}
        dated: list[Condition] = []
        for condition in conditions:
            status, since = before.get(condition.type, (condition.status, 0.0))
            if status is not condition.status:
                since = condition.since or now
            since = since or condition.since or natural or now
            noted[condition.type] = condition.status, since
            message = condition.message and self._events.shown(condition.message)
            dated.append(msgspec.structs.replace(condition, since=since, message=message))
        if before or any(condition.status is (condition.type in _NOT) for condition in dated):
            self._since[uuid] = noted
        return tuple(dated)


def _well(since: float) -> tuple[Condition, ...]:
    """Return the conditions of a symbol that is as it should be."""
    return tuple(Condition(type=sort, status=sort not in _NOT, since=since) for sort in CONDITIONS)


def _natural(symbol: Symbol | None, *, active: bool) -> float:
    """Since when all is as it is with a symbol of which nothing else is known."""
    if symbol is None:
        return 0.0
    return symbol.began if active and symbol.began else symbol.made


def _written(rejection: Rejection | None) -> Iterator[Condition]:
    """Yield whether what was written is valid, and compiles."""
    own = rejection.own if rejection is not None else []
    for sort in ("Valid", "Compiled"):
        wrong = next((problem for problem in own if _concerns(problem) == sort), None)
        yield Condition(type=sort, status=True) if wrong is None else _no(sort, wrong, rejection)


def _concerns(problem: Problem) -> str:
    """Return which condition a Problem makes untrue."""
    if problem.code in _COMPILED:
        return "Compiled"
    if problem.code in _LINKED:
        return "Linked"
    return "Active" if problem.code == _BEGIN else "Valid"


def _no(sort: str, problem: Problem, rejection: Rejection | None) -> Condition:
    """Return that a condition is not so, for this Problem."""
    return Condition(
        type=sort,
        status=False,
        reason=camel(problem.code),
        message=problem_text(problem),
        place=_at(rejection.spec if rejection is not None else None, problem.place),
        since=rejection.since if rejection is not None else 0.0,
    )


def _rejected(
    sort: str, rejection: Rejection, reason: str, prefix: str, *, status: bool = False
) -> Condition:
    """Return a condition that is as it is because of a rejection: its own Problem says why, or who holds it up."""
    own = rejection.own
    problem = own[0] if own else rejection.problems[0] if rejection.problems else None
    if problem is None:
        return Condition(type=sort, status=status, reason=reason, since=rejection.since)
    text = problem_text(problem)
    if not own and problem.place.file and problem.path:
        text = f"{problem.path}: {text}"
    return Condition(
        type=sort,
        status=status,
        reason=reason if own else "HeldUp",
        message=f"{prefix}{text}",
        place=_at(rejection.spec, problem.place),
        since=rejection.since,
    )


def _yes(sort: str, since: float) -> Condition:
    return Condition(type=sort, status=True, since=since)


def _is(status: SymbolStatus, sort: str) -> bool:
    return any(each.type == sort and each.status for each in status.conditions)


def _names(degraded: Iterable[SymbolStatus]) -> str:
    """`pong, router and 3 more`."""
    return some([status.label for status in degraded])


def some(names: Sequence[str]) -> str:
    """`pong, router and 3 more`."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def _at(spec: Spec | None, place: Place) -> str:
    """`flow.yaml:7:3`; of what stands in no file, its revision."""
    if place.file or place.line:
        return str(place)
    return f"revision {spec.revision}" if spec is not None and spec.revision else ""


def problem_text(problem: Problem) -> str:
    """Return a Problem without its place; where that is not known, with its path."""
    where = f"{problem.path}: " if problem.path and not problem.place.file else ""
    expected = f" (expected: {problem.expected})" if problem.expected else ""
    hint = f". {problem.hint}" if problem.hint else ""
    return f"{where}{problem.found}{expected}{hint}"


def camel(code: str) -> str:
    """`unknown-field` as one word for programs: `UnknownField`."""
    return "".join(word.capitalize() for word in code.replace("_", "-").split("-"))
