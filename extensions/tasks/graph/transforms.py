"""Transforms change a value on its way along a dataflow: thirteen by name, and code in a language.

Each says which type it makes of which, so a chain of them can be checked before anything runs.
"""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Self, TypeAlias

import msgspec

from heddle.extensions.extension import Error, Expression, FieldError, FieldType, NodeError
from heddle.extensions.tasks.graph.reference import (
    ReferenceSyntaxError,
    getter,
    parse_reference,
)
from heddle.schemas.data_type import describe_type
from heddle.schemas.suggestion import did_you_mean

Apply: TypeAlias = Callable[[Any], Any]
"""Takes a value, gives the changed value, and raises what goes wrong."""

Type: TypeAlias = Mapping[str, Any] | None
"""A JSON Schema; None if the type is not known."""

STRING: Final[Type] = {"type": "string"}
NUMBER: Final[Type] = {"type": "number"}
BOOLEAN: Final[Type] = {"type": "boolean"}


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """One transform: its parameters (name: whether it must be given), what it does and what it makes.

    `accepts` gives the type that it works on; `makes` gives the type of its result.
    """

    make: Callable[..., Apply]
    makes: Callable[[Type, Mapping[str, Any]], Type]
    params: Mapping[str, bool] = {}
    accepts: Callable[[Mapping[str, Any]], Type] = lambda _params: None
    help: str = ""


def _wrong(value: Any, expected: str, name: str) -> NodeError:
    return NodeError(
        Error(f"{name}: {describe_type(value)} instead of {expected}", code="type", data=None)
    )


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise _wrong(value, "a text", name)
    return value


def _steps(path: str) -> tuple[str | int, ...]:
    """Return the steps of a path such as `a.b[0]` or `[0].a`; ReferenceSyntaxError if it is not one."""
    root = "" if path.startswith("[") else "."
    try:
        return parse_reference(f"value{root}{path}").path
    except ReferenceSyntaxError as error:
        raise ReferenceSyntaxError(str(error).replace(f"value{root}", "", 1)) from None


def _pick(path: str) -> Apply:
    take = getter(_steps(path), f"pick {path}")
    return take if take is not None else lambda value: value


def _index(index: int) -> Apply:
    def take(value: Any) -> Any:
        if not isinstance(value, list | str):
            raise _wrong(value, "a list", "index")
        try:
            return value[index]
        except IndexError:
            text = f"index: there is no element {index} in a list of {len(value)}"
            raise NodeError(Error(text, code="missing")) from None

    return take


def _coalesce(default: Any) -> Apply:
    return lambda value: default if value is None else value


def _truncate(max: int) -> Apply:  # noqa: A002 - the name of the parameter
    return lambda value: _text(value, "truncate")[:max]


def _substring(start: int = 0, end: int | None = None) -> Apply:
    return lambda value: _text(value, "substring")[start:end]


def _unix_to_iso(unit: str = "s") -> Apply:
    divisor = 1000 if unit == "ms" else 1

    def convert(value: Any) -> str:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong(value, "a number", "unixToIsoDate")
        try:
            moment = datetime.fromtimestamp(value / divisor, UTC)
        except (OverflowError, OSError, ValueError):
            text = f"unixToIsoDate: {value} is not a time that a date can be made of"
            raise NodeError(Error(text, code="range")) from None
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    return convert


def _iso_to_unix(unit: str = "s") -> Apply:
    factor = 1000 if unit == "ms" else 1

    def convert(value: Any) -> int | float:
        text = _text(value, "isoDateToUnix")
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            message = f'isoDateToUnix: "{text}" is not a date such as 2026-11-30T08:00:00Z'
            raise NodeError(Error(message, code="range")) from None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        number = moment.timestamp() * factor
        return int(number) if number.is_integer() else number

    return convert


def _number_to_string(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _wrong(value, "a number", "numberToString")
    if isinstance(value, float) and value.is_integer() and math.isfinite(value):
        return str(int(value))
    return str(value)


def _to_boolean(value: Any) -> bool:
    if isinstance(value, str):
        return value.strip().casefold() not in ("", "0", "false", "no", "off", "null")
    return bool(value)


def _stringify(value: Any) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError) as error:
        raise NodeError(Error(f"stringify: {error}", code="type")) from None


def _parse_json(value: Any) -> Any:
    text = _text(value, "parseJson")
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise NodeError(Error(f"parseJson: {error}", code="range")) from None


def _same(type_: Type, _params: Mapping[str, Any]) -> Type:
    return type_


def part_of(type_: Type, path: tuple[str | int, ...]) -> Type:
    """Return the type of a part of a value of this type; None if it is not known."""
    for step in path:
        if type_ is None:
            return None
        if isinstance(step, int):
            prefix, items = type_.get("prefixItems"), type_.get("items")
            if prefix and 0 <= step < len(prefix):
                type_ = prefix[step]
            else:
                type_ = items if isinstance(items, Mapping) else None
        else:
            properties = type_.get("properties")
            value = properties.get(step) if isinstance(properties, Mapping) else None
            if value is None:
                more = type_.get("additionalProperties")
                value = more if isinstance(more, Mapping) else None
            type_ = value
    return type_


def _picked(type_: Type, params: Mapping[str, Any]) -> Type:
    return part_of(type_, _steps(str(params["path"])))


def _picked_from(params: Mapping[str, Any]) -> Type:
    """Return the type that a part is picked from: the one that the first step of the path goes into."""
    steps = _steps(str(params["path"]))
    return {"type": "array" if steps and isinstance(steps[0], int) else "object"}


def _made(type_: Type) -> Callable[[Type, Mapping[str, Any]], Type]:
    return lambda _type, _params: type_


def _of(type_: Type) -> Callable[[Mapping[str, Any]], Type]:
    return lambda _params: type_


TRANSFORMS: Final[Mapping[str, Definition]] = {
    "pick": Definition(
        make=_pick,
        makes=_picked,
        params={"path": True},
        accepts=_picked_from,
        help="the part at `path`, such as `a.b[0]`",
    ),
    "index": Definition(
        make=_index,
        makes=lambda type_, params: part_of(type_, (params["index"],)),
        params={"index": True},
        help="the element at `index`; -1 is the last",
    ),
    "coalesce": Definition(
        make=lambda defaultValue: _coalesce(defaultValue),  # noqa: N803 - the name of the parameter
        makes=_made(None),
        params={"defaultValue": True},
        help="`defaultValue` in the place of null",
    ),
    "uppercase": Definition(
        make=lambda: lambda value: _text(value, "uppercase").upper(),
        makes=_made(STRING),
        accepts=_of(STRING),
        help="the text in capitals",
    ),
    "lowercase": Definition(
        make=lambda: lambda value: _text(value, "lowercase").lower(),
        makes=_made(STRING),
        accepts=_of(STRING),
        help="the text in small letters",
    ),
    "truncate": Definition(
        make=_truncate,
        makes=_made(STRING),
        params={"max": True},
        accepts=_of(STRING),
        help="the first `max` characters",
    ),
    "substring": Definition(
        make=_substring,
        makes=_made(STRING),
        params={"start": False, "end": False},
        accepts=_of(STRING),
        help="the characters from `start` to before `end`",
    ),
    "unixToIsoDate": Definition(
        make=_unix_to_iso,
        makes=_made(STRING),
        params={"unit": False},
        accepts=_of(NUMBER),
        help="a date of seconds since 1970 (`unit: ms`: milliseconds)",
    ),
    "isoDateToUnix": Definition(
        make=_iso_to_unix,
        makes=_made(NUMBER),
        params={"unit": False},
        accepts=_of(STRING),
        help="seconds since 1970 (`unit: ms`: milliseconds) of a date",
    ),
    "numberToString": Definition(
        make=lambda: _number_to_string,
        makes=_made(STRING),
        accepts=_of(NUMBER),
        help="the number as a text",
    ),
    "toBoolean": Definition(
        make=lambda: _to_boolean,
        makes=_made(BOOLEAN),
        help="true or false; the texts `false`, `no`, `off`, `0`, `null` and the empty text are false",
    ),
    "stringify": Definition(
        make=lambda: _stringify, makes=_made(STRING), help="the value as JSON text"
    ),
    "parseJson": Definition(
        make=lambda: _parse_json,
        makes=_made(None),
        accepts=_of(STRING),
        help="the value of a JSON text",
    ),
}
"""The transforms by name."""

_INTEGERS: Final = frozenset({"index", "max", "start", "end"})


class Transform(FieldType):
    """A transform as it is written: a name, a name with parameters, or code.

    `uppercase`, `{id: truncate, max: 80}`, `{language: cel, code: self + 1}`.
    """

    __slots__ = ("expression", "id", "params")

    expected: ClassVar[str] = "a transform such as uppercase, {id: truncate, max: 80} or code"
    json_schema: ClassVar[Mapping[str, Any]] = {
        "anyOf": [
            {
                "enum": sorted(
                    name
                    for name, definition in TRANSFORMS.items()
                    if not any(definition.params.values())
                )
            },
            {
                "type": "object",
                "properties": {"id": {"enum": sorted(TRANSFORMS)}},
                "required": ["id"],
            },
            {
                "type": "object",
                "properties": {"language": {"type": "string"}, "code": {"type": "string"}},
                "required": ["code"],
                "additionalProperties": False,
            },
        ]
    }

    def __init__(
        self,
        id: str = "",  # noqa: A002 - the word that people write
        params: Mapping[str, Any] | None = None,
        expression: Expression | None = None,
    ) -> None:
        self.id = id
        self.params: Mapping[str, Any] = params or {}
        self.expression = expression

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the transform that is written; FieldError says what is wrong with it."""
        if isinstance(value, str):
            return cls(_known(value, ()), _params(value, {}))
        if not isinstance(value, Mapping):
            raise FieldError(describe_type(value), expected=cls.expected, code="type")
        if "code" in value:
            return cls(expression=Expression.read(value))
        name = value.get("id")
        if not isinstance(name, str):
            raise FieldError(
                "a transform without id", expected=cls.expected, code="missing", path=("id",)
            )
        _known(name, ("id",))
        params = {str(key): item for key, item in value.items() if key != "id"}
        if set(params) == {"params"} and isinstance(params["params"], Mapping):
            params = {str(key): item for key, item in params["params"].items()}
        return cls(name, _params(name, params))

    def written(self) -> Any:
        """Return the plain data that `read` takes."""
        if self.expression is not None:
            return {"language": self.expression.language, "code": self.expression.code}
        return {"id": self.id, **self.params} if self.params else self.id

    @property
    def apply(self) -> Apply:
        """The function of the transform; for code see `expression`."""
        return TRANSFORMS[self.id].make(**self.params)

    @property
    def accepts(self) -> Type:
        """The type of values that it works on."""
        return None if self.expression is not None else TRANSFORMS[self.id].accepts(self.params)

    def default(self, value: Any) -> Any:
        """Return what stands for a value that never comes: that of `coalesce`; any other keeps null."""
        return self.apply(value) if value is not None or self.id == "coalesce" else None

    def makes(self, type_: Type) -> Type:
        """Return the type that it makes of a type."""
        if self.expression is not None:
            return None
        return TRANSFORMS[self.id].makes(type_, self.params)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Transform):
            return NotImplemented
        return self.written() == other.written() and self.expression == other.expression

    def __hash__(self) -> int:
        return hash((self.id, str(self.expression)))

    def __repr__(self) -> str:
        return f"Transform({self.written()!r})"


def _known(name: str, path: tuple[str | int, ...]) -> str:
    if name not in TRANSFORMS:
        raise FieldError(
            f'no transform "{name}"',
            expected=f"one of {', '.join(TRANSFORMS)}",
            hint=did_you_mean(name, TRANSFORMS),
            code="unknown-transform",
            path=path,
        )
    return name


def _params(name: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the parameters; FieldError at the first that is unknown, missing or of the wrong type."""
    known = TRANSFORMS[name].params
    for key, value in given.items():
        if key not in known:
            raise FieldError(
                f'{name} has no parameter "{key}"',
                expected=", ".join(known) or "none",
                hint=did_you_mean(key, known),
                code="unknown-field",
                path=(key,),
            )
        if key in _INTEGERS and (type(value) is not int or (key == "max" and value < 0)):
            raise FieldError(
                describe_type(value), expected="a whole number", code="type", path=(key,)
            )
        if key == "unit" and value not in ("s", "ms"):
            raise FieldError(describe_type(value), expected="s or ms", code="range", path=(key,))
        if key == "path":
            if not isinstance(value, str):
                raise FieldError(
                    describe_type(value), expected="a path such as a.b[0]", path=(key,)
                )
            try:
                _pick(value)
            except ValueError as error:
                raise FieldError(
                    str(error), expected="a path such as a.b[0]", path=(key,)
                ) from None
    for key, must in known.items():
        if must and key not in given:
            raise FieldError(
                "missing", expected=f"the parameter {key} of {name}", code="missing", path=(key,)
            )
    return given
