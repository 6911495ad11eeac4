"""task: does its work with a Python function; its parameters are the inputs."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import msgspec

from heddle.extensions.extension import (
    ERROR,
    IN,
    OUT,
    Action,
    Answer,
    Build,
    FieldError,
    Fields,
    Flow,
    Handler,
    Kind,
    Node,
    Payload,
    Port,
    Schema,
    Visit,
    about,
)
from heddle.extensions.tasks.fields import check_work
from heddle.extensions.tasks.functions import (
    FunctionError,
    TaskFunction,
    find_registered,
    import_function,
)
from heddle.runtime.flow.packet import join
from heddle.schemas.port import canonical
from heddle.schemas.schema import Ports
from heddle.schemas.types.signature import Signature, record_schema


class FunctionFields(Fields):
    """The fields of a `task`."""

    run: Annotated[
        str | None,
        about("The function: `module:function`. The module is imported.", examples=["shop:total"]),
    ] = None
    uses: Annotated[
        str | None, about("The name of a registered function.", examples=["shop.total"])
    ] = None

    def __post_init__(self) -> None:
        if (self.run is None) == (self.uses is None):
            actual = "neither run nor uses" if self.run is None else "both run and uses"
            raise FieldError(actual, expected="one of them", code="missing")

    def load(self) -> TaskFunction:
        """Return the function; FunctionError says why there is none."""
        if self.run is not None:
            return import_function(self.run)
        check_work(None, self.run, self.uses)
        return find_registered(self.uses or "")


class FunctionTaskNode(Node):
    """Calls its function with each record. `outs` are the fields of its result that are linked."""

    def __init__(self, function: TaskFunction, outs: tuple[str, ...] = ()) -> None:
        self.function = function
        call = function.caller()

        if function.waits:

            async def wait(payload: Payload) -> Answer:
                return await call(function.record(payload))

            self.action = Action(wait, turns=False)
        else:

            def act(payload: Payload) -> Answer:
                return call(function.record(payload))

            self.action = Action(act)
        self._handler: Handler = self.action if not outs else Visit(self._spread(outs))
        if outs and function.waits:
            self._handler = Visit(self._spread(outs), waits=True)

    def handler(self, port: str) -> Handler | None:
        """Return what it does at its only in port."""
        return self._handler if port == "in" else None

    def _spread(
        self, outs: tuple[str, ...]
    ) -> Callable[[Flow, Payload], Coroutine[Any, Any, Answer]]:
        """Return a visit that sends fields of the result out by ports of their names."""
        action = self.action

        async def visit(flow: Flow, payload: Payload) -> Answer:
            result = action.fn(payload)
            if action.waits:
                result = await result
            answers = []
            for port in outs:
                value = result.get(port) if isinstance(result, dict) and port != "out" else result
                answers.append(await flow.send(port, value))
            return join(answers)

        return visit


def ports_of(fields: FunctionFields) -> Ports:
    """Return its ports: beside `out`, one for each field of what the function returns."""
    try:
        signature = fields.load().signature
    except FunctionError:
        return (), ()
    outs = [
        Port(output.name, output.help or "This field of the result.", schema=output.schema)
        for output in signature.outputs
        if output.name not in ("out", "error")
    ]
    return (
        (msgspec.structs.replace(IN, schema=_accepted(signature)),),
        (msgspec.structs.replace(OUT, schema=signature.answer or None), *outs),
    )


def _accepted(signature: Signature) -> dict[str, Any] | None:
    """Return the type of a packet: a record, or the value of the only parameter; None if it is open."""
    if signature.open or not signature.inputs:
        return None
    record = record_schema(signature.inputs)
    first, *more = signature.inputs
    if more:
        return record
    value = first.schema
    if not value:
        return None
    definitions = {**record.pop("$defs", {}), **value.get("$defs", {})}
    alone = {word: part for word, part in value.items() if word != "$defs"}
    return {"anyOf": [alone, record], **({"$defs": definitions} if definitions else {})}


def compile_task(fields: FunctionFields, build: Build) -> Node:
    """Import the function; one that is not there is a Problem."""
    try:
        function = fields.load()
    except FunctionError as error:
        field = "run" if fields.run is not None else "uses"
        build.reject(field, code="unknown-function", found=error.message, hint=error.hint)
    names = {output.name for output in function.signature.outputs}
    linked = [canonical(port) for port, links in build.spec.ports.items() if links]
    fields_linked = [port for port in linked if port in names and port not in ("out", "error")]
    outs = (*fields_linked, *(["out"] if "out" in linked else [])) if fields_linked else ()
    return FunctionTaskNode(function, tuple(outs))


TASK: Kind[FunctionFields] = Kind(
    Schema(
        kind="task",
        fields=FunctionFields,
        summary="Does its work with a Python function; its parameters are the inputs.",
        category="tasks",
        ins=(IN,),
        outs=(OUT, ERROR),
        ports=ports_of,
        example="""\
- kind: task
  name: text
  run: json:dumps
""",
        details="""\
A packet is a map of the parameters by name; a function with a single parameter is also sent the value
alone. Values are converted to the types of the hints, and what the function returns becomes plain data.
A value that does not fit, and a result that is not what the hint says, are Errors `type`.

The function may be `async`; a generator gives the list of what it yields. If it returns a Struct, a
dataclass or a TypedDict, each field can also leave by a port of its name.

In a `workflow`, `run:` of a task is the short form of this kind.
""",
    ),
    compile_task,
)
