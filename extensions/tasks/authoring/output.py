"""An Output stands for the value that a task will give: `load(day=day).rows[0]` is a reference to it.

While a workflow is traced no task runs, so an Output has no value. It can be passed to other tasks,
its parts can be named, and it can stand beside `>>` and `<<`. Everything else is an error that says so.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import msgspec

from heddle.extensions.tasks.authoring.operators import Operand, Vertex
from heddle.extensions.tasks.graph.reference import NAME
from heddle.schemas.suggestion import did_you_mean
from heddle.schemas.types.hints import plain_value
from heddle.schemas.types.parts import names_at, schema_at

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class Output(Operand):
    """A reference to the output of a task, to a part of it, or to an input of the workflow."""

    __slots__ = ("_parts", "_schema", "_source", "_vertex")

    def __init__(
        self,
        source: str,
        parts: tuple[str | int, ...] = (),
        *,
        vertex: Vertex | None = None,
        schema: Any = None,
    ) -> None:
        self._source = source
        self._parts = parts
        self._vertex = vertex
        self._schema = {} if schema is None else schema

    def vertices(self) -> list[Vertex]:
        """Return the task that gives the output; TypeError for an input of the workflow."""
        if self._vertex is None:
            raise TypeError(f"{reference_of(self)} is an input of the workflow, not a task")
        return [self._vertex]

    def __getattr__(self, name: str) -> "Output":
        if name.startswith("__"):
            raise AttributeError(name)
        return self._enter(name)

    def __getitem__(self, key: str | int) -> "Output":
        if type(key) not in (str, int) or key == "":
            raise TypeError(f"{key!r} is not the name or the number of a part")
        return self._enter(key)

    def _enter(self, key: str | int) -> "Output":
        if key == "error" and not self._parts and self._vertex is not None:
            # Not a part of the output: what takes it runs only if the task has failed.
            return Output(self._source, ("error",), vertex=self._vertex)
        part = schema_at(self._schema, (key,))
        if part is None:
            names = names_at(self._schema) or ()
            known = f" (it has: {', '.join(names)})" if names else ""
            hint = did_you_mean(str(key), names)
            raise AttributeError(
                f"{reference_of(self)} has no part {key!r}{known}. {hint}".rstrip(". "),
                name=str(key),
            )
        return Output(self._source, (*self._parts, key), vertex=self._vertex, schema=part)

    def __repr__(self) -> str:
        return f"<Output {reference_of(self)}>"

    def __hash__(self) -> int:
        return id(self)

    def _reject(self, use: str) -> NoReturn:
        raise TypeError(
            f"{reference_of(self)} has no value while the workflow is traced, so it cannot be {use}. "
            "Do this in a task, or write an expression: cel('…'), when='…', for_each='…'"
        )

    def __bool__(self) -> NoReturn:
        self._reject("tested")

    def __iter__(self) -> NoReturn:
        self._reject("iterated over")

    def __len__(self) -> NoReturn:
        self._reject("counted")

    def __contains__(self, item: object) -> NoReturn:
        self._reject("searched")

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        self._reject("called")

    def __str__(self) -> NoReturn:
        self._reject("written as text")

    def __format__(self, spec: str) -> NoReturn:
        self._reject("written as text")

    def __eq__(self, other: object) -> bool:
        return self is other or self._reject("compared")

    def __ne__(self, other: object) -> bool:
        return self is not other and self._reject("compared")

    def __lt__(self, other: object) -> NoReturn:
        self._reject("compared")

    __le__ = __gt__ = __ge__ = __lt__

    def __add__(self, other: object) -> NoReturn:
        self._reject("computed with")

    __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __add__
    __mod__ = __rmod__ = __floordiv__ = __rfloordiv__ = __neg__ = __and__ = __or__ = __add__


class Written(msgspec.Struct, frozen=True):
    """The text at an input as it stands: an expression, or a reference with transforms.

    `reads` are the outputs that it names.
    """

    form: Mapping[str, Any]
    reads: tuple[Output, ...] = ()


def reference_of(output: Output) -> str:
    """Return the reference as a workflow writes it: `load.rows[0].net`."""
    text = output._source
    for part in output._parts:
        if isinstance(part, int):
            text += f"[{part}]"
        elif NAME.fullmatch(part):
            text += f".{part}"
        else:
            text += f"[{msgspec.json.encode(part).decode()}]"
    return text


def schema_of_output(output: Output) -> Any:
    """Return the JSON Schema of what the reference stands for; `{}` if it is not known."""
    return output._schema


def cel(code: str) -> Written:
    """Return an input that is computed by a CEL expression over the tasks that it names.

    `cel("load.rows.size() + 1")` reads the output of the task `load`.
    """
    return Written({"language": "cel", "code": code})


def broadcast(output: Output) -> Written:
    """Return an input that each item of a `for_each` gets whole, even if it is a list."""
    return Written({"from": reference_of(output), "broadcast": True}, (output,))


def through(output: Output, *transforms: Any) -> Written:
    """Return an input that goes through transforms, one after another."""
    return Written({"from": reference_of(output), "through": list(transforms)}, (output,))


def written_input(value: Any) -> tuple[Any, tuple[Output, ...]]:
    """Return an input as a workflow writes it, and the outputs that it reads.

    An Output is its reference, plain data a `{value: …}`; a list or map that holds outputs is a CEL
    expression. TypeError names what cannot be written.
    """
    if isinstance(value, Output):
        return reference_of(value), (value,)
    if isinstance(value, Written):
        return dict(value.form), value.reads
    reads = tuple(_outputs_in(value))
    if reads:
        return {"language": "cel", "code": _cel_of(value)}, reads
    return {"value": plain_value(value)}, ()


def _outputs_in(value: Any) -> "list[Output]":
    if isinstance(value, Output):
        return [value]
    if isinstance(value, Written):
        raise TypeError("an expression is an input by itself, not a part of a list or map")
    if isinstance(value, Mapping):
        return [output for item in value.values() for output in _outputs_in(item)]
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [output for item in value for output in _outputs_in(item)]
    return []


def _cel_of(value: Any) -> str:
    """Return a list or map that holds outputs as a CEL expression."""
    if isinstance(value, Output):
        return _cel_reference(value)
    if isinstance(value, Mapping):
        items = (f"{_cel_text(str(key))}: {_cel_of(item)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return f"[{', '.join(map(_cel_of, value))}]"
    if isinstance(value, str):
        return _cel_text(value)
    if value is None or isinstance(value, bool | int | float):
        return msgspec.json.encode(value).decode()
    raise TypeError(f"{type(value).__name__} cannot stand in a list or map beside outputs")


def _cel_reference(output: Output) -> str:
    if output._vertex is None:
        raise TypeError(
            f"{reference_of(output)} is an input of the workflow: it cannot stand in a list or map, "
            "as expressions see tasks only. Give it as an input of its own"
        )
    if not _IDENTIFIER.fullmatch(output._source):
        raise TypeError(
            f'"{output._source}" has a hyphen: it cannot be named in a list or map of outputs'
        )
    text = output._source
    for part in output._parts:
        plain = isinstance(part, str) and _IDENTIFIER.fullmatch(part)
        text += (
            f".{part}" if plain else f"[{part if isinstance(part, int) else _cel_text(str(part))}]"
        )
    return text


def _cel_text(text: str) -> str:
    return msgspec.json.encode(text).decode()
