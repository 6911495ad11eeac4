"""The options of a task or workflow beside its inputs, from Python values to the fields of a Spec."""

import enum
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from heddle.extensions.tasks.graph.reference import NAME
from heddle.schemas.suggestion import did_you_mean
from heddle.schemas.types.hints import plain_value
from heddle.schemas.units import Duration

RESERVED = ("in", "run")
"""Names that references use for the inputs of the workflow and for the run."""


class TaskPriority(enum.IntEnum):
    """The priority of a ready task: the one with a higher number begins first."""

    LOW = 0
    MEDIUM = 1
    HIGH = 2
    CRITICAL = 3


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """The rule for further tries of a task, and the pauses between them (in seconds).

    `max_retries` counts the tries after the first one. `jitter` is the share of each pause that may
    be left out at random.
    """

    max_retries: int = 3
    min_delay: float = 0.5
    max_delay: float = 30.0
    factor: float = 2.0
    jitter: float = 0.1

    def field(self) -> dict[str, Any]:
        """Return the same as the field `retry` of a task."""
        return {
            "attempts": self.max_retries + 1,
            "delay": written_duration(self.min_delay),
            "factor": self.factor,
            "max_delay": written_duration(self.max_delay),
            "jitter": self.jitter,
        }


def check_name(name: str, role: str = "task") -> str:
    """Return the name of a task or workflow; raise ValueError if it is not one, or reserved."""
    if not NAME.fullmatch(name):
        hint = "a lambda needs name=…" if name == "<lambda>" else "letters, digits, _ and -"
        raise ValueError(f'"{name}" is not a name for a {role} ({hint})')
    if role == "task" and name in RESERVED:
        raise ValueError(f'"{name}" is reserved: references name the {_RESERVED_FOR[name]} by it')
    return name


_RESERVED_FOR = {"in": "inputs of the workflow", "run": "run"}


def written_duration(value: Any) -> Any:
    """Return a duration as a Spec writes it: `10s` for 10, 10.0 or a timedelta; a text as it is."""
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(Duration(value))
    return value


def _priority(value: Any) -> Any:
    return value.name.lower() if isinstance(value, TaskPriority) else value


def _retry(value: Any) -> Any:
    if isinstance(value, RetryPolicy):
        return value.field()
    if isinstance(value, Mapping):
        delays = ("delay", "max_delay")
        return {
            key: written_duration(item) if key in delays else item for key, item in value.items()
        }
    return value


def _cache(value: Any) -> Any:
    if isinstance(value, bool | Mapping):
        return dict(value) if isinstance(value, Mapping) else value
    return {"ttl": written_duration(value)}


def _fallback(value: Any) -> Any:
    """Return `{value: …}`, or a list of tasks that are tried in order."""
    several = value if isinstance(value, list | tuple) else [value]
    if several and all(hasattr(each, "target") for each in several):
        return [{"name": each.name, **each.target} for each in several]
    if isinstance(value, Mapping) and set(value) == {"value"}:
        return dict(value)
    written = isinstance(value, list) and all(
        isinstance(each, Mapping) and "name" in each for each in value
    )
    return value if value and written else {"value": value}


def _expression(value: Any) -> Any:
    form = getattr(value, "form", None)
    return dict(form) if isinstance(form, Mapping) else value


def _names(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        # A set has another order in each process; what is written has one.
        return sorted(value)
    return list(value) if isinstance(value, tuple) else value


_WRITTEN: Mapping[str, Callable[[Any], Any]] = {
    "timeout": written_duration,
    "priority": _priority,
    "retry": _retry,
    "cache": _cache,
    "tags": _names,
    "for_each": _names,
    "fallback": _fallback,
    "when": _expression,
}

TASK_OPTIONS = (
    "help",
    "tags",
    "when",
    "join",
    "for_each",
    "retry",
    "timeout",
    "priority",
    "queue",
    "limiter",
    "executor",
    "cache",
    "on_error",
    "fallback",
    "idempotent",
    "grow",
    "pure",
    "preview",
    "outputs",
)
"""The fields of a task that are given in Python by their own names, in the order in which they are written."""

WORKFLOW_OPTIONS = (
    "help",
    "max_parallel",
    "concurrency",
    "timeout",
    "retry",
    "on_error",
    "durable",
    "idempotency_key",
    "answer",
    "on_change",
    "priority",
    "schedule",
    "params",
    "uses",
    "with",
)
"""The same for a workflow."""


def written_options(options: Mapping[str, Any], known: Sequence[str], owner: str) -> dict[str, Any]:
    """Return options as the fields of a Spec, in one order; TypeError names an unknown one."""
    for name in options:
        if name not in known:
            hint = did_you_mean(name, known)
            raise TypeError(f'{owner} has no option "{name}". {hint}'.rstrip(". "))
    return {
        name: plain_value(_WRITTEN.get(name, _as_it_is)(options[name]))
        for name in known
        if name in options and options[name] is not None
    }


def _as_it_is(value: Any) -> Any:
    return value
