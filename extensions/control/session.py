"""session: what a process keeps between packets."""

from typing import Annotated, Any, Literal

import msgspec

from heddle.extensions.extension import (
    ERROR,
    IN,
    OUT,
    Action,
    Build,
    Expression,
    FieldError,
    Fields,
    Handler,
    Kind,
    Node,
    Payload,
    Process,
    Program,
    Schema,
    about,
)
from heddle.runtime.flow.elsewhere import once


class Session(Fields):
    """The fields of a `session`."""

    set: Annotated[
        dict[str, Expression],
        about(
            "What to keep, by name, each of the packet.",
            examples=[{"user": "auth.user", "asked": "path"}],
        ),
    ] = msgspec.field(default_factory=dict)
    remove: Annotated[list[str], about("Names to forget, before anything is kept or given.")] = (
        msgspec.field(default_factory=list)
    )
    get: Annotated[
        list[str],
        about(
            "Names whose values are given: the new payload is a map of them. A name that nothing is "
            "kept under is left out."
        ),
    ] = msgspec.field(default_factory=list)
    add: Annotated[
        bool,
        about("Whether `get` adds to the payload, which must be a map, instead of replacing it."),
    ] = False
    scope: Annotated[
        Literal["run", "process"],
        about(
            "`run`: the outermost process keeps it, for all that belongs to it: the messages of a "
            "connection, the items of a `for`. `process`: only this one does, and those below it see it."
        ),
    ] = "run"

    def __post_init__(self) -> None:
        if not (self.set or self.get or self.remove):
            raise FieldError("nothing to keep, to give or to forget", expected="set, get or remove")
        if self.add and not self.get:
            raise FieldError("add without get", expected="names to add", path=("add",))


PREFIX = "session."
"""The prefix of the names of a session among the data of a process, which others use too."""


class SessionNode(Node):
    """Keeps and gives, without waiting."""

    def __init__(self, fields: Session, programs: dict[str, Program]) -> None:
        self._fields = fields
        self._programs = programs
        self._action = Action(self._act, process=True)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None

    def _act(self, payload: Payload, process: Process) -> Payload:
        fields = self._fields
        keeper = process
        while fields.scope == "run" and keeper.parent is not None:
            keeper = keeper.parent
        # Every value is there before any is kept: a program that fails changes nothing.
        if self.leaves:
            values = once(self._programs, payload)
        else:
            values = {name: program(payload) for name, program in self._programs.items()}
        for name in fields.remove:
            keeper.remove(PREFIX + name)
        for name, value in values.items():
            keeper.set(PREFIX + name, value)
        if not fields.get:
            return payload
        missing = object()
        data = {name: process.get(PREFIX + name, missing) for name in fields.get}
        given = {name: value for name, value in data.items() if value is not missing}
        if not fields.add:
            return given
        if not isinstance(payload, dict):
            shown = "null" if payload is None else f"a {type(payload).__name__}"
            raise TypeError(f"a session adds to a map, and this is {shown}")
        return {**payload, **given}


def compile_session(fields: Session, build: Build) -> Node:
    """Return each expression is compiled once."""
    programs = {
        name: build.program(expression, "set", name) for name, expression in fields.set.items()
    }
    return SessionNode(fields, programs)


SESSION: Kind[Any] = Kind(
    Schema(
        kind="session",
        fields=Session,
        summary="Keeps values for the process, and gives them to later packets of it.",
        category="control",
        passes_on=lambda _: True,
        ins=(IN,),
        outs=(OUT, ERROR),
        example="""\
- kind: session
  name: remember
  set:
    user: self.user
  ports:
    out:
      - {name: strip, port: in}
- kind: snippet
  name: strip
  language: cel
  code: "{'text': self.text}"
  ports:
    out:
      - {name: recall, port: in}
- kind: session
  name: recall
  get: [user]
  add: true
""",
        details="""\
Without `get` the packet goes on as it is. What is kept is gone when the process that keeps it ends: for a
request that is the answer, for a connection its close. Names are shared by every `session` of the flow.
""",
    ),
    compile_session,
)
