"""A Fields type declares what a kind's Spec may say: types, defaults, limits and help in one place.

    class Listener(Fields):
        port: Annotated[int, about("Port to listen on; 0 takes a free one.", ge=0, le=65535)]
        host: Annotated[str, about("Address to listen on.")] = "127.0.0.1"
        timeout: Annotated[Duration | None, about("Longest time for one request.")] = None

A field without a default must be written. Any type that msgspec knows will do, and so will every
FieldType: `Duration`, `Size`, `Text`, `Code`, `Expression`, or one of your own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, dataclass_transform

import msgspec

from heddle.schemas.path import Path


class _FieldsType(msgspec.StructMeta):
    """Makes every subclass of Fields frozen and strict, so that no author has to say so."""

    def __new__(
        mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **config: Any
    ) -> "_FieldsType":
        config = {"frozen": True, "kw_only": True, "forbid_unknown_fields": True, **config}
        return super().__new__(mcls, name, bases, namespace, **config)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Fields(msgspec.Struct, frozen=True, kw_only=True, metaclass=_FieldsType):
    """The base of every kind's fields, and of every mapping nested in them.

    Subclasses are frozen, are built by keyword, and take no unknown fields. A field whose name is
    no Python name is declared with `msgspec.field(name="from")`.

    What the types cannot say goes into `__post_init__`, which raises FieldError (or ValueError) once
    each field is right by itself.
    """


class FieldError(ValueError):
    """Raised when the value of a field does not fit; `path` leads from the field to the very spot inside it."""

    def __init__(
        self,
        actual: str,
        *,
        expected: str = "",
        hint: str = "",
        code: str = "",
        path: Path = (),
    ) -> None:
        super().__init__(f"{actual} (expected: {expected})" if expected else actual)
        self.found = actual
        self.expected = expected
        self.hint = hint
        self.code = code
        self.path = path


class FieldType:
    """A type of field that reads its own written form; subclass it beside `str`, `float` or nothing.

    `expected` says in a few words what may be written, `limited` the limits alone (`at most 1h`).
    `json_schema` is the JSON Schema of it, for
    editors. Such a type may be optional (`Duration | None`) and stand in lists and mappings, but in
    no other union.
    """

    __slots__ = ()

    expected: ClassVar[str] = "something else"
    limited: ClassVar[str] = ""
    json_schema: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the value that this plain data stands for; FieldError (or ValueError) if it is none."""
        raise NotImplementedError(f"{cls.__name__} has no read()")

    def written(self) -> Any:
        """Return the plain data that `read` takes back; its text, unless a type says otherwise."""
        return str(self)


def read_field(kind: type[FieldType], value: Any) -> FieldType:
    """Read a FieldType; this is the `dec_hook` of every decode."""
    return kind.read(value)


def about(
    help: str,  # noqa: A002 - the word that authors look for
    *,
    examples: Sequence[Any] = (),
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    pattern: str | None = None,
    min_length: int | None = None,
    max_length: int | None = None,
    unit: str = "",
) -> msgspec.Meta:
    """Return what people should know of a field, and the limits that hold for it; goes into `Annotated`.

    `help` is one or two sentences of Markdown. `unit` is shown beside plain numbers. Limits are for
    plain numbers, texts and lists; a FieldType has its own (`class Pause(Duration, le="1h")`).
    """
    data: dict[str, Any] = {
        "description": help,
        "examples": list(examples) or None,
        "ge": ge,
        "gt": gt,
        "le": le,
        "lt": lt,
        "pattern": pattern,
        "min_length": min_length,
        "max_length": max_length,
        "extra": {"unit": unit} if unit else None,
    }
    meta: msgspec.Meta = msgspec.Meta(**data)
    return meta


def written(value: Any) -> Any:
    """Return a field's value as plain data, as a person would write it: `Duration(90)` is `1m30s`."""
    if isinstance(value, FieldType):
        return value.written()
    if isinstance(value, msgspec.Struct):
        tag = value.__struct_config__
        shown = {} if tag.tag_field is None else {tag.tag_field: tag.tag}
        for info in msgspec.structs.fields(value):
            item = getattr(value, info.name)
            if item is not info.default:
                shown[info.encode_name] = written(item)
        return shown
    if isinstance(value, Mapping):
        return {str(key): written(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [written(item) for item in value]
    return msgspec.to_builtins(value)
