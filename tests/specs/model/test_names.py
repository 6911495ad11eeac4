"""Names, keys and ids."""

from uuid import UUID

import pytest

from heddle.specs.model.names import (
    anonymous_id,
    legal_key,
    legal_name,
    legal_namespace,
    named_id,
    new_id,
    parse_id,
)


@pytest.mark.parametrize(
    "name", ["a", "catch_error", "user list", "pong-2", "v1.2", "Größe", "$0", "a:b", "x" * 200]
)
def test_names_people_use_are_legal(name: str) -> None:
    assert legal_name(name)


@pytest.mark.parametrize(
    "name", ["", " a", "a ", "a/b", "a\n", "{{ .X }}", "a[0]", 'a"', "x" * 201, "-a"]
)
def test_names_that_would_be_mistaken_are_not(name: str) -> None:
    assert not legal_name(name)


def test_namespaces_may_have_parts_and_keys_are_words() -> None:
    assert legal_namespace("team/web")
    assert not legal_namespace("team web")
    assert legal_key("_PORT2")
    assert not legal_key("2PORT")


def test_new_ids_are_version_7_and_sort_by_time() -> None:
    ids = [new_id() for _ in range(100)]
    assert {(each.version, each.variant) for each in ids} == {(7, "specified in RFC 4122")}
    assert len(set(ids)) == 100
    assert [each.int >> 80 for each in ids] == sorted(each.int >> 80 for each in ids)


def test_derived_ids_never_change() -> None:
    # Stored ids depend on these: a change here would rename everybody's specs.
    assert named_id("spec", "default", "pong") == UUID("ede700a6-329c-5ccf-a642-8d343de0b72e")
    assert anonymous_id("spec", "default", "a.yaml", "nop[0]") != named_id(
        "spec", "default", "a.yaml"
    )
    assert named_id("spec", "default", "a") != named_id("value", "default", "a")


def test_only_whole_uuids_are_ids() -> None:
    text = "01890a5d-ac96-774b-bcce-b302099a8057"
    assert parse_id(text) == parse_id(text.replace("-", "")) == UUID(text)
    assert parse_id(f"{{{text}}}") is None
    assert parse_id("5") is None
