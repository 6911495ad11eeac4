"""A workflow in Python is found by `module:name`, as `heddle run` names it."""

from heddle.extensions.tasks.authoring.workflow import Workflow
from heddle.extensions.tasks.functions import FunctionError, import_code
from heddle.schemas.errors import HeddleError
from heddle.schemas.suggestion import did_you_mean


class NoWorkflowError(HeddleError, LookupError):
    """There is no such workflow; the message says what there is, and the nearest name."""


def load_workflow(target: str) -> Workflow:
    """Return the Workflow that `module:name` names; a module alone names its only one.

    This imports the module, which runs its code. NoWorkflowError says what is wrong.
    """
    module, _, name = target.partition(":")
    if not module or not all(part.isidentifier() for part in module.split(".")):
        raise NoWorkflowError(f'"{target}" does not name a workflow: write module:workflow')
    try:
        code = import_code(module)
    except FunctionError as error:
        raise NoWorkflowError(f"{error.message}. {error.hint}".rstrip(". ")) from error
    known = {key: value for key, value in vars(code).items() if isinstance(value, Workflow)}
    if name:
        workflow = known.get(name) or _of_name(known, name)
        if workflow is not None:
            return workflow
        shown = ", ".join(known) or "none"
        hint = did_you_mean(name, known)
        raise NoWorkflowError(
            f'{module} has no workflow "{name}" (it has: {shown}). {hint}'.rstrip(". ")
        )
    distinct = list({id(each): each for each in known.values()}.values())
    if len(distinct) == 1:
        return distinct[0]
    if not distinct:
        raise NoWorkflowError(f"{module} has no workflow: a function becomes one by @workflow")
    names = ", ".join(f"{module}:{key}" for key in known)
    raise NoWorkflowError(f"{module} has several workflows: {names}")


def _of_name(known: dict[str, Workflow], name: str) -> Workflow | None:
    """Return the workflow that has this name itself, if its variable is called otherwise."""
    return next((each for each in known.values() if each.name == name), None)
