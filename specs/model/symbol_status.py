"""A SymbolStatus says how a symbol is: one record from the runtime to the store, the API, SQL and the CLI."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias
from uuid import UUID

import msgspec

CONDITIONS = ("Valid", "Compiled", "Linked", "Active", "Draining", "Degraded")
"""The sorts of Condition, in the order in which they are told."""

SymbolState: TypeAlias = Literal[
    "rejected", "degraded", "waiting", "behind", "draining", "active", "idle"
]
"""The state of a symbol. `behind`: a runtime has not looked at it yet. `idle`: no runtime follows."""

ORDER: tuple[SymbolState, ...] = (
    "rejected",
    "degraded",
    "waiting",
    "behind",
    "draining",
    "active",
    "idle",
)
"""The states, the worst first."""

UNWELL: frozenset[SymbolState] = frozenset({"rejected", "degraded", "waiting", "behind"})
"""The states in which something is not as it should be."""


class Condition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is so, or is not so, with a symbol or a runtime.

    `type` is one of CONDITIONS. `reason` is one word for programs (`UnknownField`), `message` is for
    people, `place` is `file:line:column` where that is known. `since` is in seconds since 1970.
    """

    type: str
    status: bool
    reason: str = ""
    message: str = ""
    place: str = ""
    since: float = 0.0

    @property
    def unwell(self) -> bool:
        """Whether it is not as it should be; that something drains is no harm."""
        if self.type == "Draining":
            return False
        return self.status is (self.type == "Degraded")

    def __str__(self) -> str:
        """Return the text for people: `flow.yaml:7:3: unknown field …`."""
        text = self.message or self.reason
        # That it is degraded says itself which revision runs.
        known = self.type != "Degraded" or not self.place.startswith("revision ")
        return f"{self.place}: {text}" if self.place and known else text


class SymbolStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The status of a symbol in one runtime; with `runtimes`, in all that follow its namespace: the worst counts.

    `revision` is what the store holds of it (0: it is gone), `observed` what runs (0: nothing).
    `reasons` say why it is not active, or what was rejected. `generation` is that in which its node
    began, `node` what the node says of itself: both are known in the process of the runtime only.
    """

    id: UUID
    name: str | None = None
    kind: str = ""
    namespace: str = ""
    state: SymbolState = "active"
    reasons: tuple[str, ...] = ()
    place: str = ""
    revision: int = 0
    observed: int = 0
    generation: int = 0
    conditions: tuple[Condition, ...] = ()
    node: Mapping[str, Any] = {}
    runtime: str = ""
    runtimes: tuple["SymbolStatus", ...] = ()

    @property
    def label(self) -> str:
        """The label for people."""
        return self.name or f"{self.kind}:{str(self.id)[:8]}"

    @property
    def rejected(self) -> bool:
        """Whether what the store says of it was rejected: another revision runs, or none."""
        return self.revision != self.observed

    @property
    def why(self) -> Condition | None:
        """The condition that says best why it is not as it should be."""
        return telling(self.conditions)


def state_of(*, revision: int, observed: int, conditions: Iterable[Condition]) -> SymbolState:
    """Return the state of a symbol in a runtime that has looked at it."""
    so = {each.type: each.status for each in conditions}
    rejected = revision != observed
    if rejected and not observed:
        return "rejected"
    if so.get("Degraded"):
        return "degraded"
    if not rejected and so.get("Active") is False:
        return "waiting"
    return "draining" if so.get("Draining") else "active"


def telling(conditions: Iterable[Condition]) -> Condition | None:
    """Return the condition that says best what is not as it should be; None if all are well."""
    unwell = [each for each in conditions if each.unwell]
    # Why it is not valid says more than that it is not active for that reason.
    return next((each for each in unwell if each.message), unwell[0] if unwell else None)
