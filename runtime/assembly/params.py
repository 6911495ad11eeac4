"""Params are what a Spec that others use leaves open: each name with its type and its default."""

from typing import Annotated, Any, Literal

import msgspec

from heddle.schemas.code import Text
from heddle.schemas.data_type import describe_type
from heddle.schemas.errors import SpecError
from heddle.schemas.field import FieldError, Fields, about, read_field
from heddle.schemas.path import Path
from heddle.schemas.problem import Problem
from heddle.schemas.suggestion import did_you_mean
from heddle.schemas.words import plain
from heddle.specs.model.names import legal_key
from heddle.specs.model.spec import Spec

Sort = Literal["any", "string", "number", "integer", "boolean", "array", "object"]

_TYPES: dict[str, Any] = {
    "any": Any,
    "string": Text,
    "number": float,
    "integer": int,
    "boolean": bool,
    "array": list[Any],
    "object": dict[str, Any],
}
_WANTED = {
    "string": "text",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}


class Param(Fields):
    """One name that is left open."""

    type: Annotated[Sort, about("What may be given, named as in JSON Schema.")] = "any"
    default: Annotated[Any, about("What counts where nothing is given.")] = None
    required: Annotated[
        bool | None, about("Whether it must be given; it must, unless there is a default.")
    ] = None
    choices: Annotated[list[Any], about("What may be given, if that is not everything.")] = (
        msgspec.field(default_factory=list)
    )
    help: Annotated[str, about("What it is for, in a sentence.")] = ""

    def __post_init__(self) -> None:
        if self.default is not None and _fits(self, self.default) is None:
            raise FieldError(
                describe_type(self.default),
                expected=_expected(self),
                code="type",
                path=("default",),
            )

    @property
    def must(self) -> bool:
        """Whether it must be given."""
        return self.default is None if self.required is None else self.required


def given(definition: Spec, user: Spec) -> dict[str, Any]:
    """Return what the names of a definition stand for if this Spec uses it; SpecError with every Problem.

    A definition whose own params are not right tells that itself, and leaves nothing open here.
    """
    try:
        params = msgspec.convert(
            definition.fields.get("params") or {}, dict[str, Param], dec_hook=read_field
        )
    except msgspec.ValidationError:
        actual = f'the params of "{definition.label}" are not right'
        raise SpecError([_problem(user, ("uses",), "params", actual)]) from None
    values = user.fields.get("with")
    values = values if isinstance(values, dict) else {}
    problems: list[Problem] = []
    for name in values:
        if name not in params:
            known = ", ".join(params) or "none"
            actual = f'"{definition.label}" has no param "{name}" (it has: {known})'
            hint = did_you_mean(str(name), params)
            problems.append(_problem(user, ("with", name), "unknown-field", actual, hint=hint))
    names: dict[str, Any] = {}
    for name, param in params.items():
        if values.get(name) is None:
            names[name] = param.default
            if param.must:
                path: Path = ("with", name)
                problems.append(
                    _problem(user, path, "missing", "missing", _expected(param), param.help)
                )
            continue
        fitted = _fits(param, values[name])
        if fitted is None:
            actual = describe_type(values[name])
            problems.append(
                _problem(user, ("with", name), "type", actual, _expected(param), param.help)
            )
        else:
            names[name] = fitted[0]
    if problems:
        raise SpecError(problems)
    return names


def check_params(params: "dict[str, Param]") -> None:
    """FieldError if a name cannot stand in a blank."""
    for name in params:
        if not legal_key(name):
            raise FieldError(
                f'the name "{name}"',
                expected="a letter or _, then letters, digits and _",
                path=(name,),
            )


def _fits(param: Param, value: Any) -> tuple[Any] | None:
    """Return the value as its type takes it; None if it does not fit."""
    try:
        made = msgspec.convert(value, _TYPES[param.type], strict=False, dec_hook=read_field)
    except msgspec.ValidationError:
        return None
    if isinstance(made, float) and made.is_integer() and isinstance(value, int):
        made = value
    if isinstance(made, Text):
        made = str(made)
    return None if param.choices and made not in param.choices else (made,)


def _expected(param: Param) -> str:
    if param.choices:
        return " or ".join(plain(choice) for choice in param.choices)
    return _WANTED.get(param.type, "")


def _problem(
    spec: Spec, path: Path, code: str, actual: str, expected: str = "", hint: str = ""
) -> Problem:
    return Problem(
        code=code,
        found=actual,
        expected=expected,
        hint=hint,
        place=spec.place(path),
        path=spec.at(path),
    )
