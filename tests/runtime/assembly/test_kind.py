"""A new kind in ten lines: a decorated function with typed fields."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import pytest

from heddle.runtime.assembly.codec import Kind
from heddle.runtime.assembly.kind import node
from heddle.runtime.flow.errors import NOTHING, Error, NodeError, Payload
from heddle.runtime.flow.stream import ByteStream
from heddle.runtime.runtime import Runtime
from heddle.schemas.field import about
from heddle.schemas.shape import fields_of
from heddle.schemas.units import Interval
from heddle.specs.stores.memory import MemoryStore
from tests.runtime.worlds import linked, registry_of

pytestmark = pytest.mark.anyio


@node("shout", summary="Says it louder.")
def shout(payload: str, *, times: Annotated[int, about("How many marks.", ge=1)] = 1) -> str:
    return payload.upper() + "!" * times


async def send(kind: Kind[Any], payload: Payload, **fields: Any) -> Any:
    """Return what a node of this kind with these fields answers."""
    specs = [linked(kind.name, "a", **fields)]
    async with Runtime(store=MemoryStore(specs), kinds=registry_of([kind]), watch=False) as rt:
        assert not rt.status().problems, [str(one) for one in rt.status().problems]
        return await rt.send("a", payload)


async def problems(kind: Kind[Any], **fields: Any) -> list[str]:
    specs = [linked(kind.name, "a", **fields)]
    async with Runtime(store=MemoryStore(specs), kinds=registry_of([kind]), watch=False) as rt:
        return [str(one) for one in rt.status().problems]


async def test_a_function_maps_each_payload() -> None:
    assert await send(shout, "hey") == "HEY!"
    assert await send(shout, "hey", times=3) == "HEY!!!"


def test_its_schema_says_what_its_signature_does() -> None:
    schema = shout.schema
    assert (shout.name, schema.kind, schema.summary) == ("shout", "shout", "Says it louder.")
    assert [str(port) for port in (*schema.ins, *schema.outs)] == ["in", "out", "error"]
    fields: Any = schema.fields
    (field,) = fields_of(fields)
    assert (field.name, field.required, field.default) == ("times", False, 1)
    assert field.help == "How many marks."


async def test_fields_are_checked_like_any_kinds() -> None:
    assert "times" in (await problems(shout, times=0))[0]
    (unknown,) = await problems(shout, tims=2)
    assert 'Did you mean "times"?' in unknown


async def test_a_field_without_a_default_must_be_written() -> None:
    @node("greet")
    def greet(payload: Any, *, whom: str) -> str:
        return f"{whom}, {payload}"

    assert "whom" in (await problems(greet))[0]
    assert await send(greet, "hi", whom="ada") == "ada, hi"


async def test_a_payload_of_another_type_is_the_nodes_own_failure() -> None:
    error = await send(shout, 7)
    assert isinstance(error, Error)
    assert "Expected `str`, got `int`" in error.message
    assert error.symbol == "a"


async def test_a_payload_is_converted_to_what_is_declared() -> None:
    @node("total")
    def total(payload: dict[str, float]) -> float:
        return sum(payload.values())

    assert await send(total, {"a": 1, "b": 2.5}) == 3.5


async def test_any_payload_passes_where_no_type_is_declared() -> None:
    @node("wrap")
    def wrap(payload):  # type: ignore[no-untyped-def]
        return [payload]

    error = Error("x")
    assert await send(wrap, error) == [error]


async def test_payloads_that_are_no_plain_data_can_be_declared_too() -> None:
    @node("size")
    async def size(payload: ByteStream) -> int:
        return len(await payload.read())

    @node("said")
    def said(payload: Error) -> str:
        return payload.message

    async def chunks() -> AsyncIterator[bytes]:
        yield b"abc"

    assert await send(size, ByteStream(chunks())) == 3
    assert isinstance(await send(size, "text"), Error)
    assert await send(said, Error("oops")) == "oops"


async def test_a_function_may_wait() -> None:
    moment = Interval("1ms")

    @node("slowly")
    async def slowly(payload: str, *, interval: Interval = moment) -> str:
        await asyncio.sleep(float(interval))
        return payload + "…"

    assert await send(slowly, "x") == "x…"
    assert isinstance(await send(slowly, 5), Error)


async def test_it_fails_as_it_likes() -> None:
    @node("refuse")
    def reject(payload: Any) -> Any:
        raise NodeError(Error("sold out", code="stock", data=payload))

    @node("silent")
    def silent(payload: Any) -> Any:
        return NOTHING

    assert await send(reject, 7) == Error("sold out", code="stock", data=7)
    assert await send(silent, 7) is NOTHING


async def test_defaults_are_not_shared_between_nodes() -> None:
    @node("gather")
    def gather(payload: Any, *, into: list[int] = []) -> list[int]:  # noqa: B006 - that is the story
        return [*into, payload]

    assert await send(gather, 1) == [1]
    assert await send(gather, 1, into=[5]) == [5, 1]


def test_the_summary_is_the_first_line_of_the_docstring() -> None:
    @node("told")
    def told(payload: Any) -> Any:
        """Tells it.

        And more.
        """
        return payload

    @node("untold")
    def untold(payload: Any) -> Any:
        return payload

    assert told.schema.summary == "Tells it."
    assert untold.schema.summary == "The node untold."


def no_payload() -> None: ...
def two_payloads(one: Any, two: Any) -> None: ...
def many(*payloads: Any) -> None: ...
def named(payload: Any, **fields: Any) -> None: ...
def untyped(payload, *, times=1): ...  # type: ignore[no-untyped-def]
def common(payload: Any, *, ports: int = 1) -> None: ...


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (no_payload, "one positional parameter, the payload, is wanted; 0 found"),
        (two_payloads, r".* 2 found. Write fields after a \*: def two_payloads\(payload, \*, …\)"),
        (many, r"\*args and \*\*kwargs cannot become fields"),
        (named, r"\*args and \*\*kwargs cannot become fields"),
        (untyped, 'the parameter "times" has no type'),
        (common, 'the field "ports" is common to all kinds'),
    ],
)
def test_what_cannot_become_a_kind_says_why(function: Any, said: str) -> None:
    with pytest.raises(TypeError, match=f'kind "x": {said}'):
        node("x")(function)


def test_a_name_that_is_none_is_rejected() -> None:
    with pytest.raises(TypeError, match='"no kind" is not a name for a kind'):
        node("no kind")(lambda payload: payload)


def test_a_generator_that_is_not_async_is_rejected() -> None:
    with pytest.raises(TypeError, match="write async def numbers, or return a list"):

        @node("numbers")
        def numbers(payload: Any) -> Any:
            yield payload
