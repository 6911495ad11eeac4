"""A type hint has a schema, and plain data become what the hint asks for."""

import dataclasses
import datetime
import enum
import typing
from typing import Any

import msgspec
import pytest

from heddle.schemas.types.comparison import compare_types
from heddle.schemas.types.fit import Fit
from heddle.schemas.types.hints import (
    build_value,
    fields_of_hint,
    is_plain,
    plain_value,
    schema_of,
)
from heddle.schemas.types.type_words import describe_schema


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Paint(msgspec.Struct):
    colour: Colour
    litres: typing.Annotated[float, msgspec.Meta(ge=0, description="What is in the can.")] = 1.0


@dataclasses.dataclass
class Wall:
    width: float
    height: float = 2.5


class House(typing.TypedDict):
    walls: list[Wall]
    built: datetime.date


class Scene(typing.TypedDict):
    name: str
    steps: list[int]


class Handle:
    """A class that msgspec does not know."""


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (int, "integer"),
        (typing.Annotated[int, msgspec.Meta(ge=1, le=9)], "integer from 1 to 9"),
        (list[Paint], "array of Paint"),
        (dict[str, float], "object of number"),
        (int | None, "integer or null"),
        (typing.Literal["a", "b"], '"a" or "b"'),
        (tuple[int, str], "array of integer and string"),
        (Any, "any"),
        (Handle, "Handle"),
        (bytes, "bytes"),
        (typing.Iterator[int], "array of integer"),
        (House, "House"),
        (None, "null"),
    ],
)
def test_a_type_has_a_name_for_people(hint: Any, words: str) -> None:
    assert describe_schema(schema_of(hint)) == words


@pytest.mark.parametrize(
    "value",
    [
        Paint(Colour.RED, 2.0),
        Wall(1.0),
        {"walls": [Wall(1.0, 2.0)], "built": datetime.date(2026, 11, 30)},
    ],
)
def test_a_value_survives_the_way_to_plain_data_and_back(value: Any) -> None:
    hint = House if isinstance(value, dict) else type(value)
    assert not is_plain(hint)
    written = plain_value(value)
    assert msgspec.json.decode(msgspec.json.encode(written)) == written
    assert build_value(written, hint) == value


@pytest.mark.parametrize(
    "hint", [int, str, list[int], dict[str, list[Any]], Any, Scene, int | None, Handle]
)
def test_payloads_are_given_to_a_function_as_they_are(hint: Any) -> None:
    assert is_plain(hint)


def test_what_a_function_returns_has_fields_of_its_class_and_no_others() -> None:
    wants = schema_of(typing.TypedDict("Wants", {"price": float}))
    assert compare_types(schema_of(Wall), wants) is Fit.UNKNOWN
    assert compare_types(schema_of(Wall, closed=True), wants) is Fit.UNFIT
    assert schema_of(Wall) is not schema_of(Wall, closed=True)
    assert "additionalProperties" not in schema_of(Wall)["$defs"]["Wall"]


def test_a_value_that_does_not_fit_is_rejected_with_its_path() -> None:
    with pytest.raises(
        msgspec.ValidationError, match=r"Expected `float`, got `str` - at `\$\[0\].width`"
    ):
        build_value([{"width": "x"}], list[Wall])
    with pytest.raises(msgspec.ValidationError, match="Expected `Handle`"):
        build_value(5, Handle)


def test_what_cannot_be_written_as_data_names_its_type() -> None:
    with pytest.raises(TypeError, match="Handle cannot be written as plain data"):
        plain_value([Handle()])


def test_fields_are_those_of_classes_with_names() -> None:
    assert fields_of_hint(Paint) == ("colour", "litres")
    assert fields_of_hint(Wall) == ("width", "height")
    assert fields_of_hint(House) == ("walls", "built")
    assert fields_of_hint(dict) is None
    assert fields_of_hint(Paint | None) is None


def test_models_of_pydantic_are_types_too() -> None:
    pydantic = pytest.importorskip("pydantic")
    inner = pydantic.create_model("Inner", x=(int, ...))
    model = pydantic.create_model("Outer", inner=(inner, ...), note=(str, "none"))
    assert fields_of_hint(model) == ("inner", "note")
    schema = schema_of(list[model])
    assert describe_schema(schema) == "array of Outer"
    assert (
        compare_types({"type": "array", "items": {"const": {"inner": 3}}, "minItems": 1}, schema)
        is Fit.UNFIT
    )
    built = build_value([{"inner": {"x": 1}}], list[model])
    assert built == [model(inner=inner(x=1))]
    assert plain_value(built) == [{"inner": {"x": 1}, "note": "none"}]
    with pytest.raises(msgspec.ValidationError, match=r"inner\.x"):
        build_value([{"inner": {"x": "one"}}], list[model])
