"""step: runs Specs one after the other, each given what the one before sends out."""

from typing import Any

from heddle.extensions.control.container import ContainerFields, HoldingNode, names_of
from heddle.extensions.extension import IN, OUT, Build, Kind, Node, Port, Schema
from heddle.runtime.assembly.expansion import End, Expansion
from heddle.schemas.port import LIFECYCLE

_LIFECYCLE = frozenset(port.name for port in LIFECYCLE)


class StepFields(ContainerFields):
    """The fields of a `step`."""


def compile_step(fields: StepFields, build: Build) -> Node:
    """Return what it holds is compiled for itself."""
    del build
    return HoldingNode(["in"] if fields.runs else [])


def expand_step(fields: StepFields, build: Build) -> Expansion | None:
    """Return a chain from `out` to `in`; links of its members are a Problem."""
    if not fields.runs:
        return None
    names = names_of(fields, build)
    for number, spec in enumerate(fields.specs):
        ports = spec.get("ports")
        for port in ports if isinstance(ports, dict) else ():
            if port not in _LIFECYCLE:
                build.reject(
                    "specs",
                    number,
                    "ports",
                    port,
                    code="unknown-port",
                    found="a link inside a step",
                    hint="A step links its Specs itself, in their order; a block leaves that to you.",
                )
    last = len(names) - 1
    outlets: dict[End, tuple[str, ...]] = {
        (number, "error"): ("error",) for number in range(len(names))
    }
    outlets[last, "out"] = ("out",)
    return Expansion(
        places=tuple(("specs", number) for number in range(len(names))),
        names=names,
        inlets={"in": ((0, "in"),)},
        outlets=outlets,
        joins={(number, "out"): ((number + 1, "in"),) for number in range(last)},
        soft=True,
    )


STEP: Kind[Any] = Kind(
    Schema(
        kind="step",
        fields=StepFields,
        summary="Runs Specs one after the other; each is given what the one before sends out.",
        category="control",
        ins=(IN,),
        outs=(OUT, Port("error", "What goes wrong in any of them; not linked, it is the answer.")),
        example="""\
- kind: step
  name: price
  specs:
    - kind: snippet
      language: cel
      code: self.net * self.count
    - kind: snippet
      language: cel
      code: double(self) * 1.19
""",
        details="""\
`in` is that of the first, `out` that of the last, and `error` that of each. A step of one is that one. Each
Spec inside is a symbol of its own, called `step/name`, or `step/$0`, `step/$1`, … without a name. A packet
goes straight from one to the next: a step costs nothing when it runs. With `params` it is a definition, and
others use it: see `block`.
""",
    ),
    compile_step,
    expand=expand_step,
)
