"""Fields that hold text or code: a bare number or `true` counts as its text there."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from heddle.schemas.data_type import describe_type
from heddle.schemas.field import FieldError, FieldType
from heddle.schemas.suggestion import did_you_mean

_SCALAR = ["string", "number", "boolean"]


class Text(str, FieldType):
    """Text; a bare number or `true` is taken as it stands (`X-Retries: 3` is the text `3`)."""

    __slots__ = ()

    expected: ClassVar[str] = "text"
    json_schema: ClassVar[Mapping[str, Any]] = {"type": _SCALAR}

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the text written; FieldError for null, lists and mappings."""
        if isinstance(value, str):
            return cls(value)
        if isinstance(value, bool):
            return cls("true" if value else "false")
        if isinstance(value, int | float):
            return cls(value)
        hint = "Write it as text: in quotes, or as a block after |." if value is not None else ""
        raise FieldError(describe_type(value), expected=cls.expected, hint=hint, code="type")


class Code(Text):
    """Program text in the language that another field names; `code: 42` is the text `42`."""

    __slots__ = ()

    expected: ClassVar[str] = "code, as text"


class LanguageName(str, FieldType):
    """The name of a language: `cel`, `javascript`, `json`; whether it is known is seen at compile."""

    __slots__ = ()

    expected: ClassVar[str] = "the name of a language"
    json_schema: ClassVar[Mapping[str, Any]] = {"type": "string", "minLength": 1}

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the name written; FieldError if it is not text, or empty."""
        if not isinstance(value, str) or not value:
            raise FieldError(describe_type(value), expected=cls.expected, code="type")
        return cls(value)


class Expression(FieldType):
    """A condition or a computation over the packet, with the language it is written in.

    Written as plain text (`when: self.count > 3`, in the runtime's default language, for which
    `language` is None) or as `{language: javascript, code: …}`.
    """

    __slots__ = ("code", "language")

    expected: ClassVar[str] = "an expression as text, or a mapping with language and code"
    json_schema: ClassVar[Mapping[str, Any]] = {
        "anyOf": [
            {"type": _SCALAR},
            {
                "type": "object",
                "properties": {
                    "language": {"type": "string", "description": "The language of the code."},
                    "code": {"type": _SCALAR, "description": "The expression."},
                },
                "required": ["code"],
                "additionalProperties": False,
            },
        ]
    }

    def __init__(self, code: str, language: str | None = None) -> None:
        self.code = code
        self.language = language

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the expression written; FieldError names the very key of a mapping that is wrong."""
        if isinstance(value, str):
            return cls(value)
        if not isinstance(value, Mapping):
            try:
                return cls(str(Text.read(value)))
            except FieldError:
                raise FieldError(describe_type(value), expected=cls.expected, code="type") from None
        for key in value:
            if key not in ("language", "code"):
                hint = did_you_mean(str(key), ("language", "code"))
                raise FieldError(
                    "unknown field",
                    expected="code or language",
                    hint=hint,
                    code="unknown-field",
                    path=(str(key),),
                )
        if "code" not in value:
            raise FieldError("missing", expected=Code.expected, code="missing", path=("code",))
        language = value.get("language")
        return cls(
            str(_part(Code, value["code"], "code")),
            None if language is None else str(_part(LanguageName, language, "language")),
        )

    def written(self) -> Any:
        """Plain text in the default language, a mapping otherwise."""
        return {"language": self.language, "code": self.code} if self.language else self.code

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Expression):
            return NotImplemented
        return (self.code, self.language) == (other.code, other.language)

    def __hash__(self) -> int:
        return hash((self.code, self.language))

    def __str__(self) -> str:
        return self.code

    def __repr__(self) -> str:
        return (
            f"Expression({self.code!r}, {self.language!r})"
            if self.language
            else f"Expression({self.code!r})"
        )


def _part(kind: type[Text] | type[LanguageName], value: Any, key: str) -> str:
    """Read one key of an expression's mapping, so that a rejection names the key."""
    try:
        return kind.read(value)
    except FieldError as invalid:
        raise FieldError(
            invalid.found,
            expected=invalid.expected,
            hint=invalid.hint,
            code=invalid.code,
            path=(key, *invalid.path),
        ) from None
