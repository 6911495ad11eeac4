"""A Task is one unit of work with named inputs and outputs; outside a workflow it is its function.

    @task
    def total(rows: list[Order]) -> Total: ...

    @task(retry=3, timeout="10s")
    async def fetch(url: str) -> Page: ...

    get = task(name="get", inputs={"url": str}, do={"kind": "http", "method": "GET"})

While a workflow is traced, a call of a task gives an Output. Anywhere else `total(rows)` calls the
function, so that a unit test needs nothing else.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar, overload

from heddle.extensions.tasks.authoring.operators import Operand, Vertex
from heddle.extensions.tasks.authoring.options import TASK_OPTIONS, check_name, written_options
from heddle.extensions.tasks.authoring.registry import TaskRegistry
from heddle.extensions.tasks.authoring.trace import Tracer, current_tracer
from heddle.extensions.tasks.functions import keep_local
from heddle.schemas.types.hints import schema_of
from heddle.schemas.types.signature import (
    NO_DEFAULT,
    Signature,
    TaskInputDefinition,
    TaskOutputDefinition,
    read_parameters,
    read_signature,
)

P = ParamSpec("P")
R = TypeVar("R")

TaskExecutorCallable: TypeAlias = Callable[..., Any]
"""The functions that a task may be made of: a function, or an `async def` function."""


class Task(Operand, Generic[P, R]):
    """A function, or a Spec of any kind, with what a workflow has to know of it.

    `target` is how a Spec names it: `{"run": "shop.tasks:total"}`, `{"uses": "shop.total"}` or
    `{"do": {…}}`. `options` are the fields of a task beside its inputs. A Task never changes; it may
    be used in any number of workflows, any number of times.
    """

    def __init__(
        self,
        function: Callable[P, R] | None,
        target: Mapping[str, Any],
        *,
        name: str,
        options: Mapping[str, Any] | None = None,
        signature: Signature | None = None,
        home: Tracer | None = None,
    ) -> None:
        self.name = check_name(name)
        self.function = function
        self.target = dict(target)
        self.options = dict(options or {})
        self._signature = signature
        self._loose = TaskVertex(self)
        self._home = home
        if function is not None:
            functools.update_wrapper(self, function, updated=())

    @property
    def signature(self) -> Signature | None:
        """The inputs and the output; None if they are not known. Raise SignatureError if it cannot be a task."""
        if self._signature is None and self.function is not None:
            self._signature = read_signature(self.function, injected=is_injected)
        return self._signature

    @property
    def inputs(self) -> tuple[TaskInputDefinition, ...]:
        """Its inputs, as far as they are known."""
        return () if self.signature is None else self.signature.inputs

    @property
    def outputs(self) -> tuple[TaskOutputDefinition, ...]:
        """Its outputs, as far as they are known."""
        return () if self.signature is None else self.signature.outputs

    @property
    def registered_name(self) -> str:
        """The name under which it is registered: `namespace.name`; "" if it is not."""
        return str(self.target.get("uses", ""))

    @property
    def is_compound(self) -> bool:
        """Whether its work is a workflow or a machine."""
        return self.target.get("do", {}).get("kind") in ("workflow", "machine")

    @property
    def parents(self) -> set[Any]:
        """The tasks that come before it, by `>>` and `<<`."""
        return {vertex.origin for vertex in self._vertex().before}

    @property
    def children(self) -> set[Any]:
        """The tasks that come after it."""
        return {vertex.origin for vertex in self._vertex().after}

    def is_async(self) -> bool:
        """Return whether it is an `async def` function."""
        return self.function is not None and inspect.iscoroutinefunction(self.function)

    def add_children(self, tasks: "Operand | Sequence[Operand]") -> None:
        """Put tasks after this one, as `>>` does."""
        self >> tasks

    def add_parents(self, tasks: "Operand | Sequence[Operand]") -> None:
        """Put tasks before this one, as `<<` does."""
        self << tasks

    def configure(self, *, name: str = "", **options: Any) -> "Task[P, R]":
        """Return a copy with other options: `fetch.configure(retry=5, name="slow_fetch")`."""
        written = written_options(options, TASK_OPTIONS, f"task {self.name}")
        return Task(
            self.function,
            self.target,
            name=name or self.name,
            options={**self.options, **written},
            signature=self._signature,
        )

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function; in a traced workflow, add a task instead and return its Output."""
        tracer = current_tracer()
        if tracer is not None:
            return tracer.add_call(self, args, kwargs)  # type: ignore[no-any-return]
        if self.function is None:
            raise TypeError(f"{self.name} is not a Python function: it runs in a workflow only")
        return self.function(*args, **kwargs)

    def vertices(self) -> list[Vertex]:
        """Return its place in the order of its workflow, or in that of tasks without one."""
        return [self._vertex()]

    def settle(self) -> list[Vertex]:
        """Add it to the workflow that is traced, if it is not there yet."""
        tracer = current_tracer() or self._home
        return [self._loose] if tracer is None else [tracer.add_bare(self)]

    def _vertex(self) -> "Vertex":
        tracer = current_tracer() or self._home
        return self._loose if tracer is None else tracer.find_bare(self)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None or self.function is None:
            return self
        return functools.partial(self, instance)

    def __repr__(self) -> str:
        parents = ", ".join(sorted(vertex.name for vertex in self._vertex().before))
        children = ", ".join(sorted(vertex.name for vertex in self._vertex().after))
        return f"<Task: {self.name} (parents: [{parents}], children: [{children}])>"


class TaskVertex(Vertex):
    """The place of a task that is not part of a workflow."""

    __slots__ = ("_task",)

    def __init__(self, task: "Task[Any, Any]") -> None:
        super().__init__()
        self._task = task

    @property
    def name(self) -> str:
        """The name of the task."""
        return self._task.name

    @property
    def origin(self) -> "Task[Any, Any]":
        """The task."""
        return self._task


@overload
def task(function: Callable[P, R], /) -> Task[P, R]: ...


@overload
def task(
    *, do: Mapping[str, Any], name: str, inputs: Mapping[str, Any] | None = None, **options: Any
) -> Task[..., Any]: ...


@overload
def task(
    *,
    name: str = "",
    namespace: str = "",
    override: bool = False,
    retry: Any = None,
    timeout: Any = None,
    cache: Any = None,
    queue: str | None = None,
    limiter: str | None = None,
    executor: str | None = None,
    priority: Any = None,
    idempotent: bool | None = None,
    on_error: str | None = None,
    fallback: Any = None,
    when: str | None = None,
    join: str | int | None = None,
    for_each: Any = None,
    tags: Sequence[str] | None = None,
    help: str | None = None,
    **options: Any,
) -> Callable[[Callable[P, R]], Task[P, R]]: ...


def task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str = "",
    namespace: str = "",
    override: bool = False,
    do: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    **options: Any,
) -> Any:
    """Make a task of a function, or of a Spec of any kind (`do=`).

    The options are the fields of a task: retry, timeout, cache, queue, limiter, executor, priority,
    idempotent, on_error, fallback, when, join, for_each, tags, help, … With `namespace`, the task
    is registered as `namespace.name`, and Specs name it by `uses`. TypeError for an unknown option,
    SignatureError if inputs cannot be given by name, ValueError for a bad or a taken name.
    """
    if do is not None:
        if function is not None:
            raise TypeError("a task has a function or do=, not both")
        return task_of_spec(do, name=name, inputs=inputs, options=options)
    if inputs is not None:
        raise TypeError("the inputs of a function are its parameters: inputs= is for do=")
    written = written_options(options, TASK_OPTIONS, f"task {name}".rstrip())

    def make(function: Callable[..., Any]) -> Task[..., Any]:
        return task_of_function(
            function, name=name, namespace=namespace, override=override, options=written
        )

    return make if function is None else make(function)


def task_of_function(
    function: Callable[..., Any],
    *,
    name: str = "",
    namespace: str = "",
    override: bool = False,
    options: Mapping[str, Any] | None = None,
    home: Tracer | None = None,
) -> "Task[..., Any]":
    """Make a task of a function; what `@task` does, with options as a Spec writes them."""
    if isinstance(function, Task):
        raise TypeError(f"{function.name} is a task already: use .configure(…) for other options")
    if not callable(function):
        raise TypeError(f"{function!r} is not a function")
    given = name or str(getattr(function, "__name__", ""))
    check_name(given)
    # Its hints are read at the first use: they may name classes that are defined further down.
    read_parameters(function)
    target: dict[str, Any] = {}
    if namespace:
        target["uses"] = f"{namespace}.{given}"
    else:
        target["run"] = _path_of(function, given)
    made: Task[..., Any] = Task(function, target, name=given, options=options, home=home)
    if namespace:
        TaskRegistry.register(namespace, given, function, override=override)
    elif "<locals>" in target["run"] or not _is_imported(function, target["run"]):
        made.target["run"] = keep_local(target["run"], function)
    return made


def task_of_spec(
    do: Mapping[str, Any],
    *,
    name: str,
    inputs: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> "Task[..., Any]":
    """Make a task whose work is a Spec; `inputs` gives the types of its inputs by name."""
    if not isinstance(do.get("kind"), str):
        raise TypeError("do= is a Spec: a map with a kind")
    if not name:
        raise TypeError("a task with do= needs a name")
    known = tuple(
        TaskInputDefinition(name=key, schema=schema_of(hint))
        for key, hint in (inputs or {}).items()
    )
    return Task(
        None,
        {"do": dict(do)},
        name=name,
        options=written_options(options or {}, TASK_OPTIONS, f"task {name}"),
        signature=None if inputs is None else Signature(inputs=known, outputs=()),
    )


def task_of_target(target: Mapping[str, Any], *, name: str) -> "Task[..., Any]":
    """Make a task of what a Spec says: `run`, `uses` or `do`. Nothing is imported."""
    return Task(None, target, name=name)


def is_injected(default: Any) -> bool:
    """Return whether a parameter with this default gets its value from elsewhere (`Depends`)."""
    return bool(getattr(type(default), "injects", False))


def missing_default(definition: TaskInputDefinition) -> bool:
    """Return whether an input has to be given."""
    return definition.required and definition.default is NO_DEFAULT


def _path_of(function: Callable[..., Any], name: str) -> str:
    module = str(getattr(function, "__module__", "") or "__main__")
    return f"{module}:{getattr(function, '__qualname__', name)}"


def _is_imported(function: Callable[..., Any], path: str) -> bool:
    """Return whether an import of the module will find the function by its name.

    A lambda has no name, and code that was run by `exec` belongs to no module.
    """
    name, _, attribute = path.partition(":")
    module = sys.modules.get(name)
    if module is None or not all(part.isidentifier() for part in attribute.split(".")):
        return False
    names = getattr(inspect.unwrap(function), "__globals__", None)
    return names is None or names is vars(module)
