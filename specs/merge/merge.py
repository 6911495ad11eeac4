"""Three-way merge of Specs and Values: by node, by field, by port, by link, never by line of a file.

`base` is what both sides came from. Whatever only one side changed is taken from it; what both
changed alike is taken once; what they changed differently is a MergeConflict. Two people may so
add links to the same port, change different fields of one node, or different lines of one text.
"""

# One file: the rules for nodes, fields, ports and links call each other, and are read together.

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from heddle.schemas.common_fields import DATA_FIELDS
from heddle.schemas.errors import SpecError
from heddle.schemas.path import Path, dotted
from heddle.schemas.problem import NOWHERE, Place
from heddle.specs.model.difference import ABSENT, entry_data
from heddle.specs.model.entry import spec_of, value_of
from heddle.specs.model.index import Key, key_of
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource
from heddle.specs.model.strict_eq import identical
from heddle.specs.model.three_way import chunks
from heddle.specs.model.value import Value

Favor: TypeAlias = Literal["ours", "theirs", "base"]
"""The side that wins if two disagree."""

_GROUPS = ("annotations", "env", "ports")
"""Common fields that are there even if nobody wrote them: empty."""


class MergeConflict(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that both sides changed, each in its own way.

    `path` is the way to the field (`("ports", "out")`; empty: the node as a whole), as in a Detail.
    `base`, `ours` and `theirs` are what stands there in each, ABSENT if nothing does. `place` is
    where ours was written, else theirs, else base. `secret`: what stands there must not be shown.
    """

    key: Key
    namespace: str
    label: str
    path: Path = ()
    base: Any = ABSENT
    ours: Any = ABSENT
    theirs: Any = ABSENT
    reason: str
    place: Place = NOWHERE
    secret: bool = False

    @property
    def at(self) -> str:
        """The path as a person reads it: `router.ports.out`."""
        return dotted(self.label, self.path)

    def __str__(self) -> str:
        """`flow.yaml:7:3 pong.code: both changed it (base: "a"; ours: "b"; theirs: "c")`."""
        where = f"{self.place} " if self.place != NOWHERE else ""
        if not self.path or self.secret:
            return f"{where}{self.at}: {self.reason}"
        sides = (("base", self.base), ("ours", self.ours), ("theirs", self.theirs))
        text = "; ".join(f"{name}: {_short(data)}" for name, data in sides)
        return f"{where}{self.at}: {self.reason} ({text})"


class MergeResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a merge. With conflicts, `resources` say in each of them what the favored side says."""

    resources: tuple[Resource, ...] = ()
    conflicts: tuple[MergeConflict, ...] = ()


def merge(
    base: Iterable[Resource],
    ours: Iterable[Resource],
    theirs: Iterable[Resource],
    *,
    favor: Favor = "ours",
) -> MergeResult:
    """Merge what two sides made of `base`; each is told apart by its id, links by their target.

    A resource of the result has the revision and the places that it has in ours, if it is there.
    What one side removes and the other changes, or newly leads to, is a conflict. The order of what
    both sides added at one place is ours first; that apart, ours and theirs may be exchanged.
    """
    sides = _MergeSide(base), _MergeSide(ours), _MergeSide(theirs)
    merging = _ResourceMerge(*sides, favor)
    return merging.run()


def merge_one(
    base: Resource | None,
    ours: Resource | None,
    theirs: Resource | None,
    *,
    favor: Favor = "ours",
) -> MergeResult:
    """Return the same for one resource, as two operators have it: what was read, what is wanted, what is stored."""
    parts = [[each] if each is not None else [] for each in (base, ours, theirs)]
    return merge(*parts, favor=favor)


class _MergeSide:
    """The resources of one side, and who leads to whom in it."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self.all: dict[Key, Resource] = {key_of(each): each for each in resources}
        self.names: dict[tuple[type[Spec] | type[Value], str, str | None], Key] = {
            (key[0], each.namespace, each.name): key
            for key, each in self.all.items()
            if each.name is not None
        }

    def references(self) -> dict[tuple[Key, Key], str]:
        """Return every pair of a Spec and what it leads to or asks for, with the path that says so."""
        mapping: dict[tuple[Key, Key], str] = {}
        for key, resource in self.all.items():
            if not isinstance(resource, Spec):
                continue
            for port, links in resource.ports.items():
                for link in links:
                    self._note(
                        mapping, key, (Spec, resource.namespace, link), resource.at(("ports", port))
                    )
            for name, binding in resource.env.items():
                if binding.identified:
                    self._note(
                        mapping,
                        key,
                        (Value, resource.namespace, binding),
                        resource.at(("env", name)),
                    )
        return mapping

    def _note(self, mapping: dict[tuple[Key, Key], str], key: Key, value: Any, path: str) -> None:
        sort, namespace, binding = value
        target = (
            (sort, binding.id)
            if binding.id is not None
            else self.names.get((sort, namespace, binding.name))
        )
        if target is not None and target in self.all:
            mapping.setdefault((key, target), path)


class _ResourceMerge:
    """One merge: the three sides, whom to favor, and what they disagree about."""

    def __init__(
        self, base: _MergeSide, ours: _MergeSide, theirs: _MergeSide, favor: Favor
    ) -> None:
        self.base, self.ours, self.theirs, self.favor = base, ours, theirs, favor
        self.conflicts: list[MergeConflict] = []
        known = base.references()
        self.needed = tuple(
            {pair[1]: path for pair, path in side.references().items() if pair not in known}
            for side in (ours, theirs)
        )
        self.now: tuple[Resource | None, Resource | None, Resource | None] = (None, None, None)

    def run(self) -> MergeResult:
        """Return every resource, in the order of ours."""
        result: dict[Key, Resource] = {}
        keys, _ = _ordered(list(self.base.all), list(self.ours.all), list(self.theirs.all))
        for key in keys:
            merged = self.resource(
                self.base.all.get(key), self.ours.all.get(key), self.theirs.all.get(key)
            )
            if merged is not None:
                result[key] = merged
        self.names(result)
        return MergeResult(resources=tuple(result.values()), conflicts=tuple(self.conflicts))

    # --- one resource ---

    def resource(
        self, base: Resource | None, ours: Resource | None, theirs: Resource | None
    ) -> Resource | None:
        """Return what becomes of one resource."""
        self.now = base, ours, theirs
        if ours == theirs:
            return ours
        if base == theirs:
            return self.led_to(ours, theirs, self.needed[1], "ours", "theirs")
        if base == ours:
            return self.led_to(theirs, ours, self.needed[0], "theirs", "ours")
        if ours is None or theirs is None:
            gone, changer = ("ours", "theirs") if ours is None else ("theirs", "ours")
            return self.whole(f"{gone} removes it, {changer} changes it")
        trees = [entry_data(each) if each is not None else {} for each in self.now]
        if base is not None and self.kind_and_fields(*trees):
            return self.whole("one side makes it another kind, the other changes its fields")
        before = len(self.conflicts)
        tree = self.mapping((), *_with_whole_data(trees))
        if isinstance(tree.get("data"), _DataSource):
            tree |= tree.pop("data").fields
        if base is None and self.favor == "base" and len(self.conflicts) > before:
            return None
        return _resource(tree, ours if self.favor != "theirs" else theirs)

    def led_to(
        self,
        changed: Resource | None,
        kept: Resource | None,
        needed: Mapping[Key, str],
        changer: str,
        keeper: str,
    ) -> Resource | None:
        """Return what one side changed, unless it took away what the other now leads to."""
        if kept is None or (changed is not None and changed.name == kept.name):
            return changed
        path = needed.get(key_of(kept))
        if path is None:
            return changed
        text = "removes it" if changed is None else f'calls it "{changed.name}"'
        return self.whole(f"{changer} {text}, {keeper} now leads to it from {path}")

    def kind_and_fields(
        self, base: Mapping[str, Any], ours: Mapping[str, Any], theirs: Mapping[str, Any]
    ) -> bool:
        """Return whether one side changes the kind, and the other what belongs to the kind it was."""
        kinds = [each.get("kind") for each in (base, ours, theirs)]
        if kinds[1] == kinds[2]:
            return False
        other = theirs if kinds[1] != kinds[0] else ours
        return other.get("kind") != kinds[0] or not identical(_own(base), _own(other))

    def whole(self, reason: str) -> Resource | None:
        """Return a conflict about the resource as a whole; what the favored side has."""
        trees = [entry_data(each) if each is not None else ABSENT for each in self.now]
        self.conflict((), trees[0], trees[1], trees[2], reason)
        base, ours, theirs = self.now
        return {"base": base, "ours": ours, "theirs": theirs}[self.favor]

    def conflict(self, path: Path, base: Any, ours: Any, theirs: Any, reason: str) -> Any:
        """Note a conflict; what the favored side says there."""
        favored = {"base": base, "ours": ours, "theirs": theirs}[self.favor]
        base, ours, theirs = (
            each.fields if isinstance(each, _DataSource) else each for each in (base, ours, theirs)
        )
        resource = next(
            each for each in (self.now[1], self.now[2], self.now[0]) if each is not None
        )
        secret = any(isinstance(each, Value) and each.secret for each in self.now)
        self.conflicts.append(
            MergeConflict(
                key=key_of(resource),
                namespace=resource.namespace,
                label=resource.label,
                path=path,
                base=base,
                ours=ours,
                theirs=theirs,
                reason=reason,
                place=resource.place(_written(resource, path)),
                secret=secret and path[:1] in ((), ("data",)),
            )
        )
        return favored

    # --- its parts ---

    def data(self, path: Path, base: Any, ours: Any, theirs: Any) -> Any:
        """Return what becomes of one piece of data."""
        if path[:1] in _GROUP_PATHS and len(path) < (3 if path[0] == "ports" else 2):
            # No port, no link, no entry: that is the same as none of them.
            group = self.mapping(path, *({} if x is ABSENT else x for x in (base, ours, theirs)))
            return ABSENT if not group and ABSENT in (ours, theirs) else group
        if identical(ours, theirs) or identical(base, theirs):
            return ours
        if identical(base, ours):
            return theirs
        sides = (base, ours, theirs)
        if all(isinstance(each, Mapping) for each in sides) and path[0] != "env":
            return self.mapping(path, base, ours, theirs)
        if all(isinstance(each, list) for each in sides):
            return self.items(path, base, ours, theirs)
        if all(isinstance(each, str) for each in sides):
            return self.lines(path, base, ours, theirs)
        return self.conflict(path, base, ours, theirs, _reason(base, ours, theirs))

    def mapping(
        self,
        path: Path,
        base: Mapping[str, Any],
        ours: Mapping[str, Any],
        theirs: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Key by key; the order of the keys is ours, with those of theirs after their neighbours."""
        keys, settled = _ordered(list(base), list(ours), list(theirs))
        if not settled and path[:1] == ("ports",) and len(path) == 2:
            first = self.conflict(
                path, list(base), list(ours), list(theirs), "both put the links in another order"
            )
            keys = sorted(keys, key=lambda key: first.index(key) if key in first else len(first))
        result: dict[str, Any] = {}
        for key in keys:
            value = self.data(
                (*path, key),
                base.get(key, ABSENT),
                ours.get(key, ABSENT),
                theirs.get(key, ABSENT),
            )
            if value is not ABSENT:
                result[key] = value
        return result

    def items(self, path: Path, base: list[Any], ours: list[Any], theirs: list[Any]) -> Any:
        """By name where each item has one; by position otherwise, if the changes lie apart."""
        named = _by_name(base), _by_name(ours), _by_name(theirs)
        if named[0] is not None and named[1] is not None and named[2] is not None:
            if _ordered(list(named[0]), list(named[1]), list(named[2]))[1]:
                return list(self.mapping(path, named[0], named[1], named[2]).values())
        else:
            values = self.stretches(path, base, ours, theirs)
            if values is not None:
                return values
        return self.conflict(path, base, ours, theirs, _reason(base, ours, theirs))

    def stretches(
        self, path: Path, base: list[Any], ours: list[Any], theirs: list[Any]
    ) -> list[Any] | None:
        """Return the items of a list, if no stretch was changed by both but item by item; else None."""
        result: list[Any] = []
        before = len(self.conflicts)
        at = [0, 0, 0]
        prints = [[_print(item) for item in each] for each in (base, ours, theirs)]
        for chunk in chunks(*prints):
            sizes = len(chunk.base), len(chunk.ours), len(chunk.theirs)
            parts = [
                each[start : start + size]
                for each, start, size in zip((base, ours, theirs), at, sizes, strict=True)
            ]
            settled = chunk.settled
            if settled is not None:
                result += parts[1] if settled is chunk.ours else parts[2]
            elif len(set(sizes)) == 1:
                result += [
                    self.data((*path, at[1] + number), *each)
                    for number, each in enumerate(zip(*parts, strict=True))
                ]
            else:
                del self.conflicts[before:]
                return None
            at = [start + size for start, size in zip(at, sizes, strict=True)]
        return result

    def lines(self, path: Path, base: str, ours: str, theirs: str) -> Any:
        """Return a text of several lines, where the two changed different ones."""
        parts: list[str] = []
        sides = [each.splitlines(keepends=True) for each in (base, ours, theirs)]
        for chunk in chunks(*sides):
            settled = chunk.settled
            if settled is None:
                return self.conflict(path, base, ours, theirs, _reason(base, ours, theirs))
            parts += settled
        return "".join(parts)

    # --- the whole ---

    def names(self, result: dict[Key, Resource]) -> None:
        """Report a name that two entries have as a conflict; the favored side's entry keeps it."""
        counts = Counter(_name(each) for each in result.values() if each.name is not None)
        side = {"base": self.base, "ours": self.ours, "theirs": self.theirs}[self.favor]
        for name in [name for name, count in counts.items() if count > 1]:
            holders = [key for key, each in result.items() if _name(each) == name]
            keeper = side.names.get(name)
            keeper = keeper if keeper in holders else holders[0]
            sides = [each.names.get(name) for each in (self.base, self.ours, self.theirs)]
            base, ours, theirs = (str(key[1]) if key is not None else ABSENT for key in sides)
            self.now = (None, result[keeper], None)
            self.conflict(("name",), base, ours, theirs, "two nodes with one name")
            for key in holders:
                if key != keeper:
                    del result[key]


_GROUP_PATHS = tuple((name,) for name in _GROUPS)


def _name(resource: Resource) -> tuple[type[Spec] | type[Value], str, str | None]:
    return (key_of(resource)[0], resource.namespace, resource.name)


class _DataSource(msgspec.Struct):
    """The source of a Value's data as one field: half of one source and half of another would not be a Value."""

    fields: dict[str, Any]


def _with_whole_data(trees: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the same, with what a Value says of its data in one piece, if it is not plain on every side."""
    if all(tree.keys().isdisjoint(("sealed", "from")) for tree in trees):
        return trees
    fields = (*DATA_FIELDS, "secret")
    rest = [{key: each for key, each in tree.items() if key not in fields} for tree in trees]
    ways = [_DataSource({key: tree[key] for key in fields if key in tree}) for tree in trees]
    return [
        {**data, "data": way} if way.fields else data for data, way in zip(rest, ways, strict=True)
    ]


def _own(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that belong to the kind."""
    common = ("id", "kind", "namespace", "name", *_GROUPS)
    return {key: value for key, value in tree.items() if key not in common}


def _resource(tree: dict[str, Any], like: Resource) -> Resource:
    """Return a resource again, out of what it says."""
    entry = {**tree, "id": str(like.id)}
    if isinstance(like, Spec):
        ports = {port: list(links.values()) for port, links in tree.get("ports", {}).items()}
        if ports:
            entry["ports"] = ports
        spec, problems = spec_of(entry, revision=like.revision, places=like.places)
        if spec is not None:
            return spec
    else:
        value, problems = value_of(entry, revision=like.revision, places=like.places)
        if value is not None:
            return value
    raise SpecError(problems)


def _written(resource: Resource, path: Path) -> Path:
    """Return the path as it stands in the entry: a link has a number there, not a target."""
    if path[:1] != ("ports",) or len(path) < 3 or not isinstance(resource, Spec):
        return path
    links = resource.ports.get(str(path[1]), ())
    numbers = [
        number for number, link in enumerate(links) if f"{link.target}.{link.port}" == path[2]
    ]
    return (*path[:2], numbers[0]) if numbers else path[:2]


def _ordered(
    base: Sequence[Any], ours: Sequence[Any], theirs: Sequence[Any]
) -> tuple[list[Any], bool]:
    """Return the keys of both sides in one order; and False if both put the old ones in orders of their own.

    The order is that of the side that changed it, else ours; what only the other side has stands
    behind what it stands behind there, and behind what the first side added.
    """
    shared = set(base) & set(ours) & set(theirs)
    orders = [[key for key in each if key in shared] for each in (base, ours, theirs)]
    moved = orders[0] == orders[1] != orders[2]
    leader, follower = (theirs, ours) if moved else (ours, theirs)
    behind: dict[Any, list[Any]] = {}
    known, old = set(leader), set(base)
    anchor: Any = None
    for key in follower:
        if key in known:
            anchor = key
        else:
            behind.setdefault(anchor, []).append(key)
    result: list[Any] = []
    waiting = behind.pop(None, [])
    for key in leader:
        if key in old:
            result += waiting
            waiting = []
        result.append(key)
        waiting += behind.pop(key, [])
    result += waiting
    return result, orders[1] == orders[2] or moved or orders[0] == orders[2]


def _by_name(items: list[Any]) -> dict[str, Any] | None:
    """Items by their names (or ids); None if one has none, or two have the same."""
    data: dict[str, Any] = {}
    for item in items:
        name = item.get("name", item.get("id")) if isinstance(item, Mapping) else None
        if not isinstance(name, str) or name in data:
            return None
        data[name] = item
    return data


def _print(item: Any) -> Hashable:
    """Return a print that two items share only when they are identical."""
    if isinstance(item, Mapping):
        return frozenset((key, _print(value)) for key, value in item.items())
    if isinstance(item, list | tuple):
        return tuple(_print(value) for value in item)
    return type(item), repr(item)


def _reason(base: Any, ours: Any, theirs: Any) -> str:
    if ours is ABSENT or theirs is ABSENT:
        gone, changer = ("ours", "theirs") if ours is ABSENT else ("theirs", "ours")
        return f"{gone} removes it, {changer} changes it"
    return "both add it" if base is ABSENT else "both change it"


def _short(data: Any) -> str:
    if data is ABSENT:
        return "nothing"
    text = msgspec.json.encode(data, enc_hook=repr).decode()
    return text if len(text) <= 60 else f"{text[:57]}…"
