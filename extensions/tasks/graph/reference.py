"""A Reference is a text that names a value of a run: `load`, `load.rows[0]`, `in.day`, `run.id`, `load.error`."""

import re
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final, NamedTuple

from heddle.runtime.flow.errors import Error, NodeError

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
"""The names that tasks, states and inputs may have."""

NAME_RULE: Final = "a letter or _, then letters, digits, _ and -"

RESERVED: Final = frozenset({"in", "run"})
"""Names that no task may have: references use them for the inputs and the run itself."""

RUN_VALUES: Final = ("id", "token")
"""The names that a reference to `run` may have."""

_STEP: Final = re.compile(
    r"""\.(?P<key>[A-Za-z_$][\w$-]*)|\[(?P<number>-?\d{1,9})\]|\[(?P<text>"(?:[^"\\]|\\.)*"|'[^']*')\]""",
    re.ASCII,
)


class ReferenceSyntaxError(ValueError):
    """A text is not a reference; the message says what is wrong with it."""


class Reference(NamedTuple):
    """The name of a task, or `in` or `run`, and the way into its value: keys and indexes."""

    source: str
    path: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        """Write it as people do: `load.rows[0]`."""
        return self.source + "".join(_written(step) for step in self.path)

    @property
    def of_input(self) -> bool:
        """Whether it names an input of the workflow."""
        return self.source == "in"

    @property
    def of_run(self) -> bool:
        """Whether it names a value of the run itself."""
        return self.source == "run"

    @property
    def of_error(self) -> bool:
        """Whether it names the error of a task: it has a value only if the task failed."""
        return not self.of_input and not self.of_run and self.path[:1] == ("error",)


def _written(step: str | int) -> str:
    if isinstance(step, int):
        return f"[{step}]"
    return f".{step}" if NAME.fullmatch(step) or step.startswith("$") else f'["{step}"]'


def parse_reference(text: str) -> Reference:
    """Return the Reference that a text is; ReferenceSyntaxError says where it goes wrong."""
    match = NAME.match(text)
    if match is None:
        raise ReferenceSyntaxError(f'"{text}" does not begin with the name of a task, in or run')
    path: list[str | int] = []
    at = match.end()
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            raise ReferenceSyntaxError(f'"{text}" cannot be read from "{text[at:]}" on')
        if step["key"] is not None:
            path.append(step["key"])
        elif step["number"] is not None:
            path.append(int(step["number"]))
        else:
            path.append(step["text"][1:-1].replace('\\"', '"'))
        at = step.end()
    return Reference(match[0], tuple(path))


def getter(path: Sequence[str | int], whole: str) -> Callable[[Any], Any] | None:
    """Return what follows a path into a value; None for the value itself.

    It raises NodeError `missing` if the value has no such part; `whole` names the reference there.
    """
    if not path:
        return None
    if len(path) == 1:
        only = path[0]
        take = itemgetter(only)

        def only_reference(value: Any) -> Any:
            try:
                if isinstance(value, dict) or type(only) is int:
                    return take(value)
            except (LookupError, TypeError):
                pass
            raise _missing(whole, value, only)

        return only_reference
    steps: tuple[Any, ...] = tuple(path)

    def follow(value: Any) -> Any:
        for step in steps:
            indexed = isinstance(value, list) and isinstance(step, int)
            if not indexed and not isinstance(value, dict):
                raise _missing(whole, value, step)
            try:
                value = value[step]
            except LookupError:
                raise _missing(whole, value, step) from None
        return value

    return follow


def _missing(whole: str, value: Any, step: str | int) -> NodeError:
    if isinstance(value, dict):
        shown = ", ".join(str(key) for key in list(value)[:10]) or "nothing"
        has = f"has {shown}"
    elif isinstance(value, list):
        has = f"is a list of {len(value)}"
    else:
        has = f"is {type(value).__name__}"
    return NodeError(Error(f'{whole}: there is no "{step}": the value {has}', code="missing"))
