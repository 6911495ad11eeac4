"""The comparison of types on every dataflow of a workflow, before anything runs."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from heddle.extensions.tasks.fields import TaskFields, WorkflowFields
from heddle.extensions.tasks.graph.dataflow import Dataflow
from heddle.extensions.tasks.graph.reference import Reference
from heddle.extensions.tasks.graph.signatures import Slot, WorkTypes
from heddle.extensions.tasks.graph.source import InputSource
from heddle.schemas.path import Path
from heddle.schemas.suggestion import did_you_mean
from heddle.schemas.types.comparison import compare_types
from heddle.schemas.types.fit import Fit
from heddle.schemas.types.parts import names_at, schema_at
from heddle.schemas.types.type_words import describe_schema

Json = dict[str, Any]

_LIST: Json = {"type": "array"}
_TEXT: Json = {"type": "string"}


class TypeReport(Protocol):
    """Takes one Problem: the path of the field, its code, and its words."""

    def __call__(
        self, path: Path, code: str, actual: str, *, expected: str = "", hint: str = ""
    ) -> None: ...


class TypeCheck:
    """Compares what flows with what is accepted; `types` are those of each task's work."""

    def __init__(
        self, fields: WorkflowFields, types: Sequence[WorkTypes], report: TypeReport
    ) -> None:
        self._fields = fields
        self._types = types
        self._report = report

    def inputs(self, flows: Sequence[Dataflow]) -> list[frozenset[str]]:
        """Report every input that cannot fit, is unknown or is missing.

        Return for each task the names of the inputs whose type is known to fit.
        """
        sources = {(flow.target, flow.input): flow for flow in flows if flow.input is not None}
        fitting = []
        for number, task in enumerate(self._fields.tasks):
            types = self._types[number]
            self._check_names(number, task, types)
            fitting.append(
                frozenset(
                    name
                    for name, source in task.inputs.items()
                    if self._fits(number, task, name, source, sources.get((number, name)))
                )
            )
        return fitting

    def outputs(self, numbers: Mapping[str, int]) -> None:
        """Report every output of the workflow that a task does not have."""
        for name, source in (self._fields.outputs or {}).items():
            reference = source.reference
            if reference is not None and reference.source in numbers:
                path = _place(source, ("outputs", name))
                self._type_of_task(numbers[reference.source], reference, path)

    def _check_names(self, number: int, task: TaskFields, types: WorkTypes) -> None:
        """Report inputs that the work does not have, and those that it lacks."""
        if types.inputs is None:
            return
        slots = types.inputs
        if set(task.inputs) == {"in"} and "in" not in slots:
            if len([slot for slot in slots.values() if slot.required]) > 1:
                self._report_missing(number, list(slots)[1:], slots)
            return
        for name in task.inputs:
            if name not in slots and not types.open:
                has = ", ".join(slots) or "none"
                self._report(
                    ("tasks", number, "inputs", name),
                    "unknown-input",
                    f'"{task.name}" has no input "{name}" (it has: {has})',
                    hint=did_you_mean(name, slots),
                )
        self._report_missing(number, [name for name in slots if name not in task.inputs], slots)

    def _report_missing(self, number: int, names: Sequence[str], slots: Mapping[str, Slot]) -> None:
        task = self._fields.tasks[number]
        for name in names:
            slot = slots[name]
            if slot.required:
                at = ("tasks", number, "inputs") if task.inputs else ("tasks", number, "name")
                expected = describe_schema(slot.schema)
                self._report(
                    at,
                    "missing-input",
                    f'"{task.name}" lacks the input "{name}"',
                    expected="" if expected == "any" else expected,
                    hint=f"Add {name}: and where it comes from under inputs.",
                )

    def _fits(
        self, number: int, task: TaskFields, name: str, source: InputSource, flow: Dataflow | None
    ) -> bool:
        """Report an input whose type cannot fit; return whether it is known to fit."""
        path: Path = ("tasks", number, "inputs", name)
        place = _place(source, path)
        given = self._given(source, flow, place)
        if source.through and given is not None:
            given = self._transformed(source, given, path)
        each = task.each
        if each is not None and name in each.names and given is not None:
            given = self._item(given, place, task)
            if each.batch is not None:
                given = {"type": "array", "items": given} if given is not None else None
        slots = self._types[number].inputs
        if given is None or slots is None:
            return False
        sole = set(task.inputs) == {"in"} and "in" not in slots
        slot = next(iter(slots.values()), None) if sole else slots.get(name)
        if slot is None:
            return False
        fit = compare_types(given, slot.schema)
        if fit.fails:
            self._report(
                place,
                "type",
                f"{describe_schema(given)} goes to {task.name}.{name}",
                expected=describe_schema(slot.schema),
                hint=_only_empty(fit),
            )
        return fit is Fit.FITS

    def _given(self, source: InputSource, flow: Dataflow | None, path: Path) -> Json | None:
        """Return the type that an input is given; None if it is not known."""
        if source.expression is not None:
            return None
        reference = source.reference
        if reference is None:
            return {"const": source.value}
        if reference.of_run:
            return _TEXT
        if reference.of_input:
            return self._type_of_input(reference, path)
        return self._type_of_task(flow.source, reference, path) if flow is not None else None

    def _type_of_input(self, reference: Reference, path: Path) -> Json | None:
        if not reference.path:
            return None
        name = str(reference.path[0])
        fields = self._fields.inputs.get(name)
        if fields is None or (not fields.must and fields.default is None):
            return None
        return self._part(fields.json_schema, reference.path[1:], f"in.{name}", path)

    def _type_of_task(self, number: int, reference: Reference, path: Path) -> Json | None:
        """Return the type of what a reference takes of the output of a task; report what is not there."""
        task = self._fields.tasks[number]
        if reference.of_error or task.on_error == "ignore" or task.fallback is not None:
            return None
        answer, steps = self._types[number].answer, reference.path
        each = task.each
        if each is None:
            return self._part(answer, steps, task.name, path)
        if each.on_error != "fail" or each.flatten or each.batch is not None:
            return _LIST if not steps else None
        if steps and isinstance(steps[0], int):
            return self._part(answer, steps[1:], task.name, path)
        item = self._part(answer, steps, task.name, path)
        return None if item is None else {"type": "array", "items": item}

    def _part(
        self, schema: Json, steps: tuple[str | int, ...], name: str, path: Path
    ) -> Json | None:
        if not schema:
            return None
        value: Any = schema
        for number, step in enumerate(steps):
            part = schema_at(value, (step,))
            if part is None:
                self._unknown_output(value, step, str(Reference(name, steps[:number])), path)
                return None
            value = part
        return value if isinstance(value, dict) and value else None

    def _unknown_output(self, schema: Json, step: str | int, name: str, path: Path) -> None:
        names = names_at(schema) or ()
        has = f"it has: {', '.join(names)}" if names else f"it is {describe_schema(schema)}"
        text = f'output "{step}"' if isinstance(step, str) else f"element {step}"
        self._report(
            path,
            "unknown-output",
            f'"{name}" has no {text} ({has})',
            hint=did_you_mean(str(step), names),
        )

    def _transformed(self, source: InputSource, given: Json, path: Path) -> Json | None:
        """Return the type after the transforms; report the first that cannot work on its value."""
        data: Json | None = given
        for number, transform in enumerate(source.through):
            accepts = transform.accepts
            if data is not None and accepts is not None:
                fit = compare_types(data, dict(accepts))
                if fit.fails:
                    self._report(
                        (*path, "through", number),
                        "type",
                        f"{describe_schema(data)} goes to the transform {transform.id}",
                        expected=describe_schema(dict(accepts)),
                    )
                    return None
            made = transform.makes(data)
            data = None if made is None else dict(made)
        return data

    def _item(self, given: Json, path: Path, task: TaskFields) -> Json | None:
        """Return the type of the items; report a value that cannot be a list."""
        if compare_types(given, _LIST).fails:
            self._report(
                path,
                "type",
                f"{describe_schema(given)} goes to for_each of {task.name}",
                expected="array",
                hint="for_each works on the items of a list.",
            )
            return None
        mapping = schema_at(given, (0,))
        return mapping if isinstance(mapping, dict) and mapping else None


def _place(source: InputSource, path: Path) -> Path:
    """Return where the reference of a source stands."""
    if source.reference is None:
        return (*path, "value") if source.has_value else path
    return (*path, "from") if source.long else path


def _only_empty(fit: Fit) -> str:
    return "It fits only as long as it is empty." if fit is Fit.EMPTY else ""
