"""assert: checks what a flow answered, or what went through one of its ports."""

from functools import cache
from typing import Annotated, Any
from uuid import UUID

from heddle.extensions.extension import (
    ERROR,
    Action,
    Build,
    Error,
    Expression,
    FieldError,
    Fields,
    Handler,
    Kind,
    Node,
    NodeError,
    Payload,
    Port,
    Process,
    Program,
    Schema,
    about,
)
from heddle.extensions.testing.explanation import shown, unmet
from heddle.extensions.testing.test_frames import record_of
from heddle.schemas.port import canonical


class Spot(Fields):
    """A port of a node of the flow, where packets are looked at."""

    name: Annotated[str | None, about("The node, by name.")] = None
    id: Annotated[UUID | None, about("The node, by id; wins over `name`.")] = None
    port: Annotated[
        str,
        about(
            "One of its ports: an in port shows the packet that it was given, an out port the one "
            "that it sent.",
            examples=["in", "out[1]"],
        ),
    ]
    nth: Annotated[
        int, about("Which packet of that port: the first, the second, … from here on.", ge=1)
    ] = 1

    def __post_init__(self) -> None:
        if self.name is None and self.id is None:
            raise FieldError(
                "a target without a node", expected="its name or its id", code="missing"
            )


class Assert(Fields):
    """The fields of an `assert`."""

    expect: Annotated[
        Expression, about("What has to be true of the payload.", examples=["self.status == 200"])
    ]
    target: Annotated[
        Spot | None,
        about(
            "Check the packet at this port instead of the payload that came in.",
            examples=[{"name": "pong", "port": "in"}],
        ),
    ] = None


class AssertNode(Node):
    """Checks one payload after the other."""

    def __init__(self, fields: Assert, expect: Program, compile: Any) -> None:  # noqa: A002
        self._code = fields.expect.code
        self._target = fields.target
        self._expect = expect
        self._compile = compile
        self._action = Action(self._act, process=True)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None

    @property
    def looks(self) -> bool:
        """Whether it needs the frames of the process."""
        return self._target is not None

    def _act(self, payload: Payload, process: Process) -> Payload:
        if (
            type(payload) is not list
            or len(payload) != 2
            or not isinstance(payload[1], int)
            or isinstance(payload[1], bool)
        ):
            raise _failed(
                f"an assert is given [payload, index], as a test sends it; found {shown(payload)}",
                payload,
            )
        value, index = payload
        if self._target is not None:
            value, index = self._look(self._target, process, index)
        mistake = unmet(self._code, self._expect, value, self._compile)
        if mistake:
            raise _failed(mistake, value)
        return [value, index]

    def _look(self, target: Spot, process: Process, index: int) -> tuple[Payload, int]:
        """Return the payload at the target, and the index of its frame."""
        record = record_of(process)
        where = f"{target.id or target.name}.{target.port}"
        if record is None:
            raise _failed(
                f"expected a packet at {where}, but nothing is recorded: "
                "a target can be looked at in tests only (see heddle test)",
                None,
            )
        at = record.find(target.id or target.name or "", canonical(target.port), index, target.nth)
        if at is None:
            which = f"packet {target.nth}" if target.nth > 1 else "a packet"
            after = f" after the frame {index}" if index > 0 else ""
            way = record.way() or "nowhere"
            raise _failed(f"expected {which} at {where}{after}, found none; packets came to: {way}")
        return record.frames[at].payload, at


def _failed(message: str, value: Payload = None) -> NodeError:
    return NodeError(Error(message, code="assert", data=value))


def compile_assert(fields: Assert, build: Build) -> Node:
    """Compile the expression as a condition; its parts too, if it has to be explained."""
    expect = build.condition(fields.expect, "expect")

    # Each part once: who runs anew asks the very program for its outcome that has gone elsewhere.
    @cache
    def compile(code: str) -> Program:  # noqa: A001 - the word of the contract
        return build.program(Expression(code, fields.expect.language), "expect")

    return AssertNode(fields, expect, compile)


ASSERT: Kind[Any] = Kind(
    Schema(
        kind="assert",
        fields=Assert,
        summary="Checks what a flow answered, or what went through one of its ports.",
        category="testing",
        ins=(Port("in", "`[payload, index]`, as a `test` or another `assert` sends it."),),
        outs=(
            Port("out", "`[payload, index]` of what was checked, if it is as expected."),
            ERROR,
        ),
        example="""\
- kind: test
  name: doubling_works
  ports:
    out[0]:
      - {name: seven, port: in}
    out[1]:
      - {name: fourteen, port: in}
- kind: snippet
  name: seven
  language: json
  code: 7
  ports:
    out:
      - {name: double, port: in}
- kind: snippet
  name: double
  language: cel
  code: self * 2
- kind: assert
  name: fourteen
  expect: self == 14
  ports:
    out:
      - {name: doubled_what_was_sent, port: in}
- kind: assert
  name: doubled_what_was_sent
  target: {name: double, port: in}
  expect: self == 7
""",
        details="""\
What is not as expected is an Error with the code `assert`, which says what was expected, and what was
found instead: of `self.status == 200` the value of `self.status`, of conditions joined by `&&` the
first that does not hold; and the payload as a whole.

With a `target`, the frames of the test's process are searched from `index` on for the first packet at
that port; the `index` of its frame goes on to the next `assert`, which searches from there. Where there
was no such packet, the Error names the ports that packets did come to. Frames are recorded by
`heddle test` only.

Asserts are linked one behind the other. Several at one port of a test all check the same answer.
""",
    ),
    compile_assert,
)
