"""A Function is one that CEL text may call; a Library finds them by name and shape."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from heddle.extensions.languages.cel.errors import CelError
from heddle.extensions.languages.cel.values import kind
from heddle.schemas.suggestion import did_you_mean


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function of a library.

    `run` takes the receiver first and raises Fault. `arity` counts the receiver too; -1 takes any
    number. `result` is the CEL type it always gives, or empty. `special` says that the result is,
    or holds, a value that plain data lacks. `costly` work grows with the size of the first
    argument: what it makes is paid for out of the budget of the run. One that `spends` may make
    more than it is given: it takes the budget before its other arguments, and pays before it makes. `inline` is a Python expression over `{0}`, `{1}`, …
    that does the same if every argument has exactly the type that `takes` names. One that is not
    `pure` may give something else at each call: it is never worked out before the program runs.
    """

    name: str
    run: Callable[..., Any]
    arity: int
    method: bool = False
    result: str = ""
    special: bool = False
    costly: bool = False
    spends: bool = False
    inline: str = ""
    takes: tuple[str, ...] = ()
    pure: bool = True


class Library:
    """Functions by name, by being a method or not, and by number of arguments."""

    def __init__(self, functions: Iterable[Function] = ()) -> None:
        self._known: dict[tuple[str, bool, int], Function] = {}
        self._names: dict[str, set[tuple[bool, int]]] = {}
        for function in functions:
            self.add(function)

    def add(self, function: Function) -> None:
        """Add one; ValueError when that name and shape are taken."""
        key = (function.name, function.method, function.arity)
        if key in self._known:
            raise ValueError(f"the function {function.name} with {function.arity} is there already")
        self._known[key] = function
        self._names.setdefault(function.name, set()).add(key[1:])

    def find(self, name: str, method: bool, arity: int) -> Function | None:
        """Return the function of that shape; `arity` counts the receiver."""
        return self._known.get((name, method, arity)) or self._known.get((name, method, -1))

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def why_not(
        self, name: str, method: bool, arity: int, macros: Iterable[str]
    ) -> tuple[str, str]:
        """Message and hint for a call that `find` does not know."""
        shapes = self._names.get(name)
        if shapes is None:
            # `math.greatst`: the name of a library stands before that of its function.
            known = {*macros, *(each.rpartition(".")[2] for each in self._names), *self._names}
            longer = sorted(each for each in self._names if each.rpartition(".")[2] == name)
            if longer:
                return f'unknown function "{name}"', f"Write {' or '.join(longer)}"
            return f'unknown function "{name}"', did_you_mean(name, known, "function")
        given = arity - 1 if method else arity
        same = sorted(count - method for is_method, count in shapes if is_method == method)
        if not same:
            shape = f"{name}(x)" if method else f"x.{name}()"
            return f'"{name}" is not called that way', f"Write {shape}"
        counts = " or ".join(str(count) for count in same)
        noun = "argument" if counts == "1" else "arguments"
        return f'"{name}" wants {counts} {noun}, not {given}', ""


def no_overload(name: str, *values: Any) -> CelError:
    """Return the Fault of a function that does not take values of these types."""
    return CelError(f"no such overload: {name}({', '.join(map(kind, values))})")


def typed(name: str, run: Callable[..., Any], *kinds: str) -> Callable[..., Any]:
    """`run`, guarded: a Fault unless every argument is of the kind that stands at its place."""

    def guarded(*values: Any) -> Any:
        if tuple(map(kind, values)) != kinds:
            raise no_overload(name, *values)
        return run(*values)

    return guarded


def spending(name: str, run: Callable[..., Any], *kinds: str) -> Callable[..., Any]:
    """`run` with the budget of the run in front, guarded as `typed` guards."""

    def guarded(budget: list[int], *values: Any) -> Any:
        if tuple(map(kind, values)) != kinds:
            raise no_overload(name, *values)
        return run(budget, *values)

    return guarded
