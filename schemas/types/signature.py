"""The signature of a Python function as inputs and outputs of a task."""

import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, get_args, get_origin

import msgspec

from heddle.schemas.types.hints import (
    Json,
    fields_of_hint,
    is_plain,
    plain_value,
    schema_of,
)
from heddle.schemas.types.parts import schema_at

NO_DEFAULT: Any = msgspec.UNSET

_YIELDS = (
    typing.get_origin(typing.Iterator[Any]),
    typing.get_origin(typing.Iterable[Any]),
    typing.get_origin(typing.Generator[Any, Any, Any]),
    typing.get_origin(typing.AsyncIterator[Any]),
    typing.get_origin(typing.AsyncIterable[Any]),
    typing.get_origin(typing.AsyncGenerator[Any, Any]),
)


class SignatureError(TypeError):
    """A function cannot be a task: its parameters cannot be given by name."""


class TaskInputDefinition(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One input of a task. `default` is UNSET if it is required; `plain` says that nothing is built."""

    name: str
    schema: Json = msgspec.field(default_factory=dict)
    required: bool = True
    default: Any = NO_DEFAULT
    help: str = ""
    hint: Any = Any
    plain: bool = True


class TaskOutputDefinition(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One output of a task; `stream` is "" or how its pieces are put together (`append`)."""

    name: str
    schema: Json = msgspec.field(default_factory=dict)
    stream: str = ""
    help: str = ""


class Signature(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The inputs and the output of a function.

    `answer` is the schema of the whole value that it returns. `outputs` are the fields of that value
    if it is a Struct, dataclass, TypedDict or model; else the only output is `out`. `open` says that
    it takes inputs of other names too (`**kwargs`). `unresolved` gives a reason for each hint that
    cannot be evaluated; such a hint counts as `any`.
    """

    inputs: tuple[TaskInputDefinition, ...] = ()
    outputs: tuple[TaskOutputDefinition, ...] = ()
    answer: Json = msgspec.field(default_factory=dict)
    answer_plain: bool = True
    waits: bool = False
    streams: bool = False
    open: bool = False
    unresolved: Mapping[str, str] = msgspec.field(default_factory=dict)

    def input(self, name: str) -> TaskInputDefinition | None:
        """Return the input of this name, or None."""
        return next((each for each in self.inputs if each.name == name), None)

    def output(self, name: str) -> TaskOutputDefinition | None:
        """Return the output of this name, or None."""
        return next((each for each in self.outputs if each.name == name), None)


def read_signature(
    function: Callable[..., Any], *, injected: "Callable[[Any], bool] | None" = None
) -> Signature:
    """Read the signature of a function, an `async def`, a generator, or an object with `__call__`.

    `injected(default)` says which parameters get their value from elsewhere: they are not inputs.
    SignatureError if a parameter is positional only or `*args`: inputs are given by name. Nothing is
    called, and the function is not changed.
    """
    parameters = read_parameters(function)
    target = function if inspect.isroutine(function) else _call_of(function)
    hints, unresolved = _hints_of(target)
    inputs: list[TaskInputDefinition] = []
    takes_all = False
    for parameter in parameters:
        if parameter.kind is parameter.VAR_KEYWORD:
            takes_all = True
        elif injected is None or not injected(parameter.default):
            inputs.append(_input(parameter, hints.get(parameter.name, Any)))
    streams = inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target)
    returned = hints.get("return", Any)
    answer_hint = list[_yielded(returned)] if streams else returned  # type: ignore[misc]
    answer = schema_of(answer_hint, closed=True)
    return Signature(
        inputs=tuple(inputs),
        outputs=_outputs(answer_hint, answer, "append" if streams else ""),
        answer=answer,
        answer_plain=is_plain(answer_hint) and answer_hint not in (Any, object),
        waits=inspect.iscoroutinefunction(target) or inspect.isasyncgenfunction(target),
        streams=streams,
        open=takes_all,
        unresolved=unresolved,
    )


def read_parameters(function: Callable[..., Any]) -> tuple[inspect.Parameter, ...]:
    """Return the parameters of a function; its hints are not evaluated, so they may name what comes later.

    SignatureError if one cannot be given by name.
    """
    try:
        parameters = tuple(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        raise SignatureError(f"{_name_of(function)} has no signature: {error}") from None
    for parameter in parameters:
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.VAR_POSITIONAL):
            raise SignatureError(
                f"{_name_of(function)} cannot be a task: inputs are given by name, and "
                f'"{parameter.name}" cannot be (it is {parameter.kind.description})'
            )
    return parameters


def record_schema(inputs: Iterable[TaskInputDefinition], *, open: bool = False) -> Json:  # noqa: A002
    """Return the JSON Schema of a record of inputs: a map with those that are required, and no others.

    An `open` record may have others, too.
    """
    definitions: Json = {}
    properties: Json = {}
    required: list[str] = []
    for each in inputs:
        part = dict(each.schema)
        own = part.pop("$defs", {})
        if any(definitions.setdefault(name, own[name]) != own[name] for name in own):
            # Two classes of one name: the type of the second is left open.
            part = {}
        properties[each.name] = part
        if each.required:
            required.append(each.name)
    record: Json = {"type": "object", "properties": properties, "additionalProperties": open}
    if required:
        record["required"] = required
    return {**record, "$defs": definitions} if definitions else record


def _input(parameter: inspect.Parameter, hint: Any) -> TaskInputDefinition:
    required = parameter.default is parameter.empty
    schema = schema_of(hint)
    if not required:
        schema = _with_default(schema, parameter.default)
    return TaskInputDefinition(
        name=parameter.name,
        schema=schema,
        required=required,
        default=NO_DEFAULT if required else parameter.default,
        help=_help_of(hint),
        hint=hint,
        plain=is_plain(hint),
    )


def _with_default(schema: Json, default: Any) -> Json:
    """Return the schema with its default if that can be written as plain data.

    `x: int = None` accepts null, too: that is what its author means.
    """
    try:
        written = plain_value(default)
        msgspec.json.encode(written)
    except (TypeError, ValueError, RecursionError):
        return schema
    if written is None and schema:
        definitions = {word: schema[word] for word in ("$defs",) if word in schema}
        bare = {word: value for word, value in schema.items() if word != "$defs"}
        members = bare["anyOf"] if set(bare) == {"anyOf"} else [bare]
        if {"type": "null"} not in members:
            members = [*members, {"type": "null"}]
        return {"anyOf": members, "default": None, **definitions}
    return {**schema, "default": written}


def _outputs(hint: Any, answer: Json, stream: str) -> tuple[TaskOutputDefinition, ...]:
    names = None if stream else fields_of_hint(hint)
    if names is None:
        return (TaskOutputDefinition(name="out", schema=answer, stream=stream),)
    outputs = []
    for name in names:
        part = schema_at(answer, (name,))
        schema = dict(part) if isinstance(part, Mapping) else {}
        text = schema.get("description", "")
        outputs.append(TaskOutputDefinition(name=name, schema=schema, help=text))
    return tuple(outputs)


def _yielded(hint: Any) -> Any:
    args = get_args(hint)
    return args[0] if get_origin(hint) in _YIELDS and args else Any


def _help_of(hint: Any) -> str:
    if get_origin(hint) is not Annotated:
        return ""
    texts = [each.description for each in get_args(hint)[1:] if isinstance(each, msgspec.Meta)]
    return next((text for text in reversed(texts) if text), "")


def _hints_of(function: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the evaluated hints, and the reason for each that cannot be evaluated."""
    try:
        return typing.get_type_hints(function, include_extras=True), {}
    except Exception:
        return _hints_one_by_one(function)


def _hints_one_by_one(function: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """Evaluate each hint alone; names of the enclosing function count, too."""
    hints: dict[str, Any] = {}
    unresolved: dict[str, str] = {}
    inner = inspect.unwrap(getattr(function, "__func__", function))
    names = dict(getattr(inner, "__globals__", {}))
    if isinstance(inner, types.FunctionType):
        cells = zip(inner.__code__.co_freevars, inner.__closure__ or (), strict=True)
        names.update({name: cell.cell_contents for name, cell in cells if _is_filled(cell)})
    for name, hint in getattr(inner, "__annotations__", {}).items():
        holder = types.SimpleNamespace(__annotations__={name: hint})
        try:
            hints |= typing.get_type_hints(holder, names, names, include_extras=True)
        except Exception as error:
            unresolved[name] = f"{type(error).__name__}: {error}"
    return hints, unresolved


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018 - it raises if the cell is empty
    except ValueError:
        return False
    return True


def _call_of(function: Any) -> Any:
    wrapped = getattr(function, "func", None)
    if inspect.isroutine(wrapped):
        return wrapped
    return type(function).__call__


def _name_of(function: Any) -> str:
    return str(getattr(function, "__qualname__", None) or type(function).__name__)
