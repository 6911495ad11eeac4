"""Comparing texts of Specs that never met a store: who in the one is who in the other.

Ids and names say it. What has neither has its id from its number in its file, which says nothing
as soon as something is added above it: such entries are paired by what they say.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import msgspec

from heddle.schemas.errors import SpecError
from heddle.schemas.problem import Problem
from heddle.specs.model.difference import Diff, differences
from heddle.specs.model.entry import data_of
from heddle.specs.model.index import Key, key_of
from heddle.specs.model.names import new_id
from heddle.specs.model.revision import RevisionChange
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource
from heddle.specs.model.three_way import matches
from heddle.specs.yaml.document import decode, read_text


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """The content of a text, and which of its entries have an id only by their number."""

    text: str = ""
    resources: tuple[Resource, ...] = ()
    anonymous: frozenset[Key] = frozenset()
    problems: tuple[Problem, ...] = ()

    @staticmethod
    def read(data: str | bytes, *, file: str = "", namespace: str = "default") -> "Sheet":
        """Read a text; where it has problems, `resources` are what is sound in it."""
        text = data if isinstance(data, str) else decode(data)
        if text is None:
            return Sheet(problems=read_text(data, file=file).problems)
        first = read_text(text, file=file, namespace=namespace, key="one")
        resources: tuple[Resource, ...] = (*first.specs, *first.values)
        nameless = {key_of(each) for each in resources if each.name is None}
        if nameless:
            other = read_text(text, file=file, namespace=namespace, key="other")
            again: tuple[Resource, ...] = (*other.specs, *other.values)
            nameless -= {key_of(each) for each in again}
        return Sheet(
            text=text,
            resources=resources,
            anonymous=frozenset(nameless),
            problems=first.problems,
        )

    def sound(self) -> "Sheet":
        """Return the same; SpecError with every Problem if it has some."""
        if self.problems:
            raise SpecError(self.problems)
        return self

    def called(self, ids: dict[Key, UUID]) -> list[Resource]:
        """Return the resources, those among these keys under other ids."""
        return [
            msgspec.structs.replace(each, id=ids[key_of(each)]) if key_of(each) in ids else each
            for each in self.resources
        ]


def compared(old: Sequence[Sheet], new: Sequence[Sheet]) -> list[Diff]:
    """Return what tells two sets of texts apart; raise SpecError if one of them has problems."""
    before, after = joined(old).sound(), joined(new).sound()
    then = {key_of(each): each for each in before.resources}
    now = {key_of(each): each for each in after.called(paired(before, after))}
    turns = [RevisionChange(before=then.get(key), after=now.get(key)) for key in {**then, **now}]
    return [each for each in differences(turns) if each.action != "unchanged"]


def joined(sheets: Sequence[Sheet]) -> Sheet:
    """Several texts as one."""
    if len(sheets) == 1:
        return sheets[0]
    resources: list[Resource] = []
    anonymous: set[Key] = set()
    for sheet in sheets:
        # The same number in another text is somebody else.
        ids = {key: new_id() for key in sheet.anonymous}
        resources += sheet.called(ids)
        anonymous |= {(key[0], id_) for key, id_ in ids.items()}
    return Sheet(
        text="".join(sheet.text for sheet in sheets),
        resources=tuple(resources),
        anonymous=frozenset(anonymous),
        problems=tuple(problem for sheet in sheets for problem in sheet.problems),
    )


def paired(base: Sheet, side: Sheet, *, known: Iterable[Resource] = ()) -> dict[Key, UUID]:
    """Return the id in `base` of each anonymous entry of `side` that means the same; new ids for the others.

    `known` are entries that count as the same only when they say the same to the letter.
    """
    ids: dict[Key, UUID] = {}
    theirs = _groups(side)
    ours = _groups(base)
    spare: dict[bytes, list[UUID]] = {}
    for each in known:
        spare.setdefault(_print(each), []).append(each.id)
    for group, entries in theirs.items():
        pairs = _pairs(ours.get(group, []), entries)
        for number, entry in enumerate(entries):
            same = spare.get(_print(entry), [])
            if number in pairs:
                ids[key_of(entry)] = pairs[number]
            else:
                ids[key_of(entry)] = same.pop(0) if same else new_id()
    return ids


def _groups(sheet: Sheet) -> dict[tuple[str, str], list[Resource]]:
    """Return the anonymous entries that may be meant by one another, in order."""
    mapping: dict[tuple[str, str], list[Resource]] = {}
    for each in sheet.resources:
        if key_of(each) in sheet.anonymous:
            kind = each.kind if isinstance(each, Spec) else ""
            mapping.setdefault((each.namespace, kind), []).append(each)
    return mapping


def _pairs(base: Sequence[Resource], side: Sequence[Resource]) -> dict[int, UUID]:
    """By number in the side, the id of the one in the base: equal ones first, then those between in order."""
    data, other = [_print(each) for each in base], [_print(each) for each in side]
    stretches = matches(data, other)
    mapping = {
        begin + number: start + number for start, begin, size in stretches for number in range(size)
    }
    rest: dict[bytes, list[int]] = {}
    for number in sorted(set(range(len(data))) - set(mapping.values())):
        rest.setdefault(data[number], []).append(number)
    for number in range(len(other)):
        if number not in mapping and rest.get(other[number]):
            mapping[number] = rest[other[number]].pop(0)
    taken = set(mapping.values())
    last = first = 0
    for start, begin, size in [*stretches, (len(data), len(other), 0)]:
        free = [number for number in range(last, start) if number not in taken]
        open_ = [number for number in range(first, begin) if number not in mapping]
        mapping.update(zip(open_, free, strict=False))
        last, first = start + size, begin + size
    return {number: base[at].id for number, at in mapping.items()}


def content(resource: Resource) -> dict[str, Any]:
    """Return what an entry says, but for its id."""
    entry = data_of(resource, namespace="")
    entry.pop("id", None)
    return entry


def _print(resource: Resource) -> bytes:
    return msgspec.json.encode(content(resource), order="sorted", enc_hook=repr)
