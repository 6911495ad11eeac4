"""The completions of editors in workflows: the inputs of functions, and references to tasks."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from heddle.extensions.tasks.fields import TaskFields
from heddle.extensions.tasks.functions import (
    FunctionError,
    TaskFunction,
    find_registered,
    import_function,
    registered_functions,
)
from heddle.schemas.schema import Completions
from heddle.schemas.types.signature import Signature
from heddle.schemas.types.type_words import describe_schema

Json = dict[str, Any]


def complete_workflows(workflows: Sequence[Mapping[str, Any]]) -> Completions:
    """Return the completions for these workflows: their functions are imported.

    Registered functions are known anyway. A function that cannot be imported is left out.
    """
    conditions: list[Json] = []
    left_out: list[str] = []
    for word, name in dict.fromkeys([*_registered(), *_functions(workflows)]):
        try:
            function = import_function(name) if word == "run" else find_registered(name)
        except FunctionError as error:
            left_out.append(f"{name}: {error.message}")
        else:
            conditions.append(_inputs_of(word, function))
    references = sorted(set(_references(workflows)))
    if references:
        conditions.append(_any_of(references))
    return Completions({TaskFields: conditions} if conditions else {}, left_out)


def _registered() -> Iterator[tuple[str, str]]:
    for name in sorted(registered_functions()):
        yield "uses", name


def _tasks(workflows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Yield the tasks of workflows, and of those that they hold."""
    for workflow in workflows:
        tasks = workflow.get("tasks")
        for task in tasks if isinstance(tasks, list) else ():
            if isinstance(task, Mapping):
                yield task
                do = task.get("do")
                if isinstance(do, Mapping):
                    yield from _tasks([do])


def _functions(workflows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for task in _tasks(workflows):
        for word in ("run", "uses"):
            if isinstance(task.get(word), str):
                yield word, task[word]


def _inputs_of(word: str, function: TaskFunction) -> Json:
    """Return the inputs of the tasks that a function does."""
    signature = function.signature
    names: Json = {
        each.name: {"description": _input_words(each.schema, each.required, each.help)}
        for each in signature.inputs
    }
    inputs: Json = {"properties": names}
    if not signature.open:
        inputs["propertyNames"] = {"enum": list(names)}
    return {
        "if": {"properties": {word: {"const": function.name}}, "required": [word]},
        "then": {
            "properties": {"inputs": inputs, word: {"description": _function_words(function)}}
        },
    }


def _input_words(schema: Any, required: bool, help_text: str) -> str:
    words = f"{describe_schema(schema)}{', required' if required else ''}"
    return f"{words}. {help_text}" if help_text else words


def _function_words(function: TaskFunction) -> str:
    """Return what a function takes and gives: `total(rows: array of Order) -> Total`."""
    signature: Signature = function.signature
    inputs = ", ".join(f"{each.name}: {describe_schema(each.schema)}" for each in signature.inputs)
    return f"{function.name.rpartition(':')[2]}({inputs}) -> {describe_schema(signature.answer)}"


def _references(workflows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield references to the tasks of workflows, to their outputs, and to the inputs."""
    for workflow in workflows:
        inputs = workflow.get("inputs")
        for name in inputs if isinstance(inputs, Mapping) else ():
            yield f"in.{name}"
    for task in _tasks(workflows):
        name = task.get("name")
        if not isinstance(name, str):
            continue
        yield name
        for output in _outputs_of(task):
            yield f"{name}.{output}"


def _outputs_of(task: Mapping[str, Any]) -> Iterator[str]:
    declared = task.get("outputs")
    yield from declared if isinstance(declared, Mapping) else ()
    try:
        if isinstance(task.get("run"), str):
            function = import_function(task["run"])
        elif isinstance(task.get("uses"), str):
            function = find_registered(task["uses"])
        else:
            return
    except FunctionError:
        return
    for output in function.signature.outputs:
        if output.name != "out":
            yield output.name


def _any_of(references: Sequence[str]) -> Json:
    """Return a condition that offers these references, and allows everything else."""
    value: Json = {"anyOf": [{"enum": list(references)}, {}]}
    return {"properties": {"inputs": {"additionalProperties": value}}}
