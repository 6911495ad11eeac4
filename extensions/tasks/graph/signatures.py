"""The inputs and outputs of the work of tasks, as far as they are known before anything runs."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from heddle.extensions.tasks.fields import OutputFields
from heddle.extensions.tasks.functions import TaskFunction
from heddle.schemas.schema import TypeOfCode

Json = dict[str, Any]


class Slot(NamedTuple):
    """One input: its type as a JSON Schema, and whether it must be given."""

    schema: Json
    required: bool


class WorkTypes(NamedTuple):
    """The inputs of some work (None: not known), and the type of its answer (`{}`: not known)."""

    inputs: Mapping[str, Slot] | None = None
    open: bool = True
    answer: Json = {}  # noqa: RUF012 - never changed


UNKNOWN = WorkTypes()


def types_of_function(function: TaskFunction) -> WorkTypes:
    """Return what the hints of a function say."""
    signature = function.signature
    slots = {
        definition.name: Slot(definition.schema, definition.required)
        for definition in signature.inputs
    }
    return WorkTypes(slots, signature.open, signature.answer)


def types_of_spec(do: Mapping[str, Any], type_of_code: TypeOfCode) -> WorkTypes:
    """Return what a Spec in `do` says of itself.

    A workflow names its inputs and outputs; the answer of a snippet has the type of its code.
    """
    if do.get("kind") == "snippet":
        return UNKNOWN._replace(answer=_answer_of_code(do, type_of_code))
    if do.get("kind") != "workflow" or do.get("uses") is not None:
        return UNKNOWN
    inputs, outputs = do.get("inputs") or {}, do.get("outputs")
    if not isinstance(inputs, Mapping):
        return UNKNOWN
    answer: Json = {}
    if isinstance(outputs, Mapping) and list(outputs) != ["out"]:
        properties: Json = {str(name): {} for name in outputs}
        answer = {"type": "object", "properties": properties, "additionalProperties": False}
    return WorkTypes({str(name): _slot(value) for name, value in inputs.items()}, False, answer)


def _answer_of_code(do: Mapping[str, Any], type_of_code: TypeOfCode) -> Json:
    language, code = do.get("language"), do.get("code")
    # A code with blanks is known once they are filled.
    if not isinstance(language, str) or not isinstance(code, str) or "{{" in code:
        return {}
    return dict(type_of_code(language, code))


def _slot(written: Any) -> Slot:
    """Return the slot of an input of a workflow as it is written."""
    if not isinstance(written, Mapping):
        return Slot({}, False)
    required = written.get("required")
    must = "default" not in written if required is None else bool(required)
    schema = written.get("schema")
    if isinstance(schema, Mapping):
        return Slot(dict(schema), must)
    name = written.get("type", "any")
    return Slot({} if name == "any" or not isinstance(name, str) else {"type": name}, must)


def declared(types: WorkTypes, outputs: Mapping[str, OutputFields]) -> WorkTypes:
    """Return the types with what a task declares of its outputs, if nothing else is known of them."""
    if not outputs or types.answer:
        return types
    properties = {
        name: {} if fields.type == "any" else {"type": fields.type}
        for name, fields in outputs.items()
    }
    if set(properties) == {"out"}:
        return types._replace(answer=properties["out"])
    return types._replace(answer={"type": "object", "properties": properties})
