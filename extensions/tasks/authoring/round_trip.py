"""A Workflow from its Spec, and its text in YAML: nothing is lost on the way there and back."""

from collections.abc import Mapping
from typing import Any

from heddle.extensions.tasks.authoring.task import task_of_target
from heddle.extensions.tasks.authoring.task_call import TaskCall
from heddle.extensions.tasks.authoring.workflow import Workflow
from heddle.schemas.errors import SpecError
from heddle.schemas.problem import Problem
from heddle.specs.model.entry import data_of
from heddle.specs.model.spec import Spec

_WORK = ("run", "uses", "do")


def workflow_of_spec(spec: Spec) -> Workflow:
    """Return the Workflow that a Spec of kind `workflow` says; its `specs()` are equal to it.

    Nothing is imported and nothing is checked but the shape; raise SpecError if that is not the one of a
    workflow. The functions of its tasks are loaded when it runs.
    """
    entries = spec.fields.get("tasks", [])
    if spec.kind != "workflow" or spec.name is None:
        raise _invalid(spec, (), f"the kind {spec.kind}", "a workflow with a name")
    if not isinstance(entries, list) or not all(isinstance(each, Mapping) for each in entries):
        raise _invalid(spec, ("tasks",), "something else", "a list of tasks")
    made = Workflow(
        spec.name,
        id=spec.id,
        namespace=spec.namespace,
        annotations=spec.annotations,
        env=spec.env,
        ports=spec.ports,
    )
    calls = [_call_of(made, spec, number, entry) for number, entry in enumerate(entries)]
    names = [call.name for call in calls]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise _invalid(
                spec, ("tasks", number, "name"), f'the name "{name}" again', "another name"
            )
    taken = {key: value for key, value in spec.fields.items() if key != "tasks" or not value}
    made.take_fields(taken, calls)
    return made


def yaml_of_workflow(workflow: Workflow) -> str:
    """Return the workflow as YAML: one entry of a list, as `heddle` reads and writes it."""
    from heddle.specs.yaml.layout import entry_text

    return "\n".join(entry_text(data_of(spec)) for spec in workflow.specs())


def _call_of(made: Workflow, spec: Spec, number: int, entry: Mapping[str, Any]) -> TaskCall:
    name = entry.get("name")
    if not isinstance(name, str):
        raise _invalid(spec, ("tasks", number), "no name", "a task with a name")
    target = {word: entry[word] for word in _WORK if word in entry}
    call = TaskCall(made, task_of_target(target, name=name), name)
    call.place = spec.place(("tasks", number))
    call.inputs = dict(entry.get("inputs") or {})
    call.written_after = tuple(entry.get("after") or ())
    # An empty map or list says nothing, but it is written: it comes back.
    known = (*_WORK, "name", *(word for word in ("inputs", "after") if entry.get(word)))
    call.options = {word: value for word, value in entry.items() if word not in known}
    return call


def _invalid(spec: Spec, path: tuple[str | int, ...], actual: str, expected: str) -> SpecError:
    problem = Problem(
        code="type", found=actual, expected=expected, place=spec.place(path), path=spec.at(path)
    )
    return SpecError([problem])
