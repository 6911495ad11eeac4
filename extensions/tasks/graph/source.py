"""An InputSource says where an input of a task, or an output of a workflow, takes its value from."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from heddle.extensions.extension import Expression, FieldError, FieldType
from heddle.extensions.tasks.graph.reference import Reference, ReferenceSyntaxError, parse_reference
from heddle.extensions.tasks.graph.transforms import Transform
from heddle.schemas.data_type import describe_type
from heddle.schemas.suggestion import did_you_mean

_KEYS = ("value", "from", "through", "broadcast", "language", "code")


class InputSource(FieldType):
    """A reference, `{value}`, `{from, through, broadcast}` or `{language, code}`.

    Exactly one of `reference`, `expression` and `has_value` is set. `through` are the transforms
    on the way. With `broadcast`, each item of a `for_each` receives the whole value.
    """

    __slots__ = ("broadcast", "expression", "has_value", "long", "reference", "through", "value")

    expected: ClassVar[str] = (
        "a reference such as load.rows or in.day, or one of {value}, {from} and {language, code}"
    )
    json_schema: ClassVar[Mapping[str, Any]] = {
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "properties": {"value": {}},
                "required": ["value"],
                "additionalProperties": False,
            },
            {
                "type": "object",
                "properties": {
                    "from": {"type": "string"},
                    "through": {"type": "array", "items": Transform.json_schema},
                    "broadcast": {"type": "boolean"},
                },
                "required": ["from"],
                "additionalProperties": False,
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
        reference: Reference | None = None,
        *,
        through: tuple[Transform, ...] = (),
        broadcast: bool = False,
        expression: Expression | None = None,
        value: Any = None,
        long: bool = False,
    ) -> None:
        """`long` tells that the reference stands under `from`."""
        self.reference = reference
        self.through = through
        self.broadcast = broadcast
        self.expression = expression
        self.has_value = reference is None and expression is None
        self.value = value
        self.long = long

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the source that is written; FieldError says what is wrong with it."""
        if isinstance(value, str):
            return cls(_reference(value, ()))
        if not isinstance(value, Mapping):
            hint = "Write {value: …} for a value that stands here."
            raise FieldError(describe_type(value), expected=cls.expected, hint=hint, code="type")
        for key in value:
            if key not in _KEYS:
                hint = did_you_mean(str(key), _KEYS)
                raise FieldError(
                    "unknown field",
                    expected="value, from or code",
                    hint=hint,
                    code="unknown-field",
                    path=(str(key),),
                )
        ways = [key for key in ("value", "from", "code") if key in value]
        if len(ways) != 1:
            actual = f"both {' and '.join(ways)}" if ways else "none of value, from and code"
            raise FieldError(actual, expected="exactly one of them", code="missing")
        if "from" not in value and (extra := [k for k in ("through", "broadcast") if k in value]):
            raise FieldError(f"{extra[0]} without from", expected="from", path=(extra[0],))
        if "value" in value:
            return cls(value=value["value"])
        if "code" in value:
            return cls(expression=Expression.read(value))
        return cls(
            _reference(value["from"], ("from",)),
            through=_transforms(value.get("through", ())),
            broadcast=_flag(value.get("broadcast", False)),
            long=True,
        )

    def written(self) -> Any:
        """Return the plain data that `read` takes."""
        if self.expression is not None:
            code = self.expression.code
            language = self.expression.language
            return {"language": language, "code": code} if language else {"code": code}
        if self.reference is None:
            return {"value": self.value}
        if not self.through and not self.broadcast:
            return {"from": str(self.reference)} if self.long else str(self.reference)
        data: dict[str, Any] = {"from": str(self.reference)}
        if self.through:
            data["through"] = [transform.written() for transform in self.through]
        if self.broadcast:
            data["broadcast"] = True
        return data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, InputSource) and self.written() == other.written()

    def __hash__(self) -> int:
        return hash(str(self.written()))

    def __repr__(self) -> str:
        return f"InputSource({self.written()!r})"


def _reference(value: Any, path: tuple[str | int, ...]) -> Reference:
    if not isinstance(value, str):
        raise FieldError(describe_type(value), expected="a reference such as load.rows", path=path)
    try:
        return parse_reference(value)
    except ReferenceSyntaxError as error:
        raise FieldError(
            str(error),
            expected="a reference such as load, load.rows[0] or in.day",
            hint="Write {value: …} for a text that stands here.",
            code="reference",
            path=path,
        ) from None


def _transforms(value: Any) -> tuple[Transform, ...]:
    items = value if isinstance(value, list | tuple) else [value]
    made = []
    for number, item in enumerate(items):
        try:
            made.append(Transform.read(item))
        except FieldError as invalid:
            raise FieldError(
                invalid.found,
                expected=invalid.expected,
                hint=invalid.hint,
                code=invalid.code,
                path=("through", number, *invalid.path),
            ) from None
    return tuple(made)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise FieldError(
            describe_type(value), expected="true or false", code="type", path=("broadcast",)
        )
    return value
