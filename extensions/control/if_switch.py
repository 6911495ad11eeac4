"""if and switch: send a packet one way or another, by conditions."""

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

from heddle.extensions.control.implication import implies, truth
from heddle.extensions.control.ports import only_outs
from heddle.extensions.extension import (
    ERROR,
    IN,
    Build,
    Choice,
    Expression,
    Fields,
    Handler,
    Kind,
    Node,
    Payload,
    Port,
    Program,
    Schema,
    about,
)
from heddle.runtime.flow.elsewhere import once
from heddle.schemas.port import canonical, find_port, parse_port
from heddle.schemas.schema import UnreachablePart

CHOICES = Port("out", "Where packets go.", indexed=True)


class If(Fields):
    """The fields of an `if`."""

    when: Annotated[
        Expression,
        about("The condition. False, null, 0, empty text and empty data count as false."),
    ]


class Match(Fields):
    """One case of a `switch`."""

    when: Annotated[Expression, about("The condition of this case.")]
    port: Annotated[str, about("The out port that it leads to.", examples=["out[0]"])]


class Switch(Fields):
    """The fields of a `switch`."""

    matches: Annotated[
        list[Match], about("The cases; the first whose condition is true is taken.", min_length=1)
    ]
    default: Annotated[
        str | None,
        about("The out port of packets that no case takes; without it they are the answer."),
    ] = None


class ChoiceNode(Node):
    """Chooses an out port for each packet; the packet itself goes on unchanged."""

    def __init__(self, choice: Choice) -> None:
        self._choice = choice

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._choice if port == "in" else None


def compile_if(fields: If, build: Build) -> Node:
    """Choose one of two ways by a condition; a link of a third is a Problem."""
    only_outs(build, "it is true", "it is not")
    when = build.condition(fields.when, "when")

    def choose(payload: Payload) -> tuple[str, Payload]:
        return ("out" if when(payload) else "out[1]"), payload

    return ChoiceNode(Choice(choose))


def compile_switch(fields: Switch, build: Build) -> Node:
    """Cases in order, then the default. A port that is not an out port of a switch is a Problem."""
    cases: list[tuple[Program, str]] = []
    for index, match in enumerate(fields.matches):
        when = build.condition(match.when, "matches", index, "when")
        cases.append((when, out_port(match.port, build, "matches", index, "port")))
    default = None if fields.default is None else out_port(fields.default, build, "default")

    def choose(payload: Payload) -> tuple[str | None, Payload]:
        for when, port in cases:
            if when(payload):
                return port, payload
        return default, payload

    return ChoiceNode(Choice(_choose_once(cases, default) if build.leaves else choose))


def _choose_once(
    cases: list[tuple[Program, str]], default: str | None
) -> Callable[[Payload], tuple[str | None, Payload]]:
    """Return the function of a switch some of whose conditions may leave the event loop."""
    programs = {str(index): when for index, (when, _) in enumerate(cases)}
    ports = {str(index): port for index, (_, port) in enumerate(cases)}

    def choose(payload: Payload) -> tuple[str | None, Payload]:
        made: dict[str, Any] = {}
        for name, port in ports.items():
            if once(programs, payload, (name,), made)[name]:
                return port, payload
        return default, payload

    return choose


def out_port(name: str, build: Build, *path: str | int) -> str:
    """Return the canonical name of one of the ports `out[i]`; SpecError at the field where it is none."""
    if find_port((CHOICES,), name) is None:
        build.reject(
            *path,
            code="unknown-port",
            found=f'there is no out port "{name}"',
            expected="out[0], out[1], …",
        )
    return canonical(name)


def unreached_ways(fields: If, linked: Mapping[str, str]) -> Iterator[UnreachablePart]:
    """Yield the link that no packet takes, if the condition is a constant."""
    constant = truth(fields.when)
    if constant is None:
        return
    port = "out[1]" if constant else "out"
    if port in linked:
        yield UnreachablePart(
            ("ports", linked[port]),
            f"no packet leaves by it, as `when` is always {str(constant).lower()}",
            "Write the condition, or remove the link.",
        )


def unreached_cases(fields: Switch, linked: Mapping[str, str]) -> Iterator[UnreachablePart]:
    """Yield the cases, the default and the links that no packet comes to."""
    whole = None
    for index, match in enumerate(fields.matches):
        actual, hint = "", "Put this case before that one, or remove it."
        earlier = next(
            (n for n in range(index) if implies(match.when, fields.matches[n].when)), None
        )
        if truth(match.when) is False:
            actual, hint = "no packet takes this case: it is always false", "Remove it."
        elif earlier is not None:
            actual = f"no packet takes this case: all of its packets take matches[{earlier}]"
        if actual:
            yield UnreachablePart(("matches", index), actual, hint)
        if truth(match.when) is True and whole is None:
            whole = index
    if fields.default is not None and whole is not None:
        yield UnreachablePart(
            ("default",),
            f"no packet takes the default: matches[{whole}] is always true",
            "Remove the one or the other.",
        )
    named = {canonical(port) for port in (*_ports(fields), fields.default or "")}
    yield from unnamed_ports(linked, named, "no case and no default leads to it")


def case_ports(fields: Switch) -> tuple[str, ...]:
    """Return the ports that packets leave by; none if a packet that no case takes is the answer."""
    if fields.default is None:
        return ()
    return tuple(dict.fromkeys(canonical(port) for port in (*_ports(fields), fields.default)))


def _ports(fields: Switch) -> list[str]:
    return [match.port for match in fields.matches]


def unnamed_ports(
    linked: Mapping[str, str], named: set[str], why: str
) -> Iterator[UnreachablePart]:
    """Yield each linked port `out[i]` that is not among the `named` ones."""
    for port, written in linked.items():
        parsed = parse_port(port)
        if parsed is not None and parsed[0] == "out" and port not in named:
            yield UnreachablePart(
                ("ports", written),
                f"no packet leaves by it: {why}",
                "Name it there, or remove the link.",
            )


IF: Kind[Any] = Kind(
    Schema(
        kind="if",
        fields=If,
        summary="Sends a packet one way where a condition is true, another if it is not.",
        category="control",
        ins=(IN,),
        outs=(Port("out", "`out[0]`: it is true; `out[1]`: it is not.", indexed=True), ERROR),
        ways=lambda _: ("out", "out[1]"),
        unreached=unreached_ways,
        example="""\
- kind: if
  name: adult
  when: self.age >= 18
  ports:
    out[0]:
      - {name: welcome, port: in}
    out[1]:
      - {name: sorry, port: in}
- kind: snippet
  name: welcome
  language: text
  code: Welcome.
- kind: snippet
  name: sorry
  language: text
  code: Come back later.
""",
        details="""\
The packet itself goes on, unchanged. If the chosen port has no link, the packet is the answer.
A condition that fails (a field that is not there) sends an Error to `error`.
""",
    ),
    compile_if,
)

SWITCH: Kind[Any] = Kind(
    Schema(
        kind="switch",
        fields=Switch,
        summary="Sends a packet the way of the first condition that is true.",
        category="control",
        ins=(IN,),
        outs=(CHOICES, ERROR),
        ways=case_ports,
        unreached=unreached_cases,
        example="""\
- kind: switch
  name: size
  matches:
    - {when: self > 100, port: 'out[0]'}
    - {when: self > 10, port: 'out[1]'}
  default: out[2]
  ports:
    out[0]:
      - {name: large, port: in}
    out[1]:
      - {name: medium, port: in}
    out[2]:
      - {name: small, port: in}
- {kind: snippet, name: large, language: text, code: large}
- {kind: snippet, name: medium, language: text, code: medium}
- {kind: snippet, name: small, language: text, code: small}
""",
        details="""\
Conditions are asked in order, and only until one is true. Several cases may lead to one port. A
packet that no case takes goes to `default`; without a default it is the answer.
""",
    ),
    compile_switch,
)
