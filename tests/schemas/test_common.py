"""The declared common fields are the ones that documents really have."""

import jsonschema
import msgspec
import pytest

from heddle.schemas.common import Common, EnvEntry, Target, ValueFields
from heddle.schemas.common_fields import SPEC_FIELDS, VALUE_FIELDS
from heddle.schemas.export import file_schema
from heddle.schemas.field import read_field
from heddle.schemas.link import Link
from heddle.schemas.shape import fields_of
from heddle.specs.model.entry import spec_of, value_of
from heddle.specs.model.names import new_id


def names(group: type[msgspec.Struct]) -> set[str]:
    return {field.name for field in fields_of(group)}


def test_documents_and_the_declaration_know_the_same_fields() -> None:
    assert names(Common) == set(SPEC_FIELDS)
    assert names(ValueFields) == set(VALUE_FIELDS)


def test_what_fits_the_declaration_is_read_by_documents() -> None:
    entry = {
        "kind": "snippet",
        "name": "a",
        "id": str(new_id()),
        "annotations": {"team": 5},
        "env": {"A": {"data": 1}, "B": {"name": "b"}},
        "ports": {"out": [{"name": "b", "port": "in"}]},
    }
    common = msgspec.convert(entry, Common, strict=False, dec_hook=read_field)
    read, problems = spec_of(entry)
    assert problems == []
    assert read is not None
    assert common.id == read.id
    assert common.annotations == read.annotations
    assert tuple(target.link for target in common.ports["out"]) == read.ports["out"]  # pyright: ignore[reportAttributeAccessIssue] - read_field made a Target of it
    assert {key: bound.name for key, bound in common.env.items()} == {"A": None, "B": "b"}


def test_a_value_says_its_data_in_one_of_three_ways() -> None:
    check = jsonschema.Draft7Validator(file_schema([]))
    sealed = f"heddle:v1:{'a1' * 6}:{'b' * 40}"
    for way in ({"data": None}, {"sealed": sealed}, {"from": {"env": "A"}}):
        assert check.is_valid({"name": "a", **way})
        assert value_of({"name": "a", **way})[0] is not None
    for way in ({}, {"data": 1, "from": {"env": "A"}}, {"sealed": "hunter2"}, {"from": "A"}):
        assert not check.is_valid({"name": "a", **way})
        assert value_of({"name": "a", **way})[0] is None


def test_a_target_needs_a_name_or_an_id() -> None:
    assert Target(name="a").link == Link("a")
    with pytest.raises(ValueError, match="a link to nobody"):
        Target(port="in")


def test_a_binding_may_hold_any_data() -> None:
    assert EnvEntry(data={"a": [1]}).data == {"a": [1]}
