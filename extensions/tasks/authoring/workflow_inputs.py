"""The inputs of a workflow, from type hints or as YAML writes them."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from heddle.extensions.tasks.authoring.options import check_name
from heddle.extensions.tasks.authoring.output import Output
from heddle.schemas.suggestion import did_you_mean
from heddle.schemas.types.hints import plain_value, schema_of
from heddle.schemas.types.signature import NO_DEFAULT, TaskInputDefinition, read_signature

_FIELD = frozenset({"type", "schema", "default", "required", "help", "replicate"})

_SIMPLE = ("string", "number", "integer", "boolean", "array", "object")


class WorkflowInput(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One input of a workflow: `written` are its fields as a Spec has them, `schema` is its type."""

    name: str
    written: Any
    schema: Mapping[str, Any]

    @property
    def output(self) -> Output:
        """The reference to it: `in.day`."""
        return Output("in", (self.name,), schema=self.schema)

    def field(self) -> dict[str, Any]:
        """Return its fields as a Spec has them."""
        return dict(self.written) if isinstance(self.written, Mapping) else self.written

    def definition(self) -> TaskInputDefinition:
        """Return the input as that of a task that runs the workflow."""
        given = self.written.get("default", NO_DEFAULT)
        required = self.written.get("required", given is NO_DEFAULT)
        return TaskInputDefinition(
            name=self.name,
            schema=dict(self.schema),
            required=bool(required),
            default=given,
            help=str(self.written.get("help", "")),
        )


def input_of_hint(
    name: str,
    hint: Any = Any,
    *,
    default: Any = NO_DEFAULT,
    help: str = "",  # noqa: A002
) -> WorkflowInput:
    """Return the input of this type: a type hint, or the fields of an input as YAML writes them."""
    check_name(name, "workflow input")
    if isinstance(hint, Mapping) and hint.keys() <= _FIELD:
        given = input_of_fields(name, hint)
        written, schema = dict(given.written), given.schema
    elif isinstance(hint, str):
        schema = _schema_of_name(hint)
        written = {"type": hint}
    else:
        schema = schema_of(hint)
        written = _written_type(schema)
    if default is not NO_DEFAULT:
        written["default"] = plain_value(default)
    if help:
        written["help"] = help
    return WorkflowInput(name=name, written=written, schema=schema)


def input_of_fields(name: str, written: Any) -> WorkflowInput:
    """Return an input as a Spec writes it; it is not checked."""
    known = written if isinstance(written, Mapping) else {}
    schema = known.get("schema") or _schema_of_name(str(known.get("type", "any")))
    return WorkflowInput(name=name, written=written, schema=schema)


def inputs_of_body(
    body: Callable[..., Any], inputs: Mapping[str, Any] | None
) -> dict[str, WorkflowInput]:
    """Return the inputs of a traced body: its parameters, with the types of `inputs` or its hints.

    TypeError if `inputs` names what the body does not take.
    """
    signature = read_signature(body)
    given = dict(inputs or {})
    names = [each.name for each in signature.inputs]
    for name in given:
        if name not in names and not signature.open:
            hint = did_you_mean(name, names)
            raise TypeError(
                f'{getattr(body, "__name__", "the workflow")} has no parameter "{name}" '
                f"(it has: {', '.join(names) or 'none'}). {hint}".rstrip(". ")
            )
    known: dict[str, WorkflowInput] = {}
    for each in signature.inputs:
        hint = given.pop(each.name, each.hint)
        known[each.name] = input_of_hint(each.name, hint, default=each.default, help=each.help)
    for name, hint in given.items():
        known[name] = input_of_hint(name, hint)
    return known


def is_traceable(body: Any) -> bool:
    """Return whether a function can be the body of a workflow: a plain one that returns at once."""
    return not (
        inspect.iscoroutinefunction(body)
        or inspect.isgeneratorfunction(body)
        or inspect.isasyncgenfunction(body)
    )


def _written_type(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the type as a workflow writes it: a name if that says all, else a schema."""
    bare = {key: value for key, value in schema.items() if key != "description"}
    written: dict[str, Any] = {"schema": dict(bare)}
    if not bare or set(bare) == {"title"}:
        written = {"type": "any"}
    elif set(bare) == {"type"} and bare["type"] in _SIMPLE:
        written = {"type": bare["type"]}
    if "description" in schema:
        written["help"] = schema["description"]
    return written


def _schema_of_name(name: str) -> dict[str, Any]:
    return {} if name == "any" else {"type": name}
