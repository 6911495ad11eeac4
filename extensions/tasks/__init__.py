"""Tasks: workflows whose tasks are joined by dataflows, and the functions that do their work."""

from heddle.extensions.extension import Extension

KINDS = {
    "run-store": "run_store:RUN_STORE",
    "task": "task:TASK",
    "workflow": "workflow:WORKFLOW",
}
"""Each kind, and where it stands; it is imported when a Spec first asks for it."""


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kinds(__name__, KINDS)
