"""The effects of a change that would stop nodes: links and bonds that would lead nowhere, by the rule of the runtime.

A link of a new Spec may lead to what comes later. What is active and would stop is a Problem, and so
is a bond to a Value that goes. Whoever writes to a store asks here; a runtime asks its own table.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

import msgspec

from heddle.runtime.assembly.check import NOBODY, Served
from heddle.runtime.assembly.draft import stopped
from heddle.runtime.assembly.expander import Expander, Find
from heddle.runtime.assembly.extension import Registry
from heddle.runtime.assembly.link_check import LinkProblem
from heddle.runtime.flow.step import FAILURES
from heddle.schemas.link import Link
from heddle.schemas.path import Path
from heddle.schemas.pieces import Pieces, at_once
from heddle.schemas.problem import Problem
from heddle.specs.binding.bind import ValueSet
from heddle.specs.model.index import key_of
from heddle.specs.model.mentions import needs_of, targets_of
from heddle.specs.model.names import parse_id
from heddle.specs.model.spec import Binding, Spec
from heddle.specs.model.store import Resource
from heddle.specs.model.value import Value

Step: TypeAlias = tuple[Resource | None, Resource | None]
"""The stored resource, and what it becomes; None is that there is none."""


def left_behind(
    steps: Sequence[Step],
    stored: Sequence[Resource],
    registry: Registry,
    served: Served = NOBODY,
) -> list[Problem]:
    """Return the Problems of whatever would stop, or lose its Value, with these steps."""
    left = at_once(left_in_pieces(steps, stored, registry, served))
    return at_once(left.explain(registry))


class LeftBehind(msgspec.Struct, frozen=True):
    """The nodes that would lose their Value with some steps (`bonds`), and those that would stop (`stops`)."""

    bonds: Sequence[Problem] = ()
    now: "_Graph | None" = None
    stops: Sequence["_Node"] = ()
    gone: Mapping[object, Resource] = {}

    @property
    def mistyped(self) -> bool:
        """Whether something stops as a link of it leads to nobody, who does not go with the steps."""
        return self.now is not None and any(
            self.now.find(node[0], link) is None
            and _target(Spec, self.now.nodes[node].spec, link) not in self.gone
            for node in self.stops
            for links in self.now.nodes[node].spec.ports.values()
            for link in links
        )

    def explain(
        self, registry: Registry, names: Sequence[tuple[str, str]] = ()
    ) -> Pieces[list[Problem]]:
        """Return the Problem of each. `names` are more that a link may have meant, by namespace."""
        if self.now is None:
            return list(self.bonds)
        reasons = yield from _reasons(self.now, self.stops, self.gone, registry, names)
        return [*self.bonds, *reasons]


def left_in_pieces(
    steps: Sequence[Step],
    stored: Sequence[Resource],
    registry: Registry,
    served: Served = NOBODY,
) -> Pieces[LeftBehind]:
    """Return whatever would stop, or lose its Value, with these steps, a Spec at a time."""
    if all(old is None for old, _ in steps):
        return LeftBehind()
    before = [each for each in _running(stored, served) if isinstance(each, Spec)]
    later = list(after(steps, stored))
    changed = {key_of(side) for step in steps for side in step if side is not None}
    left = [
        each if key_of(each) in changed or not isinstance(each, Spec) else served.get(each.id, each)
        for each in later
    ]
    yield
    gone = _gone(steps, later)
    specs = [each for each in left if isinstance(each, Spec)]
    bonds = (yield from _all_bonds(specs, gone, registry)) if gone else []
    if not relink(steps, before, served, registry):
        return LeftBehind(bonds)
    was = _Graph([each for each in stored if isinstance(each, Value)], registry)
    yield from was.build(before)
    now = _Graph([each for each in later if isinstance(each, Value)], registry)
    yield from now.build(specs)
    stops = [entry for entry in was.active if entry in now.nodes and entry not in now.active]
    return LeftBehind(bonds, now, stops, gone) if stops else LeftBehind(bonds)


def after(steps: Sequence[Step], stored: Sequence[Resource]) -> Iterator[Resource]:
    """Yield what there is once the steps are done."""
    touched = {key_of(side) for step in steps for side in step if side is not None}
    yield from (each for each in stored if key_of(each) not in touched)
    yield from (new for _, new in steps if new is not None)


# --- who goes -------------------------------------------------------------------------------------


def _running(stored: Iterable[Resource], served: Served) -> Iterator[Resource]:
    for each in stored:
        if isinstance(each, Spec) and each.id in served:
            runs = served[each.id]
            if runs is not None:
                yield runs
        else:
            yield each


def relink(
    steps: Sequence[Step], specs: Iterable[Spec], served: Served, registry: Registry
) -> bool:
    """Return whether steps can stop anybody; `specs` are those that may be bound to a Value of theirs."""
    if any(relinks(step, served, registry) for step in steps):
        return True
    scheme = registry.scheme
    # Among the fields of some kinds there are links: a Value may lead them elsewhere.
    return any(isinstance(old, Value) and old != new for old, new in steps) and any(
        scheme.leads(spec.kind) and (spec.env or scheme.expands(spec.kind)) for spec in specs
    )


def relinks(step: Step, served: Served, registry: Registry) -> bool:
    """Return whether a step can stop anybody: it takes a Spec out, renames it, or leads it elsewhere."""
    old, new = step
    if not isinstance(old, Spec):
        # What is only created leads nobody elsewhere.
        return False
    if not isinstance(new, Spec) or new.id in served:
        return True
    if any(registry.scheme.leads(spec.kind) for spec in (old, new)):
        # What a Spec no longer holds goes as well, and others may lead there.
        return True
    renamed = (old.namespace, old.name) != (new.namespace, new.name)
    return renamed or not targets_of(new) <= targets_of(old)


def _gone(steps: Sequence[Step], later: Iterable[Resource]) -> dict[object, Resource]:
    """Return what goes with these steps, by its name and by its id."""
    names = {(type(each), each.namespace, each.name) for each in later}
    gone: dict[object, Resource] = {}
    for old, new in steps:
        if old is None or (
            new is not None and (old.namespace, old.name) == (new.namespace, new.name)
        ):
            continue
        if old.name is not None and (type(old), old.namespace, old.name) not in names:
            gone[type(old), old.namespace, old.name] = old
        if new is None:
            gone[type(old), old.id] = old
    return gone


def _all_bonds(
    specs: Sequence[Spec], gone: Mapping[object, Resource], registry: Registry
) -> Pieces[list[Problem]]:
    """Return the bonds to Values that go: of Specs, of what they hold, and of the definitions that they use.

    What a definition asks for is needed only by those who use it.
    """
    named = {(spec.namespace, spec.name): spec for spec in specs if spec.name is not None}
    seen: set[UUID] = set()
    bonds: list[Problem] = []
    todo = [spec for spec in specs if not registry.scheme.defines(spec)]
    while todo:
        yield
        spec = todo.pop(0)
        if spec.id in seen:
            continue
        seen.add(spec.id)
        bonds += _bonds(spec, gone)
        if registry.scheme.expands(spec.kind):
            used = (named.get((spec.namespace, word)) for word in needs_of(spec))
            todo += [each for each in used if each is not None]
    return bonds


def _bonds(spec: Spec, gone: Mapping[object, Resource]) -> Iterator[Problem]:
    """Yield the bonds to Values that go, of a Spec and of what stands in it."""
    bindings = ((("env", name), binding) for name, binding in spec.env.items())
    for path, bond in (*bindings, *_bindings_in(spec.fields, ())):
        target = gone.get(_target(Value, spec, bond)) if bond.identified else None
        if target is not None:
            yield _behind(spec, target, path, path)


def _bindings_in(data: Any, path: Path) -> Iterator[tuple[Path, Binding]]:
    """Yield what the `env` of Specs inside of fields ask for, with its path."""
    if isinstance(data, list):
        for number, each in enumerate(data):
            yield from _bindings_in(each, (*path, number))
    elif isinstance(data, dict):
        env = data.get("env")
        for key, binding in env.items() if isinstance(env, dict) else ():
            if isinstance(binding, dict) and (binding.get("id") or binding.get("name")):
                uuid = parse_id(str(binding["id"])) if binding.get("id") else None
                yield (*path, "env", key), Binding(id=uuid, name=binding.get("name"))
        for key, each in data.items():
            yield from _bindings_in(each, (*path, key))


def _behind(spec: Spec, target: Resource, path: Path, shown: Path) -> Problem:
    return Problem(
        code="left-behind",
        found=f'"{target.label}" goes with this change, and {spec.label} needs it',
        expected=f"{spec.label} changed or deleted together with it, or it kept",
        place=spec.place(path),
        path=spec.at(shown),
    )


def _target(sort: type[Spec] | type[Value], spec: Spec, named: Link | Binding) -> object:
    """Return what a link or a bond of a Spec names: an id wins over a name."""
    return (sort, spec.namespace, named.name) if named.id is None else (sort, named.id)


# --- who stops ------------------------------------------------------------------------------------

_Node: TypeAlias = tuple[str, UUID]


class Linked(msgspec.Struct, frozen=True):
    """A Spec with its links as they count, those that it holds among them."""

    spec: Spec
    links: Mapping[str, Sequence[Link]]


def linked(spec: Spec, find: Find, values: ValueSet, registry: Registry) -> Iterator[Linked]:
    """Yield a Spec with its links as they count, and each that it holds; `find` gives what it may use."""
    scheme = registry.scheme
    if not scheme.leads(spec.kind):
        yield Linked(spec, spec.ports)
        return
    expander = Expander(scheme, values, _AnyEnvironment(), find)
    try:
        effective = expander.bind(spec)
        if not scheme.expands(spec.kind):
            linkeds = [Linked(effective.binding.spec, effective.binding.spec.ports)]
        else:
            linkeds = [
                Linked(each.binding.spec, each.links) for each in expander.symbols(effective)
            ]
    except FAILURES:
        # What is wrong with it is told elsewhere.
        linkeds = [Linked(spec, spec.ports)]
    yield from linkeds


def _find_in(named: Mapping[tuple[str, str], Spec], space: str, name: str) -> Spec | None:
    return named.get((space, name))


class _Graph:
    """Some Specs and their links; `active` are those that lead to nothing that is missing."""

    def __init__(self, values: Sequence[Value], registry: Registry) -> None:
        self.nodes: dict[_Node, Linked] = {}
        self.active: set[_Node] = set()
        self._registry = registry
        self._values = ValueSet(values)
        self._names: dict[tuple[str, str], _Node] = {}

    def build(self, specs: Sequence[Spec]) -> Pieces[None]:
        """Add these Specs, which are all that there are, one at a time."""
        named = {(spec.namespace, spec.name): spec for spec in specs if spec.name is not None}
        for spec in specs:
            yield
            space = spec.namespace
            find = partial(_find_in, named, space)
            for each in linked(spec, find, self._values, self._registry):
                self.nodes[space, each.spec.id] = each
        self._names = {
            (space, each.spec.name): (space, id_)
            for (space, id_), each in self.nodes.items()
            if each.spec.name is not None
        }
        self.active = yield from self._active()

    def find(self, space: str, link: Link) -> _Node | None:
        """Return where a link leads; None if nobody is there."""
        if link.id is not None:
            return (space, link.id) if (space, link.id) in self.nodes else None
        return self._names.get((space, link.name or ""))

    def _active(self) -> Pieces[set[_Node]]:
        """Return the nodes whose links all lead to active ones; a ring counts as a whole."""
        dependents: dict[_Node, list[_Node]] = {}
        stuck: list[_Node] = []
        for node, each in self.nodes.items():
            yield
            for links in each.links.values():
                for link in links:
                    target = self.find(node[0], link)
                    if target is None:
                        stuck.append(node)
                    else:
                        dependents.setdefault(target, []).append(node)
        active = set(self.nodes)
        while stuck:
            yield
            node = stuck.pop()
            if node in active:
                active.discard(node)
                stuck += dependents.get(node, ())
        return active


class _AnyEnvironment(dict[str, object]):
    """An environment that gives every name: which links there are does not hang on it."""

    def __bool__(self) -> bool:
        return True

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> object:
        return ""


def _reasons(
    now: _Graph,
    stops: Sequence[_Node],
    gone: Mapping[object, Resource],
    registry: Registry,
    names: Sequence[tuple[str, str]],
) -> Pieces[list[Problem]]:
    """Return why these stop: who leads to what goes, and else the links that lead nowhere."""
    still = set(stops)
    reasons: list[Problem] = []
    waiting: list[LinkProblem] = []
    for node in stops:
        yield
        spec = now.nodes[node].spec
        for port, links in spec.ports.items():
            for number, link in enumerate(links):
                target = gone.get(_target(Spec, spec, link))
                shown: Path = ("ports", port) if len(links) == 1 else ("ports", port, number)
                place: Path = ("ports", port, number)
                entry = now.find(node[0], link)
                if target is not None and entry is None:
                    text = "name" if link.id is None else "id"
                    reasons.append(_behind(spec, target, (*place, text), shown))
                elif entry is not None and entry not in now.active and entry not in still:
                    waiting.append(
                        LinkProblem(spec, _waiting(spec, now.nodes[entry].spec, place, shown))
                    )
    specs = [each.spec for each in now.nodes.values()]
    stopping = [now.nodes[node].spec for node in stops]
    problems = yield from stopped(stopping, specs, waiting, registry.scheme.schema, names)
    for owner, problem in problems:
        yield
        if not _is_behind(problem, owner, gone):
            reasons.append(problem)
    return reasons


def _waiting(spec: Spec, target: Spec, place: Path, shown: Path) -> Problem:
    return Problem(
        code="waiting-link",
        found=f'"{target.label}" is not active',
        place=spec.place(place),
        path=spec.at(shown),
    )


def _is_behind(problem: Problem, spec: Spec, gone: Mapping[object, Resource]) -> bool:
    """Return whether this missing link was told already: its target goes with the change."""
    return problem.code == "missing-link" and any(
        _target(Spec, spec, link) in gone
        and problem.path in (spec.at(("ports", port)), spec.at(("ports", port, number)))
        for port, links in spec.ports.items()
        for number, link in enumerate(links)
    )
