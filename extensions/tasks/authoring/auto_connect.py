"""Tasks that stand beside `>>` get their inputs by name and type; nothing is guessed.

For each input that is not given, in this order:

1. an output of a task directly before it that has the same name and a type that can fit;
2. the only output of those tasks whose type has a name (a class, a `format`, an `$id`) and fits;
3. an input of the workflow with the same name and a type that can fit;
4. if the input is required: the same as 1 and 2 with earlier tasks, the newest first.

What stays open, and what two outputs could fill, is a AutoConnectError that lists what was tried.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from heddle.extensions.tasks.authoring.output import Output, reference_of
from heddle.extensions.tasks.graph.cycle_error import find_path
from heddle.extensions.tasks.graph.reference import NAME
from heddle.schemas.errors import HeddleError
from heddle.schemas.types.comparison import compare_types
from heddle.schemas.types.fit import Fit
from heddle.schemas.types.signature import TaskInputDefinition
from heddle.schemas.types.type_words import describe_schema


class AutoConnectError(HeddleError, ValueError):
    """An input of a task cannot be connected; the message lists what was tried."""


class Candidate(NamedTuple):
    """An output that may fill an input: its name, its reference, and its type."""

    name: str
    output: Output
    schema: Any

    def __str__(self) -> str:
        return f"{reference_of(self.output)} ({describe_schema(self.schema)})"


def connect_inputs(workflow: Any, call: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the inputs of a task as a Spec writes them, and the tasks that it only comes after."""
    inputs = dict(call.inputs)
    signature = call.task.signature
    if signature is not None and (call.bare or call.before):
        for definition in signature.inputs:
            if definition.name not in inputs:
                chosen = _choose(workflow, call, definition)
                if chosen is not None:
                    inputs[definition.name] = reference_of(chosen)
    read = names_read(inputs)
    after = [vertex.name for vertex in call.before if vertex.name not in read]
    return inputs, list(dict.fromkeys([*call.written_after, *after]))


def names_read(inputs: Mapping[str, Any]) -> set[str]:
    """Return the sources that references among these inputs name; code is not looked at."""
    names = set()
    for value in inputs.values():
        text = value.get("from") if isinstance(value, Mapping) else value
        match = NAME.match(text) if isinstance(text, str) else None
        if match is not None:
            names.add(match[0])
    return names


def has_code(inputs: Mapping[str, Any]) -> bool:
    """Return whether an input is computed by code, which may read any task."""
    return any(isinstance(value, Mapping) and "code" in value for value in inputs.values())


def _choose(workflow: Any, call: Any, target: TaskInputDefinition) -> Output | None:
    """Return what fills an input; None if it may stay open. AutoConnectError otherwise."""
    tried: list[str] = []
    parents = [vertex for vertex in call.before if hasattr(vertex, "output")]
    output = _among(call, target, parents, tried)
    if output is not None:
        return output
    for given in workflow.inputs:
        if given.name == target.name:
            candidate = Candidate(given.name, given.output, given.schema)
            if _can_fit(candidate, target):
                return candidate.output
            tried.append(f"{candidate}: does not fit")
    if not target.required:
        return None
    for earlier in _earlier(workflow, call, parents):
        output = _among(call, target, [earlier], tried)
        if output is not None:
            return output
    shown = "; ".join(tried) or "no task comes before it"
    raise AutoConnectError(
        f"{call.name}: nothing fills the input {target.name} ({describe_schema(target.schema)}). "
        f"Tried: {shown}. Give it by a call, as in {call.task.name}({target.name}=…)"
    )


def _among(
    call: Any, target: TaskInputDefinition, tasks: Iterable[Any], tried: list[str]
) -> Output | None:
    """Return the output of these tasks that fills an input, by its name or by its named type."""
    candidates = [candidate for task in tasks for candidate in _outputs_of(task)]
    same = [each for each in candidates if each.name == target.name and _can_fit(each, target)]
    if len(same) > 1:
        raise _ambiguous(call, target, same)
    if same:
        return same[0].output
    named = [each for each in candidates if _is_named(each.schema) and _fits(each, target)]
    if len(named) > 1 and target.required:
        raise _ambiguous(call, target, named)
    if len(named) == 1:
        return named[0].output
    for each in candidates:
        reason = (
            "does not fit" if compare_types(each.schema, target.schema).fails else "another name"
        )
        tried.append(f"{each}: {reason}")
    return None


def _ambiguous(
    call: Any, target: TaskInputDefinition, candidates: Iterable[Candidate]
) -> AutoConnectError:
    shown = " and ".join(map(str, candidates))
    return AutoConnectError(
        f"{call.name}: the input {target.name} could be filled by {shown}. "
        f"Say which, as in {call.task.name}({target.name}=…)"
    )


def _outputs_of(call: Any) -> Iterator[Candidate]:
    """Yield the outputs of a task: its whole answer under the name of the task, and each field."""
    output = call.output
    signature = call.task.signature
    if signature is None:
        return
    yield Candidate(call.name, output, signature.answer)
    for definition in signature.outputs:
        if definition.name != "out":
            yield Candidate(definition.name, output[definition.name], definition.schema)


def _earlier(workflow: Any, call: Any, parents: Iterable[Any]) -> Iterator[Any]:
    """Yield the tasks that were added before, the newest first; none that comes after this one."""
    calls = list(workflow.tasks)
    before = calls[: calls.index(call)] if call in calls else calls
    skipped = {id(each) for each in parents}
    for earlier in reversed(before):
        after = find_path(call, earlier, lambda vertex: vertex.after) is not None
        if id(earlier) not in skipped and not after:
            yield earlier


def _can_fit(candidate: Candidate, target: TaskInputDefinition) -> bool:
    return not compare_types(candidate.schema, target.schema).fails


def _fits(candidate: Candidate, target: TaskInputDefinition) -> bool:
    return _is_named(target.schema) and compare_types(candidate.schema, target.schema) is Fit.FITS


def _is_named(schema: Any) -> bool:
    """Return whether a type, or that of its items, has a name that says what it is."""
    if not isinstance(schema, Mapping):
        return False
    if any(word in schema for word in ("$ref", "$id", "format")):
        return True
    parts = [schema.get("items"), schema.get("additionalProperties"), *schema.get("anyOf", ())]
    return any(_is_named(part) for part in parts)
