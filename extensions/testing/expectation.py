"""An Expectation says what a flow is to answer: conditions, or a golden file."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import PurePath
from typing import Any, ClassVar, Self

from heddle.extensions.extension import Build, Expression, FieldError, FieldType, Payload, Program
from heddle.extensions.testing.explanation import unmet
from heddle.extensions.testing.golden import GoldenFile, golden_of
from heddle.schemas.data_type import describe_type
from heddle.schemas.suggestion import did_you_mean

_KEYS = ("golden", "ignore")


class Expectation(FieldType):
    """Conditions that must all hold for the answer, or the file that it must be equal to.

    Written as one condition, as a list of them, or as `{golden: FILE, ignore: [POINTER…]}`.
    """

    __slots__ = ("conditions", "golden", "ignore", "single")

    expected: ClassVar[str] = "a condition, a list of conditions, or a mapping with golden"
    json_schema: ClassVar[Mapping[str, Any]] = {
        "anyOf": [
            Expression.json_schema,
            {"type": "array", "items": Expression.json_schema, "minItems": 1},
            {
                "type": "object",
                "properties": {
                    "golden": {
                        "type": "string",
                        "minLength": 1,
                        "description": "The JSON file with the answer, in the folder `golden` beside the file of "
                        "the test; `heddle test --update` writes it.",
                    },
                    "ignore": {
                        "type": "array",
                        "items": {"type": "string", "pattern": "^/"},
                        "description": "What differs each time, by JSON Pointer; `*` is every member.",
                    },
                },
                "required": ["golden"],
                "additionalProperties": False,
            },
        ]
    }

    def __init__(
        self,
        conditions: Sequence[Expression] = (),
        golden: str = "",
        ignore: Sequence[str] = (),
        *,
        single: bool = False,
    ) -> None:
        self.conditions = tuple(conditions)
        self.golden = golden
        self.ignore = tuple(ignore)
        self.single = single

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the expectation written; FieldError names the very key or item that is wrong."""
        if isinstance(value, list):
            if not value:
                raise FieldError("an empty list", expected=cls.expected, code="value")
            return cls([_condition(each, number) for number, each in enumerate(value)])
        if not isinstance(value, Mapping) or "code" in value:
            if value is None:
                raise FieldError(describe_type(value), expected=cls.expected, code="type")
            return cls([Expression.read(value)], single=True)
        for key in value:
            if key not in _KEYS:
                raise FieldError(
                    "unknown field",
                    expected="golden and ignore",
                    hint=did_you_mean(str(key), _KEYS),
                    code="unknown-field",
                    path=(str(key),),
                )
        golden, ignore = value.get("golden"), value.get("ignore", [])
        if not isinstance(golden, str) or not golden:
            actual = "missing" if "golden" not in value else describe_type(golden)
            raise FieldError(actual, expected="the path of a file", code="type", path=("golden",))
        if PurePath(golden).is_absolute() or ".." in PurePath(golden).parts:
            raise FieldError(
                repr(golden), expected="a path below `golden`", code="value", path=("golden",)
            )
        if not isinstance(ignore, list):
            raise FieldError(
                describe_type(ignore),
                expected="a list of JSON Pointers",
                code="type",
                path=("ignore",),
            )
        for number, each in enumerate(ignore):
            if not isinstance(each, str) or not each.startswith("/"):
                raise FieldError(
                    repr(each),
                    expected="a JSON Pointer, such as /items/0/id",
                    code="value",
                    path=("ignore", number),
                )
        return cls((), golden, ignore)

    def written(self) -> Any:
        """Return the plain data that `read` takes back."""
        if self.golden:
            return {"golden": self.golden, **({"ignore": [*self.ignore]} if self.ignore else {})}
        texts = [condition.written() for condition in self.conditions]
        return texts[0] if self.single else texts

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expectation) and self.written() == other.written()

    def __hash__(self) -> int:
        return hash((self.conditions, self.golden, self.ignore))


def _condition(value: Any, number: int) -> Expression:
    try:
        return Expression.read(value)
    except FieldError as error:
        raise FieldError(
            error.found,
            expected=error.expected,
            hint=error.hint,
            code=error.code,
            path=(number, *error.path),
        ) from None


class Check:
    """Finds out whether an answer is as an Expectation says."""

    def __init__(
        self, conditions: "Sequence[ExpectedCondition]", golden: GoldenFile | None
    ) -> None:
        self._conditions = conditions
        self._golden = golden

    def mistake(self, answer: Payload, *, update: bool = False) -> str:
        """Return what is not as expected; "" if all of it is. `update` writes the golden file instead."""
        if self._golden is not None:
            return self._golden.mistake(answer, update=update)
        for condition in self._conditions:
            mistake = condition.mistake(answer)
            if mistake:
                return mistake
        return ""


class ExpectedCondition:
    """One condition, and what explains why it does not hold."""

    def __init__(self, code: str, program: Program, compile: Any) -> None:  # noqa: A002
        self._code = code
        self._program = program
        self._compile = compile

    def mistake(self, answer: Payload) -> str:
        """Return why it does not hold for this answer; "" if it does."""
        return unmet(self._code, self._program, answer, self._compile)


def compile_check(expectation: Expectation, build: Build) -> Check:
    """Compile the conditions, and find the golden file beside the file of the Spec."""
    if expectation.golden:
        return Check((), golden_of(expectation.golden, expectation.ignore, build.spec.place().file))
    conditions: list[ExpectedCondition] = []
    for number, each in enumerate(expectation.conditions):
        path = ("expect",) if expectation.single else ("expect", number)
        conditions.append(compile_condition(each, build, *path))
    return Check(conditions, None)


def compile_condition(expression: Expression, build: Build, *path: str | int) -> ExpectedCondition:
    """Compile one condition; its parts too, if it has to be explained."""
    program = build.condition(expression, *path)

    @cache
    def compile(code: str) -> Program:  # noqa: A001 - the word of the contract
        return build.program(Expression(code, expression.language), *path)

    return ExpectedCondition(expression.code, program, compile)
