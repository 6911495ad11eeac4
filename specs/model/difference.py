"""A Difference tells two states of a Spec or a Value apart, field by field and port by port."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from heddle.schemas.path import Path, dotted
from heddle.specs.model.entry import data_of
from heddle.specs.model.mask import covered
from heddle.specs.model.revision import RevisionChange
from heddle.specs.model.spec import Spec
from heddle.specs.model.value import Value

Action: TypeAlias = Literal["created", "updated", "unchanged", "deleted"]

ABSENT = msgspec.UNSET
"""The mark that stands on the side that has no such field."""


class FieldDiff(msgspec.Struct, frozen=True, kw_only=True):
    """One field that differs; of a secret that it does, and nothing of what it says.

    `path` is the way to it (`("ports", "out", "pong.in")`, `("routes", 0, "path")`);
    a side that has no such field is ABSENT.
    """

    path: Path
    before: Any = ABSENT
    after: Any = ABSENT

    @property
    def at(self) -> str:
        """The path as a person reads it: `ports.out`, `routes[0].path`."""
        return dotted("", self.path)


class Diff(msgspec.Struct, frozen=True, kw_only=True):
    """A change of one resource, and which of its fields differ."""

    action: Action
    turn: RevisionChange
    details: tuple[FieldDiff, ...] = ()

    @property
    def resource(self) -> Spec | Value:
        """The resource, in its later form."""
        return self.turn.resource


def difference(before: Spec | Value | None, after: Spec | Value | None) -> Diff:
    """Return what it takes to come from one state of a resource to another; None is that there is none."""
    turn = RevisionChange(before=before, after=after)
    if before is None or after is None:
        return Diff(action="created" if before is None else "deleted", turn=turn)
    details = tuple(_details(entry_data(before), entry_data(after), ()))
    if isinstance(before, Value) and isinstance(after, Value) and (before.secret or after.secret):
        details = tuple(_hidden(detail) for detail in details)
    return Diff(action="updated" if details else "unchanged", turn=turn, details=details)


def differences(turns: Iterable[RevisionChange]) -> list[Diff]:
    """Return the Difference of each turn, in order."""
    return [difference(turn.before, turn.after) for turn in turns]


def _hidden(detail: FieldDiff) -> FieldDiff:
    """Return the same of a secret: whatever of its data differs is masked."""
    if detail.path[:1] != ("data",):
        return detail
    before, after = (
        side if side is ABSENT else covered(side) for side in (detail.before, detail.after)
    )
    return msgspec.structs.replace(detail, before=before, after=after)


def entry_data(resource: Spec | Value) -> dict[str, Any]:
    """Return what the entry says, with each link of a port under its target: their order is no difference of its own."""
    entry = data_of(resource, namespace="")
    if isinstance(resource, Spec) and resource.ports:
        entry["ports"] = {
            port: _by_target(links, resource.ports[port]) for port, links in entry["ports"].items()
        }
    return entry


def _by_target(entries: list[Any], links: Iterable[Any]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for entry, link in zip(entries, links, strict=True):
        key = f"{link.target}.{link.port}"
        number = 2
        while key in data:
            key = f"{link.target}.{link.port}#{number}"
            number += 1
        data[key] = entry
    return data


def _details(before: Any, after: Any, path: Path) -> Iterator[FieldDiff]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            yield from _details(before.get(key, ABSENT), after.get(key, ABSENT), (*path, key))
        if path[:1] == ("ports",) and len(path) == 2 and not _same_order(before, after):
            yield FieldDiff(path=path, before=list(before), after=list(after))
    elif isinstance(before, list) and isinstance(after, list):
        for number in range(max(len(before), len(after))):
            old = before[number] if number < len(before) else ABSENT
            new = after[number] if number < len(after) else ABSENT
            yield from _details(old, new, (*path, number))
    elif type(before) is not type(after) or before != after:
        yield FieldDiff(path=path, before=before, after=after)


def _same_order(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Return whether what both have stands in the same order: answers are joined in the order of links."""
    return [key for key in before if key in after] == [key for key in after if key in before]
