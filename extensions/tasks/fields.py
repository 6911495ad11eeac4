"""The fields of workflows and of their tasks: what may be written, with its limits and its help."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec

from heddle.extensions.extension import Expression, FieldError, Fields, Interval, about
from heddle.extensions.tasks.graph.reference import NAME, NAME_RULE, RESERVED
from heddle.extensions.tasks.graph.source import InputSource
from heddle.runtime.assembly.params import Param, check_params
from heddle.schemas.data_type import describe_type
from heddle.schemas.guard import Again
from heddle.schemas.suggestion import did_you_mean
from heddle.schemas.types.mistakes import list_mistakes

TypeName: TypeAlias = Literal["string", "number", "integer", "boolean", "array", "object", "any"]

Priority: TypeAlias = Literal["low", "medium", "high", "critical"] | int

PRIORITIES = {"low": 0, "medium": 1, "high": 2, "critical": 3}
"""The numbers of the priorities that have a name."""

_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=1)]


_PLAIN: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def is_plain(value: Any, type_: str) -> bool:
    """Return whether a value has a type, named as in JSON Schema, as it is."""
    return isinstance(value, _PLAIN[type_]) and (type_ == "boolean" or not isinstance(value, bool))


class InputFields(Fields):
    """One input of a workflow."""

    type: Annotated[TypeName, about("Its type, named as in JSON Schema.")] = "any"
    schema: Annotated[
        dict[str, Any] | None,
        about("A JSON Schema for what a type alone does not say.", examples=[{"enum": ["a", "b"]}]),
    ] = None
    default: Annotated[Any, about("The value if none is given.")] = msgspec.UNSET
    required: Annotated[
        bool | None, about("Whether it must be given; it must, unless it has a default.")
    ] = None
    help: Annotated[str, about("What it is for, in a sentence.")] = ""

    def __post_init__(self) -> None:
        if self.schema is not None and self.type != "any":
            raise FieldError("both type and schema", expected="one of them", path=("schema",))
        if self.schema is not None:
            self._check_schema(self.schema)
        elif self._has_default and self.type != "any" and not is_plain(self.default, self.type):
            raise FieldError(
                describe_type(self.default), expected=self.type, path=("default",), code="type"
            )

    @property
    def _has_default(self) -> bool:
        return self.default is not msgspec.UNSET and self.default is not None

    def _check_schema(self, schema: dict[str, Any]) -> None:
        try:
            mistakes = list_mistakes(self.default if self._has_default else None, schema)
        except ValueError as error:
            raise FieldError(str(error), expected="a JSON Schema", path=("schema",)) from None
        if self._has_default:
            for mistake in mistakes:
                path = ("default", *mistake.path)
                raise FieldError(mistake.found, expected=mistake.expected, path=path, code="type")

    @property
    def must(self) -> bool:
        """Whether it must be given."""
        return self.default is msgspec.UNSET if self.required is None else self.required

    @property
    def json_schema(self) -> dict[str, Any]:
        """Its type as a JSON Schema; empty if anything fits."""
        if self.schema is not None:
            return self.schema
        return {} if self.type == "any" else {"type": self.type}


class OutputFields(Fields):
    """One declared output of a task."""

    type: Annotated[TypeName, about("Its type, named as in JSON Schema.")] = "any"
    help: Annotated[str, about("What it is, in a sentence.")] = ""


class ForEachFields(Fields):
    """The rule by which a task works on each item of an input."""

    over: Annotated[
        str | list[str], about("The input whose items are worked on, or several of them.")
    ]
    how: Annotated[
        Literal["zip", "product"],
        about(
            "How several inputs go together: item by item (unequal lengths are an Error), or each "
            "with each."
        ),
    ] = "zip"
    concurrency: Annotated[
        _Count | None,
        about("How many items are worked on at the same time; `max_parallel` counts, too."),
    ] = None
    batch: Annotated[
        _Count | None,
        about(
            "Work on so many items at a time: the input is a list of them, and the output a list "
            "with a result for each."
        ),
    ] = None
    on_error: Annotated[
        Literal["fail", "skip", "keep"],
        about(
            "What an item does that fails. `fail`: the task fails with its error. `skip`: it has "
            "no result. `keep`: `{error: {code, message, …}}` is its result."
        ),
    ] = "fail"
    order: Annotated[Literal["input", "completion"], about("The order of the results.")] = "input"
    flatten: Annotated[
        bool, about("Whether results that are lists are put together to a single list.")
    ] = False
    limit: Annotated[int, about("More items than this are an Error.", ge=1)] = 100_000

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs whose items are worked on."""
        return (self.over,) if isinstance(self.over, str) else tuple(self.over)

    def __post_init__(self) -> None:
        if not self.names:
            raise FieldError("no input", expected="the name of an input", path=("over",))


class FallbackFields(Fields):
    """A task that is tried with the same inputs when another has failed."""

    name: Annotated[str, about("Its name; runs record which fallback gave the output.")]
    do: Annotated[dict[str, Any] | None, about("A Spec that does the work.")] = None
    run: Annotated[str | None, about("A function that does it: `module:function`.")] = None
    uses: Annotated[str | None, about("A registered function that does it.")] = None

    def __post_init__(self) -> None:
        check_name(self.name)
        check_work(self.do, self.run, self.uses)


class TaskValueFields(Fields):
    """A value that stands in the Spec."""

    value: Annotated[Any, about("The value.")]


class TaskFields(Fields):
    """One task of a workflow."""

    name: Annotated[str, about("Its name, unique in the workflow; `in` and `run` are reserved.")]
    do: Annotated[
        dict[str, Any] | None,
        about(
            "A Spec of any kind that does the work. It is sent the record of inputs; its answer is "
            "the output.",
            examples=[{"kind": "snippet", "language": "cel", "code": "self.a + self.b"}],
        ),
    ] = None
    run: Annotated[
        str | None,
        about(
            "A Python function that does the work; its parameters are the inputs.",
            examples=["shop.tasks:total"],
        ),
    ] = None
    uses: Annotated[str | None, about("The name of a registered function that does the work.")] = (
        None
    )
    inputs: Annotated[
        dict[str, InputSource],
        about(
            "Where each input takes its value from: a reference (`load`, `load.rows[0]`, `in.day`, "
            "`run.id`, `load.error`), `{value: …}`, `{from: …, through: [transforms]}` or "
            "`{language: …, code: …}` over the tasks that the code names.",
            examples=[{"rows": "load.rows", "limit": {"value": 10}}],
        ),
    ] = msgspec.field(default_factory=dict)
    outputs: Annotated[
        dict[str, OutputFields],
        about("The outputs by name, for what their types do not say by themselves."),
    ] = msgspec.field(default_factory=dict)
    after: Annotated[
        list[str], about("Tasks that must be settled before this one begins; no data is passed.")
    ] = msgspec.field(default_factory=list)
    when: Annotated[
        Expression | None,
        about("A condition over the record; if it is false, the task is skipped."),
    ] = None
    join: Annotated[
        Literal["all", "any", "settled"] | int,
        about(
            "When the task begins. `all`: all upstream tasks are completed; otherwise it is skipped. "
            "`any`: the first of them is completed. A number: so many are. `settled`: all are "
            "settled. The value of a task that is not completed is null."
        ),
    ] = "all"
    for_each: Annotated[
        str | list[str] | ForEachFields | None,
        about(
            "Work on each item of an input, and gather the results in a list.",
            examples=["url", {"over": "url", "concurrency": 20, "on_error": "skip"}],
        ),
    ] = None
    retry: Annotated[
        _Count | Again | None,
        about(
            "Try again when it fails: how often at most, the first time included, or a mapping "
            "that says more.",
            examples=[3, {"attempts": 5, "delay": "200ms"}],
        ),
    ] = None
    timeout: Annotated[
        Interval | None, about("The longest time for each attempt; then an Error `timeout`.")
    ] = None
    priority: Annotated[
        Priority, about("Which ready task begins first: the one with the highest priority.")
    ] = "medium"
    on_error: Annotated[
        Literal["stop", "finish", "ignore"] | None,
        about(
            "What follows if it fails. `stop`: no new task begins, and running ones are cancelled. "
            "`finish`: branches that do not need it go on, then the run fails. `ignore`: it counts "
            "as completed with `fallback`, or null. Unless set, that of the workflow."
        ),
    ] = None
    fallback: Annotated[
        TaskValueFields | list[FallbackFields] | None,
        about(
            "What takes its place if it fails: `{value: …}`, or a list of tasks that are tried in "
            "order with the same inputs."
        ),
    ] = None
    idempotent: Annotated[
        bool,
        about(
            "Whether a durable run may try it again after a crash of unknown outcome; otherwise the "
            "run waits for the decision of a person."
        ),
    ] = True
    tags: Annotated[list[str], about("Words to search for.")] = msgspec.field(default_factory=list)
    help: Annotated[str, about("What it does, in a sentence.")] = ""

    def __post_init__(self) -> None:
        check_name(self.name)
        check_work(self.do, self.run, self.uses)
        if isinstance(self.join, int) and self.join < 1:
            raise FieldError(f"the number {self.join}", expected="at least 1", path=("join",))
        each = self.each
        for number, name in enumerate(each.names if each is not None else ()):
            if name not in self.inputs:
                path: tuple[str | int, ...] = ("for_each",)
                if isinstance(self.for_each, ForEachFields):
                    path = ("for_each", "over")
                if not isinstance(self.for_each, str) and not (
                    isinstance(self.for_each, ForEachFields) and isinstance(self.for_each.over, str)
                ):
                    path = (*path, number)
                raise FieldError(
                    f'there is no input "{name}" (there is: {", ".join(self.inputs) or "none"})',
                    hint=did_you_mean(name, self.inputs),
                    code="unknown-input",
                    path=path,
                )

    @property
    def each(self) -> ForEachFields | None:
        """`for_each` as the mapping that it stands for."""
        if self.for_each is None or isinstance(self.for_each, ForEachFields):
            return self.for_each
        return ForEachFields(over=self.for_each)

    @property
    def again(self) -> Again | None:
        """`retry` as the mapping that it stands for."""
        return Again(attempts=self.retry) if isinstance(self.retry, int) else self.retry

    @property
    def rank(self) -> int:
        """`priority` as a number."""
        return self.priority if isinstance(self.priority, int) else PRIORITIES[self.priority]


class WorkflowFields(Fields):
    """The fields of a `workflow`."""

    inputs: Annotated[
        dict[str, InputFields],
        about(
            "What a run is given, by name. Unknown names in a packet are left out.",
            examples=[{"day": {"type": "string"}}],
        ),
    ] = msgspec.field(default_factory=dict)
    tasks: Annotated[
        list[TaskFields],
        about("The tasks. Those of equal priority begin in the order of this list."),
    ] = msgspec.field(default_factory=list)
    outputs: Annotated[
        dict[str, InputSource] | None,
        about(
            "The outputs by name: references as in the inputs of tasks. If there is only one, called "
            "`out`, the answer is its value. Without it, the output of the task that has no "
            "dependents; if there are several such tasks, a map by their names.",
            examples=[{"text": "text", "total": "sum.euros"}],
        ),
    ] = None
    max_parallel: Annotated[
        _Count | None,
        about("How many attempts of one run may be under way at the same time."),
    ] = None
    on_error: Annotated[
        Literal["stop", "finish"],
        about(
            "What follows if a task fails. `stop`: no new task begins, and running ones are "
            "cancelled. `finish`: branches that do not need it go on, then the run fails."
        ),
    ] = "stop"
    durable: Annotated[
        bool | str | None,
        about(
            "Whether a run is recorded, so that it outlives reloads and restarts: `true`, or the name "
            "of a `run-store`. Without it, a run is in memory, unless it is begun by a command, or the "
            "workflow has an `idempotency_key` or `answer: run`."
        ),
    ] = None
    idempotency_key: Annotated[
        Expression | None,
        about(
            "An expression over the inputs. A second run with the same value does not begin: its "
            "caller gets the answer of the first one. If the value is null, the run has no key, and "
            "always begins.",
            examples=["self.customer + '/' + self.day"],
        ),
    ] = None
    answer: Annotated[
        Literal["result", "run"],
        about("`result`: a packet waits for the outputs. `run`: it is answered with `{run: id}`."),
    ] = "result"
    params: Annotated[
        dict[str, Param] | None,
        about(
            "What is left open: names that blanks inside may use. A workflow with params runs only "
            "where another one `uses` it.",
            examples=[{"table": {"type": "string"}}],
        ),
    ] = None
    uses: Annotated[str | None, about("The name of a workflow; what it says counts here, too.")] = (
        None
    )
    with_: Annotated[
        dict[str, Any],
        about("What the params of the workflow that it uses stand for here, by name."),
    ] = msgspec.field(name="with", default_factory=dict)

    def __post_init__(self) -> None:
        if self.uses is not None:
            for name, given in (("params", self.params is not None), ("tasks", bool(self.tasks))):
                if given:
                    raise FieldError(f"both uses and {name}", expected="one of them", path=(name,))
        elif self.with_:
            raise FieldError("with without uses", expected="a workflow to use", path=("with",))
        elif not self.tasks:
            raise FieldError("no tasks", expected="tasks, or uses", code="missing", path=("tasks",))
        if self.params is not None:
            try:
                check_params(self.params)
            except FieldError as error:
                path = ("params", *error.path)
                raise FieldError(error.found, expected=error.expected, path=path) from None
        if self.durable is False:
            for name, given in (
                ("idempotency_key", self.idempotency_key is not None),
                ("answer", self.answer == "run"),
            ):
                if given:
                    raise FieldError(
                        f"durable: false together with {name}",
                        expected="a run that is recorded",
                        path=("durable",),
                    )
        for name in self.inputs:
            if not NAME.fullmatch(name):
                raise FieldError(f'the name "{name}"', expected=NAME_RULE, path=("inputs", name))

    @property
    def is_durable(self) -> bool:
        """Whether a run that a packet begins is recorded."""
        if self.durable is None:
            return self.idempotency_key is not None or self.answer == "run"
        return self.durable is not False

    @property
    def runs(self) -> bool:
        """Whether it holds tasks that can run: it does not if its params are open or it uses another."""
        return self.params is None and self.uses is None


def check_name(name: str) -> None:
    """Raise FieldError if no task may have this name."""
    if not NAME.fullmatch(name):
        raise FieldError(f'the name "{name}"', expected=NAME_RULE, code="name", path=("name",))
    if name in RESERVED:
        raise FieldError(
            f'the name "{name}" is reserved for references', code="name", path=("name",)
        )


def check_work(do: object, run: object, uses: object) -> None:
    """Raise FieldError unless exactly one of these is given."""
    given = [
        name for name, value in (("do", do), ("run", run), ("uses", uses)) if value is not None
    ]
    if len(given) == 1:
        return
    actual = f"both {' and '.join(given)}" if given else "none of do, run and uses"
    raise FieldError(actual, expected="exactly one of them", code="missing", path=tuple(given[-1:]))
