"""The Python modules that a workflow needs: a program that cannot import them leaves its runs alone."""

from typing import Any

import msgspec

from heddle.extensions.tasks.fields import WorkflowFields
from heddle.schemas.field import written


def modules_of(fields: WorkflowFields) -> set[str]:
    """Return the modules of the functions of a workflow, and of those inside it."""
    texts = set[str]()
    todo: list[Any] = [msgspec.to_builtins(task, enc_hook=written) for task in fields.tasks]
    while todo:
        value = todo.pop()
        if isinstance(value, list):
            todo += value
        elif isinstance(value, dict):
            run = value.get("run")
            if isinstance(run, str) and ":" in run:
                texts.add(run.partition(":")[0])
            todo += [value.get("do"), value.get("tasks"), value.get("fallback")]
    return texts
