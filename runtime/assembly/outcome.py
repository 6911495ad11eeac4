"""The outcome of a change set: Loaded for those who wait for it, Tried inside the Loader."""

from collections.abc import Sequence, Set
from uuid import UUID

import msgspec

from heddle.runtime.assembly.draft import Draft
from heddle.schemas.problem import Problem


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a change set. `generation` is the number that it went live as, or None."""

    generation: int | None = None
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    reason: str = ""

    @property
    def rejected(self) -> bool:
        """Whether something of it, or all of it, is not live."""
        return bool(self.problems or self.reason)


class TryResult:
    """The outcome of some keys: they are live, or they are not, for these Problems.

    `culprits` are the ids that it failed for, as far as that can be told. What was `undone` had
    begun already.
    """

    __slots__ = ("culprits", "draft", "loaded", "problems", "undone")

    def __init__(
        self,
        draft: Draft,
        problems: tuple[Problem, ...] = (),
        culprits: Set[UUID] = frozenset(),
        *,
        undone: bool = False,
        loaded: LoadResult | None = None,
    ) -> None:
        self.draft = draft
        self.problems = problems
        self.culprits = culprits
        self.undone = undone
        self.loaded = loaded if loaded is not None else LoadResult(problems=problems)

    @property
    def rejected(self) -> bool:
        """Whether nothing of it is live."""
        return bool(self.problems)


def some_of(labels: Sequence[str]) -> str:
    """Return labels as people read them, `pong, router and 3 more`."""
    return f"{', '.join(labels[:5])}{f' and {len(labels) - 5} more' if len(labels) > 5 else ''}"


def summary_of(changed: tuple[str, ...], removed: tuple[str, ...]) -> str:
    """Return `changed pong, router; removed old`, shortened."""
    parts = []
    for word, labels in (("changed", changed), ("removed", removed)):
        if labels:
            more = f" and {len(labels) - 5} more" if len(labels) > 5 else ""
            parts.append(f"{word} {', '.join(labels[:5])}{more}")
    return "; ".join(parts)
