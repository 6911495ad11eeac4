"""An Expansion says what a Spec that holds Specs stands for: which they are, and how they are linked."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from heddle.schemas.path import Path
from heddle.schemas.problem import Problem

End: TypeAlias = tuple[int, str]
"""A port of a held Spec: which one by number, and the name of the port."""

HELD = "/"
"""The out port by which a Spec is linked to those that it holds; no written port has such a name."""


class Expansion(msgspec.Struct, frozen=True, kw_only=True):
    """The Specs inside a Spec. `places` tell where each of them stands in its fields, `names` what it is called.

    `inlets` are its own in ports, and the in ports inside that they stand for; `outlets` the out
    ports inside, and its own out ports that they stand for; `joins` link out ports inside to in
    ports inside. With `linked`, the held Specs may link each other by `ports` of their own. An
    outlet that its Spec's kind does not have is left out if it is `soft`.

    `sends` are the ports by which the holder itself sends to what it holds, by name: it sends to
    `HELD + name`. `flows` lead from out ports inside to in ports inside; the holder carries the
    values, so packets never take these links, and people see them. `made` has the held Specs that
    are written in a short form, by number: what stands at their place is not a Spec. `problems` are
    those of the holder that do not keep what it holds from being checked.
    """

    places: tuple[Path, ...]
    names: tuple[str, ...]
    inlets: Mapping[str, tuple[End, ...]] = {}
    outlets: Mapping[End, tuple[str, ...]] = {}
    joins: Mapping[End, tuple[End, ...]] = {}
    linked: bool = True
    soft: bool = False
    sends: Mapping[str, tuple[End, ...]] = {}
    flows: Mapping[End, tuple[End, ...]] = {}
    made: Mapping[int, Mapping[str, Any]] = {}
    problems: tuple[Problem, ...] = ()
