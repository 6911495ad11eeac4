"""The inputs of a run: what is given by name, with defaults filled in, or every mistake in it."""

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Final

import msgspec

from heddle.extensions.extension import Error, NodeError
from heddle.extensions.tasks.fields import InputFields, is_plain
from heddle.runtime.flow.elsewhere import ElsewhereError, is_on_loop, outcome
from heddle.runtime.flow.errors import InputError
from heddle.schemas.data_type import describe_type
from heddle.schemas.suggestion import nearest
from heddle.schemas.types.effort import EffortError
from heddle.schemas.types.mistakes import Mask, list_mistakes

_TYPES: Mapping[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "array": list,
    "object": dict,
}

INVALID = "invalid"
"""The code of the Error of inputs that do not fit; its data lists each mistake."""


HOLD: Final = 0.005
"""Seconds of the processor that a check of inputs may hold the event loop; the rest is done in a thread."""


class InputReader:
    """Reads the inputs of runs of one workflow. It raises ElsewhereError if that would hold the event loop."""

    def __init__(self, declared: Mapping[str, InputFields]) -> None:
        self._declared = declared
        self.mask: Mask | None = None

    def __call__(self, given: Any) -> dict[str, Any]:
        """Return the value of each declared input; NodeError `invalid` with every mistake, by path."""
        done = outcome(self, given)
        if done is not None:
            if not done.succeeded:
                raise done.value
            read: dict[str, Any] = done.value
            return read
        try:
            return read_inputs(self._declared, given, mask=self.mask, hold=HOLD)
        except EffortError:
            if not is_on_loop():
                return self._read(given)
            raise ElsewhereError(self, given, self._read_apart) from None

    def _read(self, given: Any) -> dict[str, Any]:
        return read_inputs(self._declared, given, mask=self.mask)

    async def _read_apart(self, given: Any) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(_threads(), self._read, given)


@cache
def _threads() -> ThreadPoolExecutor:
    """Return the threads that check inputs, apart from those that others wait for."""
    return ThreadPoolExecutor(2, "heddle-inputs")


def read_inputs(
    declared: Mapping[str, InputFields],
    given: Any,
    *,
    strict: bool = False,
    mask: Mask | None = None,
    hold: float | None = None,
) -> dict[str, Any]:
    """Return the value of each declared input; NodeError `invalid` with every mistake, by path.

    A packet that is not a map is the value of the only input. Names that are not declared are left
    out, or are mistakes if it is `strict`. `mask` is applied to what mistakes show of the declarations:
    a schema may hold a secret Value. If a check takes longer than `hold`, it ends with EffortError.
    """
    if not declared and not isinstance(given, Mapping):
        return {}
    if not isinstance(given, Mapping):
        if len(declared) != 1:
            names = ", ".join(declared)
            raise _invalid([("", describe_type(given), f"a map with {names}")])
        given = {next(iter(declared)): given}
    mistakes: list[tuple[str, str, str]] = []
    values: dict[str, Any] = {}
    for name, field in declared.items():
        value = given.get(name, msgspec.UNSET)
        if value is msgspec.UNSET or (value is None and not field.must):
            if field.must:
                expected = (
                    field.type if field.type != "any" else _masked(field.help, mask) or "a value"
                )
                mistakes.append((name, "missing", expected))
            values[name] = None if field.default is msgspec.UNSET else field.default
            continue
        values[name] = _fitted(name, field, value, mistakes, mask, hold)
    if strict:
        known = ", ".join(declared) or "none"
        mistakes += [
            (str(name), "unknown input", f'"{near}"' if near else f"one of {known}")
            for name in given
            if name not in declared
            for near in (nearest(str(name), declared),)
        ]
    if mistakes:
        raise _invalid(mistakes)
    return values


def convert_texts(declared: Mapping[str, InputFields], given: Mapping[str, str]) -> dict[str, Any]:
    """Return texts of the command line as values of the declared types.

    What does not fit stays a text: the check of the inputs reports it with all other mistakes.
    """
    return {key: _convert(declared.get(key), text) for key, text in given.items()}


def _convert(field: InputFields | None, text: str) -> Any:
    if field is None:
        return text
    type_name = field.json_schema.get("type")
    if type_name == "string":
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if field.schema is not None and not type_name and isinstance(value, int | float | bool):
        # A schema such as {enum: ["1", "2"]} means the text.
        options = field.schema.get("enum")
        if isinstance(options, list) and value not in options and text in options:
            return text
    return value


def _masked(text: str, mask: Mask | None) -> str:
    return text if mask is None else str(mask(text))


def blame_run(error: Error) -> Error:
    """Return the Error of a run that has begun: its sender is not at fault, whatever a task was sent."""
    for each in (error, *error.errors):
        if isinstance(each.cause, InputError):
            each.cause = None
    return error


def _fitted(
    name: str,
    field: InputFields,
    value: Any,
    mistakes: list[tuple[str, str, str]],
    mask: Mask | None,
    hold: float | None,
) -> Any:
    """Return a value as its type takes it; what does not fit is noted."""
    if field.schema is not None:
        for list_mistake in list_mistakes(value, field.schema, mask=mask, hold=hold):
            path = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in list_mistake.path)
            mistakes.append((f"{name}{path}", list_mistake.found, list_mistake.expected))
        return value
    if field.type == "any":
        return value
    if is_plain(value, field.type):
        return value
    try:
        made = msgspec.convert(value, _TYPES[field.type], strict=False)
    except msgspec.ValidationError:
        mistakes.append((name, describe_type(value), field.type))
        return None
    whole = field.type == "number" and isinstance(made, float) and made.is_integer()
    return int(made) if whole and isinstance(value, str) and "." not in value else made


def _invalid(mistakes: list[tuple[str, str, str]]) -> NodeError:
    lines = [
        f"{path or 'the inputs'}: {actual} (expected: {expected})"
        for path, actual, expected in mistakes
    ]
    data = [
        {"path": path, "found": actual, "expected": expected} for path, actual, expected in mistakes
    ]
    text = "\n".join(lines)
    return NodeError(Error(text, code=INVALID, data=data, cause=InputError(text, data)))
