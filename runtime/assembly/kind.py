"""A new kind in ten lines: a decorated function, given a packet's payload, returning a payload.

    @node("shout", summary="Says it louder.")
    def shout(payload: str, *, times: Annotated[int, about("How many marks.", ge=1)] = 1) -> str:
        return payload.upper() + "!" * times

Keyword-only parameters become the fields of the kind: their types, defaults and help. A first
parameter of a type other than Any is checked against each payload. `async def` may wait. An
async generator makes a stream of what it yields; hinted as `AsyncIterator[bytes]`, a byte stream.
"""

import inspect
from collections.abc import AsyncIterable, Callable
from functools import partial
from types import new_class
from typing import Any, get_args, get_type_hints

import msgspec

from heddle.runtime.assembly.codec import Build, Kind
from heddle.runtime.flow.contracts import Process
from heddle.runtime.flow.errors import Payload
from heddle.runtime.flow.node import Action, Handler, Node
from heddle.runtime.flow.stream import ByteStream, Stream
from heddle.schemas.field import Fields
from heddle.schemas.port import ERROR, IN, OUT
from heddle.schemas.schema import Schema
from heddle.schemas.types.hints import schema_of


class FunctionNode(Node):
    """A one-to-one node that is a function."""

    def __init__(self, fn: Callable[..., Any], waits: bool) -> None:
        self._action = Action(fn, waits=waits)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None


class StreamNode(Node):
    """A one-to-one node that is an async generator: its payload is a stream, which the process closes."""

    def __init__(self, fn: Callable[..., AsyncIterable[Any]], made: type[Stream]) -> None:
        self._fn = fn
        self._made = made
        self._action = Action(self._act, process=True)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None

    def _act(self, payload: Payload, process: Process) -> Payload:
        stream = self._made(self._fn(payload))
        process.own(stream)
        return stream


def node(
    kind: str, *, summary: str = "", details: str = "", example: str = "", category: str = "own"
) -> Callable[[Callable[..., Any]], Kind[Any]]:
    """Make a kind of a function; give the result to `extension.kind` or `Runtime(extensions=[…])`.

    TypeError names the parameter that cannot become a field.
    """

    def make(function: Callable[..., Any]) -> Kind[Any]:
        accepts, returns, fields = _fields(kind, function)
        streams = inspect.isasyncgenfunction(function)
        if inspect.isgeneratorfunction(function):
            raise TypeError(
                f'kind "{kind}": {function.__name__} yields and is no async generator; '
                f"write async def {function.__name__}, or return a list"
            )
        waits = inspect.iscoroutinefunction(function)
        schema = Schema(
            kind=kind,
            fields=fields,
            summary=summary or (inspect.getdoc(function) or f"The node {kind}.").partition("\n")[0],
            details=details,
            example=example,
            category=category,
            ins=(msgspec.structs.replace(IN, schema=schema_of(accepts) or None),),
            outs=(
                msgspec.structs.replace(
                    OUT, schema=None if streams else schema_of(returns) or None
                ),
                ERROR,
            ),
        )
        names = [field.name for field in msgspec.structs.fields(fields)]

        def compile(value: Any, build: Build) -> Node:  # noqa: A001 - the word of the contract
            given = {name: getattr(value, name) for name in names}
            act: Callable[..., Any] = partial(function, **given) if given else function
            if accepts is not Any:
                act = _checked_async(act, accepts) if waits else _checked(act, accepts)
            if streams:
                return StreamNode(act, ByteStream if bytes in get_args(returns) else Stream)
            return FunctionNode(act, waits)

        return Kind(schema, compile)

    return make


def _fields(kind: str, function: Callable[..., Any]) -> tuple[Any, Any, type[Fields]]:
    """Return what the payload must be, what is returned, and the Struct of the keyword-only parameters."""
    hints = get_type_hints(function, include_extras=True)
    data: dict[str, Any] = {"__module__": function.__module__, "__annotations__": {}}
    positional: list[inspect.Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY:
            if parameter.name not in hints:
                raise TypeError(f'kind "{kind}": the parameter "{parameter.name}" has no type')
            data["__annotations__"][parameter.name] = hints[parameter.name]
            if parameter.default is not parameter.empty:
                data[parameter.name] = parameter.default
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            positional.append(parameter)
        else:
            raise TypeError(f'kind "{kind}": *args and **kwargs cannot become fields')
    if len(positional) != 1:
        raise TypeError(
            f'kind "{kind}": one positional parameter, the payload, is wanted; '
            f"{len(positional)} found. Write fields after a *: def {function.__name__}(payload, *, …)"
        )
    accepts = hints.get(positional[0].name, Any)
    return (
        accepts,
        hints.get("return", Any),
        new_class(f"{kind.title()}Fields", (Fields,), exec_body=lambda body: body.update(data)),
    )


def _checked(act: Callable[..., Any], accepts: Any) -> Callable[[Any], Any]:
    """Return the function, with its payload checked and converted first."""

    def checked(payload: Any) -> Any:
        return act(msgspec.convert(payload, accepts))

    return checked


def _checked_async(act: Callable[..., Any], accepts: Any) -> Callable[[Any], Any]:
    """Return the waiting function, with its payload checked and converted first."""

    async def checked(payload: Any) -> Any:
        return await act(msgspec.convert(payload, accepts))

    return checked
