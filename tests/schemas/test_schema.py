"""A wrong declaration is rejected at once, and a Schema knows its ports."""

import re
from typing import Annotated, Any

import msgspec
import pytest

from heddle.schemas.common import Target
from heddle.schemas.field import Fields, about
from heddle.schemas.port import IN, LIFECYCLE, Port
from heddle.schemas.schema import Schema, groups_of
from heddle.schemas.shape import fields_of
from heddle.schemas.units import Duration
from tests.schemas.kinds import (
    BLOCK,
    LISTENER,
    ROUTER,
    Batch,
    Block,
    Clock,
    Router,
    Tree,
    Window,
)


class Nothing(Fields):
    pass


def declare(fields: type[msgspec.Struct], kind: str = "thing") -> Schema[Any]:
    return Schema(kind=kind, fields=fields, summary="A thing.")


def test_fields_are_frozen_strict_and_take_keywords() -> None:
    router = Router(routes=[])
    with pytest.raises(AttributeError):
        router.routes = []  # type: ignore[misc]
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"x": 1}, Router)


def test_a_required_field_may_follow_an_optional_one() -> None:
    class Late(Fields):
        a: int = 1
        b: str

    assert [field.required for field in fields_of(Late)] == [False, True]


@pytest.mark.parametrize("kind", ["", "1st", "a b", "a\n", "{{x}}"])
def test_a_kind_needs_a_name_that_can_be_written(kind: str) -> None:
    with pytest.raises(TypeError, match="not a name for a kind"):
        declare(Nothing, kind)


def test_a_struct_that_passes_unknown_fields_is_rejected() -> None:
    class Loose(msgspec.Struct):
        x: int = 0

    class Outer(Fields):
        inner: dict[str, list[Loose]]

    with pytest.raises(TypeError, match=r'kind "thing": Loose would pass unknown fields'):
        declare(Outer)


def test_a_field_may_not_take_a_common_name() -> None:
    class Shadow(Fields):
        ports: int = 0

    with pytest.raises(TypeError, match='"ports" is common to all kinds'):
        declare(Shadow)


def test_a_type_that_nobody_can_read_is_rejected() -> None:
    class Strange:
        pass

    class Outer(Fields):
        x: Strange | None = None

    with pytest.raises(TypeError, match="Strange is not a type for a field"):
        declare(Outer)


def test_number_limits_on_a_duration_are_rejected_with_way_to_write_them() -> None:
    class Outer(Fields):
        wait: Annotated[Duration, about("How long.", gt=0)]

    with pytest.raises(TypeError, match=re.escape('kind "thing": wait: the limits of a Duration')):
        declare(Outer)


def test_every_nested_mapping_is_found_once() -> None:
    assert list(groups_of(Batch)) == [Batch, Window, Clock, Tree]
    assert list(groups_of(Block)) == [Block, Target]


def test_a_schema_knows_its_ports() -> None:
    assert ROUTER.has_in("in")
    assert not ROUTER.has_in("in[0]")
    assert ROUTER.has_out("out[3]")
    assert ROUTER.has_out("out")
    assert not ROUTER.has_out("oops")
    assert not LISTENER.has_in("in")
    assert LISTENER.ports_of() == (LISTENER.ins, LISTENER.outs)


def test_every_kind_has_the_lifecycle_ports() -> None:
    assert [port.name for port in LIFECYCLE] == ["init", "active", "deactive", "deinit"]
    assert all(declare(Nothing).has_out(port.name) for port in LIFECYCLE)


def test_ports_may_depend_on_what_was_written() -> None:
    fields = Block(inbounds={"jobs": [Target(name="first")]})
    assert BLOCK.has_in("jobs", fields)
    assert not BLOCK.has_in("in", fields)
    assert not BLOCK.has_in("jobs")
    assert BLOCK.has_out("error", fields)


def test_ports_are_written_as_people_read_them() -> None:
    assert str(IN) == "in"
    assert str(Port("out", indexed=True)) == "out[i]"
