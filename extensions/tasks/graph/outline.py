"""The Outline of a workflow: its tasks and which read which, from the Spec as it is written.

For people: `heddle runs show`, `heddle tasks` and `heddle graph` draw it without compiling anything.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from heddle.extensions.tasks.graph.reference import ReferenceSyntaxError, parse_reference

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class OutlineFlow(NamedTuple):
    """One dataflow: a task and its dependent by number, and the input that it fills (empty: order alone)."""

    source: int
    target: int
    input: str


class Outline(NamedTuple):
    """The names of the tasks in order, what does the work of each, and the dataflows between them.

    `tasks` are the tasks as they are written.
    """

    names: tuple[str, ...]
    works: tuple[str, ...]
    joins: tuple[OutlineFlow, ...]
    tasks: tuple[Mapping[str, Any], ...] = ()

    @property
    def flows(self) -> Sequence[tuple[int, ...]]:
        """The dependents of each task."""
        mappings: list[dict[int, None]] = [{} for _ in self.names]
        for flow in self.joins:
            mappings[flow.source][flow.target] = None
        return tuple(tuple(each) for each in mappings)

    def upstream(self) -> Sequence[tuple[str, ...]]:
        """Return for each task the names of the tasks that it waits for, each once."""
        mappings: list[dict[str, None]] = [{} for _ in self.names]
        for flow in self.joins:
            mappings[flow.target][self.names[flow.source]] = None
        return tuple(tuple(each) for each in mappings)


def outline_of(fields: Mapping[str, Any]) -> Outline:
    """Return the Outline of the fields of a workflow; what cannot be read in it is left out."""
    tasks = [
        task
        for task in fields.get("tasks") or ()
        if isinstance(task, Mapping) and isinstance(task.get("name"), str)
    ]
    numbers = {str(task["name"]): number for number, task in enumerate(tasks)}
    joins: dict[OutlineFlow, None] = {}
    for target, task in enumerate(tasks):
        inputs = task.get("inputs")
        for name, source in (inputs if isinstance(inputs, Mapping) else {}).items():
            for upstream in _sources(source, numbers):
                joins[OutlineFlow(numbers[upstream], target, str(name))] = None
        for upstream in task.get("after") or ():
            if upstream in numbers:
                joins[OutlineFlow(numbers[upstream], target, "")] = None
    return Outline(
        names=tuple(numbers), works=tuple(map(_work, tasks)), joins=tuple(joins), tasks=tuple(tasks)
    )


def outline_of_definition(specs: bytes, workflow: str) -> Outline:
    """Return the Outline of a workflow in the Definition of a run; an empty one if it is not in there."""
    try:
        decoded = msgspec.json.decode(specs)
    except msgspec.DecodeError:
        return outline_of({})
    held = decoded if isinstance(decoded, list) else [decoded]
    flows = [each for each in held if isinstance(each, dict) and each.get("tasks")]
    fitting = [each for each in flows if each.get("name") == workflow] or flows[:1]
    return outline_of(fitting[0] if fitting else {})


def _sources(source: Any, names: Mapping[str, int]) -> Iterator[str]:
    """Yield the tasks that an input takes its value from."""
    if isinstance(source, Mapping):
        code = source.get("code")
        if isinstance(code, str):
            yield from dict.fromkeys(word for word in _WORD.findall(code) if word in names)
            return
        source = source.get("from")
    if not isinstance(source, str):
        return
    try:
        name = parse_reference(source).source
    except ReferenceSyntaxError:
        return
    if name in names:
        yield name


def _work(task: Mapping[str, Any]) -> str:
    """Return what does the work of a task: a function, or the kind of a Spec."""
    for word in ("run", "uses"):
        if isinstance(task.get(word), str):
            return str(task[word])
    do = task.get("do")
    return str(do.get("kind", "")) if isinstance(do, Mapping) else ""
