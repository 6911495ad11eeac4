"""`@workflow` makes a Workflow of a function: its body is traced once, and says how outputs flow."""

from collections.abc import Callable, Mapping
from typing import Any, overload

from heddle.extensions.tasks.authoring.workflow import Workflow
from heddle.extensions.tasks.authoring.workflow_inputs import is_traceable


@overload
def workflow(body: Callable[..., Any], /) -> Workflow: ...


@overload
def workflow(
    *, name: str = "", inputs: Mapping[str, Any] | None = None, **options: Any
) -> Callable[[Callable[..., Any]], Workflow]: ...


def workflow(
    body: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    inputs: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Make a workflow of a function, with and without parentheses.

        @workflow(inputs={"day": str})
        def report(day):
            rows = load(day)
            return text(total=total(rows).euros, day=day)

    The parameters are the inputs; their types come from `inputs` or from hints. In the body a call
    of a task gives an Output. It returns an Output, or a map of them by name. The options are the
    fields of a workflow: max_parallel, timeout, on_error, durable, schedule, …
    """

    def make(body: Callable[..., Any]) -> Workflow:
        if not is_traceable(body):
            raise TypeError(f"{body.__name__} is traced, so it cannot be async or a generator")
        return Workflow(name or body.__name__, inputs=inputs, body=body, **options)

    return make if body is None else make(body)
