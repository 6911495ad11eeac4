"""A Function is Python code that does the work of a task: its parameters are inputs, what it returns is the output.

Payloads are plain data, so values are converted at the edges: into the types of the parameters when
the function is called, and back into plain data when it returns.
"""

import inspect
import traceback
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple, TypeAlias
from weakref import WeakValueDictionary

import msgspec

from heddle.extensions.extension import Error, NodeError
from heddle.schemas.suggestion import did_you_mean
from heddle.schemas.types.hints import build_value, plain_value
from heddle.schemas.types.signature import Signature, SignatureError, read_signature
from heddle.schemas.types.type_words import describe_schema

Call: TypeAlias = Callable[[Any], Any]
"""Calls the function with a record and returns plain data; a coroutine if the function waits."""

SCALARS: Final[frozenset[type]] = frozenset({str, int, float, bool, type(None), bytes})
"""Types whose values are plain data as they are."""

_TYPES: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}


class ItemCall(NamedTuple):
    """A call with the value of one input, and what goes before and after it.

    `build` makes the type of the input, and is needed for values of other types than `accepts`;
    `write` makes plain data of a result, and is needed for results of other types than `gives`.
    """

    call: Callable[[Any], Any]
    build: Call | None = None
    accepts: frozenset[type] = frozenset()
    write: Call | None = None
    gives: frozenset[type] = frozenset()


class Starter(NamedTuple):
    """A call whose result is awaited. `back` makes plain data of it; results of the types `plain` need nothing."""

    call: Call
    back: Call | None = None
    plain: frozenset[type] = frozenset()


class FunctionError(Exception):
    """A function cannot be used; `message` says why, `hint` what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class TaskFunction:
    """A function with its signature. `name` is what people call it: `shop.tasks:total`."""

    def __init__(self, fn: Callable[..., Any], name: str) -> None:
        """FunctionError if its parameters cannot be given by name."""
        self.fn = fn
        self.name = name
        self._callers: dict[frozenset[str], Call] = {}
        try:
            self.signature: Signature = read_signature(fn)
        except SignatureError as error:
            raise FunctionError(str(error)) from None

    @property
    def waits(self) -> bool:
        """Whether a call has to be awaited."""
        return self.signature.waits

    @property
    def first(self) -> str | None:
        """The name of its first parameter: what a task whose only input is called `in` is given."""
        return self.signature.inputs[0].name if self.signature.inputs else None

    def caller(self, fitting: Iterable[str] = ()) -> Call:
        """Return a call of it. Inputs that are `fitting` are known to have a type that fits.

        Tasks with the same function share their calls.
        """
        key = frozenset(fitting)
        call = self._callers.get(key)
        if call is None:
            call = self._callers[key] = self._make_caller(key)
        return call

    def _make_caller(self, fitting: frozenset[str]) -> Call:
        into = self._into(fitting)
        back = _writer(self.signature, self.name)
        if self.signature.waits:
            return _waiting_call(self.fn, into, back, self.signature.streams)
        return _plain_call(self.fn, into, back, self.signature.streams, self._plain_types(back))

    def starter(self, fitting: Iterable[str] = ()) -> "Starter":
        """Return a call of a function that waits, and what to do with the awaited result.

        That saves a coroutine between the caller and the function.
        """
        into = self._into(fitting)
        if self.signature.streams:
            return Starter(_waiting_call(self.fn, into, None, True))
        fn = self.fn
        back = _writer(self.signature, self.name)
        plain = self._plain_types(back)
        if into:
            return Starter(lambda record: fn(**_built(record, into)), back, plain)
        return Starter(lambda record: fn(**record), back, plain)

    def _into(self, fitting: Iterable[str]) -> tuple[tuple[str, Call], ...]:
        skip = set(fitting)
        return tuple(
            (definition.name, _builder(definition.name, definition.hint))
            for definition in self.signature.inputs
            if definition.hint is not Any and not (definition.plain and definition.name in skip)
        )

    def item_caller(self, fitting: Iterable[str], name: str, others: dict[str, Any]) -> "ItemCall":
        """Return a call with the value of one input, which is made many times.

        For functions that do not wait. The other inputs stay the same, so they are converted once.
        """
        if self.signature.streams or name not in {
            definition.name for definition in self.signature.inputs
        }:
            call = self.caller(fitting)
            return ItemCall(lambda item: call({**others, name: item}))
        into = dict(self._into(fitting))
        fixed = _built(others, [(key, build) for key, build in into.items() if key != name])
        fn: Callable[..., Any] = partial(self.fn, **fixed) if fixed else self.fn
        if self.signature.inputs[0].name != name or not self._takes_first:
            fn = _named_call(fn, name)
        hint = next(
            definition.hint for definition in self.signature.inputs if definition.name == name
        )
        accepts = frozenset({hint}) if hint in SCALARS else frozenset[type]()
        write = _writer(self.signature, self.name)
        return ItemCall(fn, into.get(name), accepts, write, self._plain_types(write))

    def _plain_types(self, back: Call | None) -> frozenset[type]:
        """Return the types of results that `back` would return as they are."""
        answer = _TYPES.get(str(self.signature.answer.get("type")), ())
        plain: frozenset[type] = SCALARS if back is _plain else SCALARS.intersection(answer)
        return plain

    @cached_property
    def _takes_first(self) -> bool:
        """Whether the first parameter may be given without its name."""
        parameters = inspect.signature(self.fn).parameters.values()
        return next(iter(parameters)).kind is inspect.Parameter.POSITIONAL_OR_KEYWORD

    def record(self, payload: Any) -> dict[str, Any]:
        """Return the record that a packet stands for: a map of inputs, or the value of the only one.

        NodeError if inputs are missing or unknown.
        """
        names = [definition.name for definition in self.signature.inputs]
        takes_all = self.signature.open
        if isinstance(payload, dict) and (takes_all or set(names) >= payload.keys()):
            record = dict(payload)
        elif len(names) == 1 and not takes_all:
            return {names[0]: payload}
        elif not names and not takes_all:
            return {}
        else:
            raise NodeError(Error(self._unlike(payload, names), code="type"))
        missing = [o.name for o in self.signature.inputs if o.required and o.name not in record]
        if missing:
            text = f"{self.name} lacks the inputs {', '.join(missing)}"
            raise NodeError(Error(text, code="missing"))
        return record

    def _unlike(self, payload: Any, names: list[str]) -> str:
        has = f"(it has: {', '.join(names) or 'none'})"
        if not isinstance(payload, dict):
            return f"{self.name} is called with a map of its inputs {has}"
        key = str(next(key for key in payload if key not in names))
        return f'{self.name} has no input "{key}" {has} {did_you_mean(key, names)}'.rstrip()


# -- where functions come from ---------------------------------------------------------------------

_registered: dict[str, Callable[..., Any]] = {}


def register_function(name: str, fn: Callable[..., Any], *, override: bool = False) -> None:
    """Register a function under `namespace.name`, for tasks that say `uses:`.

    ValueError if another function has the name and `override` is False, or if it is not legal.
    """
    parts = name.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise ValueError(f'"{name}" is not a name such as namespace.name')
    taken = _registered.get(name)
    if taken is not None and taken is not fn and not override:
        raise ValueError(f'"{name}" is registered already, for {_describe(taken)}')
    _registered[name] = fn


def unregister_function(name: str) -> None:
    """Remove a registered function; raise KeyError if there is none of this name."""
    del _registered[name]


def registered_functions() -> Mapping[str, Callable[..., Any]]:
    """Return the registered functions by name."""
    return dict(_registered)


def find_registered(name: str) -> TaskFunction:
    """Return the function that is registered under this name; FunctionError names the nearest."""
    fn = _registered.get(name)
    if fn is None:
        known = ", ".join(sorted(_registered)) or "none"
        raise FunctionError(
            f'no function is registered as "{name}" (registered: {known})',
            did_you_mean(name, _registered)
            or "Register it with @task(namespace=…) in a module that is imported first.",
        )
    return _function_of(fn, name)


_local: WeakValueDictionary[str, Callable[..., Any]] = WeakValueDictionary()
_local_lock = Lock()


def keep_local(target: str, fn: Callable[..., Any]) -> str:
    """Let a function that no import finds be found by its name, as long as it exists; return the name.

    Such a function is defined in another function, in a test, or at a prompt. If the name is taken by
    another one that still exists, a number is added.
    """
    with _local_lock:
        free, number = target, 2
        while _local.get(free, fn) is not fn:
            free, number = f"{target}#{number}", number + 1
        _local[free] = fn
    return free


def import_function(target: str) -> TaskFunction:
    """Return the function that `module:function` names; FunctionError says what is wrong.

    Importing a module runs its code.
    """
    local = _local.get(target)
    if local is not None:
        # Not kept: it exists no longer than its author holds it.
        return TaskFunction(local, target)
    module, _, name = target.partition(":")
    if "<" in name:
        raise FunctionError(
            f"{target} is defined in a function of another process, or exists no longer",
            "Define it at the top of a module: then it can be imported.",
        )
    if not name or not all(part.isidentifier() for part in module.split(".")):
        raise FunctionError(
            f'"{target}" does not name a function', "Write module:function, such as shop:total."
        )
    value: Any = import_code(module)
    for part in name.split("."):
        parent, value = value, getattr(value, part, None)
        if value is None:
            names = [text for text in dir(parent) if callable(getattr(parent, text, None))]
            raise FunctionError(f'{module} has no function "{name}"', did_you_mean(part, names))
    if not callable(value):
        raise FunctionError(f"{target} is not a function: it is {type(value).__name__}")
    return _function_of(value, target)


def import_code(module: str) -> Any:
    """Import a module, which runs its code; FunctionError says what is wrong."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = error.name or module
        where = "" if module.startswith(missing) else _place_of(error)
        raise FunctionError(
            f'there is no module "{missing}"{where}',
            "Modules are searched beside the specs, in the working directory and among the installed packages.",
        ) from error
    except (Exception, SystemExit) as error:
        raise FunctionError(
            f"{module} cannot be imported: {type(error).__name__}: {error}{_place_of(error)}"
        ) from error


_functions: dict[tuple[int, str], TaskFunction] = {}


def _function_of(value: Any, name: str) -> TaskFunction:
    """Return the Function of an object; many tasks may share it, so its signature is read once."""
    fn = getattr(value, "function", value)
    known = _functions.get((id(fn), name))
    if known is None or known.fn is not fn:
        known = _functions[id(fn), name] = TaskFunction(fn, name)
    return known


def _describe(fn: Callable[..., Any]) -> str:
    name = f"{getattr(fn, '__module__', '')}:{getattr(fn, '__qualname__', repr(fn))}"
    code = getattr(inspect.unwrap(fn), "__code__", None)
    return f"{name} at {code.co_filename}:{code.co_firstlineno}" if code else name


def _place_of(error: BaseException) -> str:
    """Return ` at shop.py:7`: the last line of the import that is not part of Python's own."""
    frames = [
        (summary.filename, summary.lineno) for summary in traceback.extract_tb(error.__traceback__)
    ]
    if isinstance(error, SyntaxError):
        frames.append((error.filename or "", error.lineno))
    own, python = Path(__file__), Path(traceback.__file__).parent
    for file, line in reversed(frames):
        path = Path(file)
        outside = python not in path.parents or "site-packages" in path.parts
        if path.suffix == ".py" and path != own and outside:
            return f" at {file}:{line}"
    return ""


# -- values ----------------------------------------------------------------------------------------


def _builder(name: str, hint: Any) -> Call:
    """Return what makes the type of a parameter of plain data; it raises NodeError `type`."""

    def build(value: Any) -> Any:
        try:
            return build_value(value, hint)
        except msgspec.ValidationError as error:
            raise NodeError(Error(f"the input {name} does not fit: {error}", code="type")) from None

    if hint not in SCALARS:
        return build
    return lambda value: value if type(value) is hint else build(value)


def _writer(signature: Signature, name: str) -> Call | None:
    """Return what makes plain data of a result, and checks its type if that is declared.

    A result of another type is a NodeError `type` that names both. None if nothing has to be done.
    """
    if signature.streams:
        return _plain
    accepted = _TYPES.get(str(signature.answer.get("type")), ())
    if not accepted:
        return _plain
    expected = describe_schema(signature.answer)
    copies = not signature.answer_plain
    bools = bool in accepted
    # Most results are of such a type: one look tells.
    exact = SCALARS.intersection(accepted)

    def check(value: Any) -> Any:
        if type(value) in exact:
            return value
        made = _plain(value) if copies else value
        if isinstance(made, accepted) and (bools or (made is not True and made is not False)):
            return made
        actual = type(value).__name__
        raise NodeError(
            Error(
                f"{name} returned {actual}, and its hint says {expected}",
                code="type",
                data={"found": actual, "expected": expected},
            )
        )

    return check


def _plain(value: Any) -> Any:
    """Return a result as plain data; an object that has no plain form stays as it is."""
    if type(value) in SCALARS:
        return value
    try:
        return plain_value(value)
    except (TypeError, ValueError, RecursionError):
        return value


# -- calls -----------------------------------------------------------------------------------------


def _built(record: Mapping[str, Any], into: Iterable[tuple[str, Call]]) -> dict[str, Any]:
    made = {**record}
    for name, build in into:
        if name in made:
            made[name] = build(made[name])
    return made


def _named_call(fn: Callable[..., Any], name: str) -> Callable[[Any], Any]:
    """Return a call with a single value, which is given by name."""
    return lambda item: fn(**{name: item})


def _plain_call(
    fn: Callable[..., Any],
    into: tuple[tuple[str, Call], ...],
    back: Call | None,
    streams: bool,
    plain: frozenset[type],
) -> Call:
    """Return the call of a function that does not wait; each case does only what it needs.

    Results of the types `plain` need no `back`: to see that here saves a call.
    """
    if streams:
        return lambda record: _plain(list(fn(**_built(record, into))))
    if into:
        if back is None:
            return lambda record: fn(**_built(record, into))
        return lambda record: back(fn(**_built(record, into)))
    if back is None:
        return lambda record: fn(**record)

    def call(record: Any) -> Any:
        value = fn(**record)
        return value if type(value) in plain else back(value)

    return call


def _waiting_call(
    fn: Callable[..., Any], into: tuple[tuple[str, Call], ...], back: Call | None, streams: bool
) -> Call:
    """Return the call of a function that waits."""
    if streams:

        async def collect(record: Any) -> Any:
            return _plain([value async for value in fn(**_built(record, into))])

        return collect

    async def call(record: Any) -> Any:
        value = await fn(**(_built(record, into) if into else record))
        if type(value) in SCALARS and (back is None or back is _plain):
            return value
        return value if back is None else back(value)

    return call
