"""if and switch: send a packet one way or another, by conditions."""

from typing import Annotated, Any

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
from heddle.schemas.port import canonical, find_port

CHOICES = Port("out", "Where packets go.", indexed=True)


class If(Fields):
    """What an `if` says."""

    when: Annotated[
        Expression,
        about("The condition. False, null, 0, empty text and empty data count as false."),
    ]


class Match(Fields):
    """One case of a `switch`."""

    when: Annotated[Expression, about("The condition of this case.")]
    port: Annotated[str, about("The out port that it leads to.", examples=["out[0]"])]


class Switch(Fields):
    """What a `switch` says."""

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
        """Its only in port."""
        return self._choice if port == "in" else None


def compile_if(fields: If, build: Build) -> Node:
    """One condition, two ways; a link of a third is a Problem."""
    only_outs(build, "it is true", "it is not")
    when = build.condition(fields.when, "when", leaves=True)

    def choose(payload: Payload) -> tuple[str, Payload]:
        return ("out" if when(payload) else "out[1]"), payload

    return ChoiceNode(Choice(choose))


def compile_switch(fields: Switch, build: Build) -> Node:
    """Cases in order, then the default. A port that is no out port of a switch is a Problem."""
    cases: list[tuple[Program, str]] = []
    for index, match in enumerate(fields.matches):
        when = build.condition(match.when, "matches", index, "when", leaves=True)
        cases.append((when, out_port(match.port, build, "matches", index, "port")))
    default = None if fields.default is None else out_port(fields.default, build, "default")

    def choose(payload: Payload) -> tuple[str | None, Payload]:
        for when, port in cases:
            if when(payload):
                return port, payload
        return default, payload

    return ChoiceNode(Choice(choose))


def out_port(name: str, build: Build, *path: str | int) -> str:
    """The canonical name of one of the ports `out[i]`; SpecError at the field where it is none."""
    if find_port((CHOICES,), name) is None:
        build.refuse(
            *path,
            code="unknown-port",
            found=f'there is no out port "{name}"',
            wanted="out[0], out[1], …",
        )
    return canonical(name)


IF: Kind[Any] = Kind(
    Schema(
        kind="if",
        fields=If,
        summary="Sends a packet one way where a condition is true, another where it is not.",
        category="control",
        ins=(IN,),
        outs=(Port("out", "`out[0]`: it is true; `out[1]`: it is not.", indexed=True), ERROR),
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
The packet itself goes on, unchanged. Where the chosen port has no link, the packet is the answer.
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
