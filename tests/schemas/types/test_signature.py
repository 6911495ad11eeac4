"""A function is read as inputs and outputs; nothing of it is called."""

import functools
import typing
from typing import Annotated, Any

import msgspec
import pytest

from heddle.schemas.types.comparison import compare_types
from heddle.schemas.types.fit import Fit
from heddle.schemas.types.hints import schema_of
from heddle.schemas.types.parts import names_at, schema_at
from heddle.schemas.types.signature import SignatureError, read_signature, record_schema
from heddle.schemas.types.type_words import describe_schema


class Article(msgspec.Struct):
    net: float
    weight: Annotated[float, msgspec.Meta(description="In kilograms.")] = 0.0


def find(name: str, limit: int = 5, *, stock: "dict[str, int] | None" = None) -> Article:
    raise AssertionError("nothing is called")


def words(parts: "tuple[Any, ...]") -> dict[str, str]:
    return {part.name: describe_schema(part.schema) for part in parts}


def test_parameters_are_inputs_and_fields_of_the_answer_are_outputs() -> None:
    signature = read_signature(find)
    assert words(signature.inputs) == {
        "name": "string",
        "limit": "integer",
        "stock": "object of integer or null",
    }
    assert [each.required for each in signature.inputs] == [True, False, False]
    assert [each.default for each in signature.inputs] == [msgspec.UNSET, 5, None]
    assert words(signature.outputs) == {"net": "number", "weight": "number"}
    assert signature.outputs[1].help == "In kilograms."
    assert not signature.waits
    assert not signature.answer_plain


def test_any_other_answer_is_the_output_out() -> None:
    def count(rows: list[int]) -> int: ...  # type: ignore[empty-body]

    def log(text: str) -> None: ...

    def untyped(text): ...  # type: ignore[no-untyped-def]

    assert words(read_signature(count).outputs) == {"out": "integer"}
    assert words(read_signature(log).outputs) == {"out": "null"}
    assert words(read_signature(untyped).outputs) == {"out": "any"}
    assert words(read_signature(untyped).inputs) == {"text": "any"}


def test_functions_that_wait_or_stream_say_so() -> None:
    async def fetch(url: str) -> bytes: ...  # type: ignore[empty-body]

    def lines(text: str) -> typing.Iterator[str]:
        yield text

    async def pages(url: str) -> typing.AsyncIterator[Article]:
        yield Article(1.0)

    class Call:
        async def __call__(self, x: int) -> int: ...  # type: ignore[empty-body]

    assert [read_signature(each).waits for each in (fetch, lines, pages, Call())] == [
        True,
        False,
        True,
        True,
    ]
    streamed = read_signature(pages)
    assert streamed.streams
    assert words(streamed.outputs) == {"out": "array of Article"}
    assert streamed.outputs[0].stream == "append"
    assert words(read_signature(lines).outputs) == {"out": "array of string"}


def test_bound_and_partial_functions_have_the_inputs_that_are_left() -> None:
    class Shop:
        def sell(self, article: str, **more: int) -> float: ...  # type: ignore[empty-body]

    signature = read_signature(Shop().sell)
    assert words(signature.inputs) == {"article": "string"}
    assert signature.open
    partial = read_signature(functools.partial(find, limit=2))
    assert [each.name for each in partial.inputs if each.required] == ["name"]


def test_an_input_that_cannot_be_given_by_name_is_rejected() -> None:
    def first(x: int, /) -> int: ...  # type: ignore[empty-body]

    def several(*rows: int) -> int: ...  # type: ignore[empty-body]

    with pytest.raises(SignatureError, match='"x" cannot be'):
        read_signature(first)
    with pytest.raises(SignatureError, match='"rows" cannot be'):
        read_signature(several)


def test_parameters_that_get_their_value_elsewhere_are_no_inputs() -> None:
    marker = object()

    def work(x: int, client: Any = marker) -> int: ...  # type: ignore[empty-body]

    signature = read_signature(work, injected=lambda default: default is marker)
    assert words(signature.inputs) == {"x": "integer"}


def test_a_hint_that_cannot_be_evaluated_counts_as_any_and_says_why() -> None:
    def work(x: "Missing", y: "list[int]") -> "Article": ...  # type: ignore[name-defined, empty-body]  # noqa: F821

    signature = read_signature(work)
    assert words(signature.inputs) == {"x": "any", "y": "array of integer"}
    assert signature.unresolved == {"x": "NameError: name 'Missing' is not defined"}
    assert words(signature.outputs) == {"net": "number", "weight": "number"}


def test_a_hint_may_name_a_class_of_the_enclosing_function() -> None:
    class Local(msgspec.Struct):
        n: int

    def work(x: "Local") -> "list[Local]":
        return [Local(x.n)]

    signature = read_signature(work)
    assert words(signature.inputs) == {"x": "Local"}
    assert words(signature.outputs) == {"out": "array of Local"}
    assert not signature.unresolved


def test_a_path_leads_to_the_schema_of_a_part() -> None:
    def work() -> list[Article]: ...  # type: ignore[empty-body]

    answer = read_signature(work).answer
    assert describe_schema(schema_at(answer, (0, "net"))) == "number"
    assert schema_at(answer, (0, "price")) is None
    assert schema_at(answer, ("net",)) is None
    first = schema_at(answer, (0,))
    assert first is not None
    assert names_at(first) == ("net", "weight")
    assert schema_at({}, ("a", 3)) == {}
    assert names_at({"type": "object"}) is None
    assert schema_at({"const": {"a": [7]}}, ("a", 0)) == {"const": 7}
    assert describe_schema(schema_at(answer, (-1, "net"))) == "number"
    assert schema_at({"type": "array", "prefixItems": [{"type": "string"}]}, (-1,)) == {}
    assert schema_at({"const": [1, 2]}, (-1,)) == {"const": 2}
    assert schema_at({"const": [1, 2]}, (-3,)) is None


def test_a_record_has_the_inputs_that_must_be_given_and_no_others() -> None:
    def work(article: Article, limit: int = 3) -> int: ...  # type: ignore[empty-body]

    record = record_schema(read_signature(work).inputs)
    good = schema_of(typing.TypedDict("Good", {"article": Article}), closed=True)
    assert compare_types(good, record) is Fit.FITS
    for name in ("articles", "limit"):
        wrong = schema_of(typing.TypedDict("Wrong", {name: int}), closed=True)  # type: ignore[misc]
        assert compare_types(wrong, record) is Fit.UNFIT
    other = schema_of(typing.TypedDict("Other", {"article": Article, "more": int}), closed=True)
    assert compare_types(other, record) is Fit.UNFIT
    assert compare_types(other, record_schema(read_signature(work).inputs, open=True)) is Fit.FITS
