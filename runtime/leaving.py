"""Who is left behind when something leaves: the links and bonds that would lead nowhere."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from heddle.specs.index import key_of
from heddle.specs.pieces import Pieces, at_once
from heddle.specs.problem import Problem
from heddle.specs.spec import Binding, Link, Path, Spec
from heddle.specs.store import Resource
from heddle.specs.value import Value

Step: TypeAlias = tuple[Resource | None, Resource | None]
"""What is stored, and what it becomes; None is that there is none."""


def left_behind(steps: Sequence[Step], stored: Sequence[Resource]) -> list[Problem]:
    """The links and bonds that would lead nowhere because their target goes with these steps."""
    return at_once(left_in_pieces(steps, stored))


def left_in_pieces(steps: Sequence[Step], stored: Sequence[Resource]) -> Pieces[list[Problem]]:
    """As `left_behind`, a Spec at a time."""
    if all(old is None for old, _ in steps):
        return []
    found = {key_of(each): each for each in after(steps, stored)}
    names = {(type(each), each.namespace, each.name) for each in found.values()}
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
    if not gone:
        return []
    problems: list[Problem] = []
    for each in found.values():
        yield
        if isinstance(each, Spec):
            problems += _left_behind(each, gone)
    return problems


def _left_behind(spec: Spec, gone: Mapping[object, Resource]) -> Iterator[Problem]:
    """What of one Spec would lead nowhere."""
    wanted: list[tuple[Path, Path, object]] = []
    for port, links in spec.ports.items():
        for number, link in enumerate(links):
            said = "name" if link.id is None else "id"
            shown: Path = ("ports", port) if len(links) == 1 else ("ports", port, number)
            wanted.append((("ports", port, number, said), shown, _target(Spec, spec, link)))
    for name, bond in spec.env.items():
        if bond.identified:
            wanted.append((("env", name), ("env", name), _target(Value, spec, bond)))
    for path, shown, key in wanted:
        target = gone.get(key)
        if target is not None:
            yield Problem(
                code="left-behind",
                found=f'"{target.label}" goes with this change, and {spec.label} needs it',
                wanted=f"{spec.label} changed or deleted together with it, or it kept",
                place=spec.place(path),
                path=spec.at(shown),
            )


def _target(sort: type[Spec] | type[Value], spec: Spec, wants: Link | Binding) -> object:
    """What a link or a bond of a Spec names: an id wins over a name."""
    return (sort, spec.namespace, wants.name) if wants.id is None else (sort, wants.id)


def after(steps: Sequence[Step], stored: Sequence[Resource]) -> Iterator[Resource]:
    """What there is once the steps are done."""
    touched = {key_of(side) for step in steps for side in step if side is not None}
    yield from (each for each in stored if key_of(each) not in touched)
    yield from (new for _, new in steps if new is not None)
