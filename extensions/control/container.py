"""The common parts of `block` and `step`: Specs inside, given names, used by others with params."""

from typing import Annotated, Any

import msgspec

from heddle.extensions.extension import (
    Answer,
    Build,
    FieldError,
    Fields,
    Flow,
    Handler,
    Node,
    Payload,
    Visit,
    about,
)
from heddle.runtime.assembly.expansion import HELD
from heddle.runtime.assembly.params import Param, check_params
from heddle.schemas.port import canonical
from heddle.specs.model.names import NAME_RULE, legal_name


class ContainerFields(Fields):
    """The fields of a Spec that holds others."""

    specs: Annotated[
        list[dict[str, Any]],
        about(
            "The Specs inside, written like any other. Each may have an `env` of its own, over that "
            "of the Specs around it, and hold Specs itself."
        ),
    ] = msgspec.field(default_factory=list)
    params: Annotated[
        dict[str, Param] | None,
        about(
            "What is left open: names that blanks inside may use. A Spec with params runs only "
            "where another one `uses` it; `{}` says that nothing is left open.",
            examples=[{"greeting": {"type": "string", "default": "Hello"}}],
        ),
    ] = None
    uses: Annotated[
        str | None,
        about("The name of a Spec of the same kind; what stands in there stands here too."),
    ] = None
    with_: Annotated[
        dict[str, Any], about("What the params of the Spec that it uses stand for here, by name.")
    ] = msgspec.field(name="with", default_factory=dict)

    def __post_init__(self) -> None:
        if self.uses is not None:
            if self.params is not None:
                raise FieldError("both uses and params", expected="one of them", path=("params",))
            if self.specs:
                raise FieldError("both uses and specs", expected="one of them", path=("specs",))
        elif self.with_:
            raise FieldError(
                "with without uses", expected="the name of what is used", path=("with",)
            )
        elif not self.specs:
            raise FieldError("no specs", expected="specs, or uses", code="missing", path=("specs",))
        if self.params is not None:
            try:
                check_params(self.params)
            except FieldError as invalid:
                raise FieldError(
                    invalid.found, expected=invalid.expected, path=("params", *invalid.path)
                ) from None

    @property
    def runs(self) -> bool:
        """Whether there is something inside that runs."""
        return self.params is None and self.uses is None


class HoldingNode(Node):
    """Stands where others are: packets for it go straight to those, unless it has a guard."""

    def __init__(self, ports: list[str]) -> None:
        self._visits = {canonical(port): self._into(canonical(port)) for port in ports}

    def handler(self, port: str) -> Handler | None:
        """Return the in ports that lead inside."""
        return self._visits.get(port)

    def _into(self, port: str) -> Visit:
        async def visit(flow: Flow, payload: Payload) -> Answer:
            return await flow.send(HELD + port, payload)

        return Visit(visit)


def names_of(fields: ContainerFields, build: Build) -> tuple[str, ...]:
    """Return what the Specs inside are called: by name, or `$0`, `$1`, … by number; raise SpecError if two are one."""
    mapping: dict[str, int] = {}
    for number, spec in enumerate(fields.specs):
        at = ("specs", number)
        name = spec.get("name")
        if name is None:
            name = f"${number}"
        elif not isinstance(name, str) or not legal_name(name):
            build.reject(*at, "name", found=f'the name "{name}"', expected=NAME_RULE, code="name")
        if name in mapping:
            first = f"specs[{mapping[name]}]"
            taken = f'the name "{name}" is taken by {first}'
            build.reject(*at, "name", found=taken, code="duplicate-name")
        if spec.get("namespace") is not None:
            text = "a namespace inside"
            build.reject(*at, "namespace", found=text, hint="It is that of the Spec around it.")
        mapping[name] = number
    return tuple(mapping)
