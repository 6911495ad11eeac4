"""call: asks another symbol as if it were a function, and goes on with its answer."""

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from heddle.extensions.extension import (
    IN,
    NOTHING,
    OUT,
    Answer,
    Build,
    Error,
    Expression,
    FieldError,
    Fields,
    Flow,
    Handler,
    Kind,
    Node,
    NodeError,
    Payload,
    Port,
    Program,
    Schema,
    Visit,
    about,
)
from heddle.runtime.flow.elsewhere import ElsewhereError, resume
from heddle.schemas.common import Target
from heddle.schemas.link import Link, parse_target
from heddle.schemas.path import Path
from heddle.schemas.suggestion import did_you_mean


class CallFields(Fields):
    """The fields of a `call`."""

    target: Annotated[
        str | Target | None,
        about("The symbol that is asked, at `in` or at the port that is said.", examples=["price"]),
    ] = None
    targets: Annotated[
        list[str], about("The symbols of which `choose` chooses one for each packet.")
    ] = msgspec.field(default_factory=list)
    choose: Annotated[
        Expression | None,
        about("The name of the one that is asked, of the packet.", examples=["self.method"]),
    ] = None
    args: Annotated[
        Expression | None,
        about("What it is asked, of the packet; the packet itself, unless said."),
    ] = None
    result: Annotated[
        Expression | None,
        about(
            "What goes on, of `payload`, the packet, and `answer`; the answer, unless said.",
            examples=["{'order': payload, 'price': answer}"],
        ),
    ] = None

    def __post_init__(self) -> None:
        if (self.target is None) == (not self.targets):
            raise FieldError(
                "no target" if self.target is None else "both target and targets",
                expected="target, or targets and choose",
                path=("target",),
            )
        if bool(self.targets) != (self.choose is not None):
            raise FieldError(
                "targets and choose stand together", expected="both of them", path=("choose",)
            )


class CallNode(Node):
    """Visits one of its targets, then goes on."""

    def __init__(
        self,
        ports: dict[str, str],
        choose: Program | None,
        args: Program | None,
        result: Program | None,
    ) -> None:
        self._ports = ports
        self._choose = choose
        self._args = args
        self._result = result
        self._visit = Visit(self._act, plain=True)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._visit if port == "in" else None

    async def _act(self, flow: Flow, payload: Payload) -> Answer:
        try:
            port = self._port(payload)
        except ElsewhereError as later:
            port = await resume(later, self._port, payload)
        value = payload
        if self._args is not None:
            try:
                value = self._args(payload)
            except ElsewhereError as later:
                value = await resume(later, self._args, payload)
        answer = await flow.send(port, value)
        if type(answer) is Error:
            return await flow.send("error", answer)
        if answer is NOTHING and self._result is None:
            return NOTHING
        if self._result is not None:
            known = None if answer is NOTHING else answer
            both = {"payload": payload, "answer": known}
            try:
                answer = self._result(both)
            except ElsewhereError as later:
                answer = await resume(later, self._result, both)
        return await flow.send("out", answer)

    def _port(self, payload: Payload) -> str:
        """Return the port of the target that this packet is for."""
        if self._choose is None:
            return "call"
        name = self._choose(payload)
        port = self._ports.get(name) if isinstance(name, str) else None
        if port is None:
            hint = did_you_mean(str(name), self._ports)
            known = ", ".join(self._ports)
            raise NodeError(
                Error(f'"{name}" is none of the targets ({known}). {hint}'.rstrip(". "))
            )
        return port


def links_of(fields: CallFields) -> Mapping[str, tuple[Link, ...]]:
    """Return a link for each target: the table has to know who is asked."""
    if fields.target is not None:
        target = fields.target
        return {"call": (parse_target(target) if isinstance(target, str) else target.link,)}
    return {port: (Link(name=name),) for name, port in ports_of(fields.targets).items()}


def makers_of(fields: CallFields) -> Mapping[str, Path]:
    """Return the path of the field that makes the link of each out port."""
    if fields.target is not None:
        return {"call": ("target",)}
    ports = ports_of(fields.targets)
    return {ports[name]: ("targets", fields.targets.index(name)) for name in ports}


def ports_of(targets: list[str]) -> dict[str, str]:
    """Return the port by which each target is asked."""
    names = list(dict.fromkeys(targets))
    return {name: f"call[{number}]" if number else "call" for number, name in enumerate(names)}


def compile_call(fields: CallFields, build: Build) -> Node:
    """Return each expression is compiled once."""
    return CallNode(
        ports_of(fields.targets),
        build.program(fields.choose, "choose") if fields.choose is not None else None,
        build.program(fields.args, "args") if fields.args is not None else None,
        build.program(fields.result, "result") if fields.result is not None else None,
    )


CALL: Kind[Any] = Kind(
    Schema(
        kind="call",
        fields=CallFields,
        summary="Asks another symbol as if it were a function, and goes on with its answer.",
        category="control",
        makes=makers_of,
        ins=(IN,),
        outs=(
            OUT,
            Port("call", "Who is asked; the fields make these links.", indexed=True),
            Port("error", "The Error that it answered, or of an expression."),
        ),
        example="""\
- kind: call
  name: order
  target: price
  args: self.items
  result: "{'customer': payload.customer, 'total': answer}"
- kind: snippet
  name: price
  language: cel
  code: size(self) * 5
""",
        details="""\
Every target is a link: a `call` is active only when all of them are, and a process asks the one of the
generation that it runs on. With `targets`, `choose` gives the name of the one to ask; a name that is none of
them is an Error. An Error that is answered goes to `error`; not linked, it is the answer. NOTHING is the
answer, unless `result` makes something of it.
""",
    ),
    compile_call,
    links=links_of,
)
