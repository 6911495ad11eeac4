"""The exported JSON Schema passes what a decode takes, and flags what people get wrong."""

from typing import Annotated, Any

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings

from heddle.schemas.check import check
from heddle.schemas.export import file_schema, kind_schema, to_json
from heddle.schemas.field import Fields, about
from heddle.schemas.page import markdown
from heddle.schemas.path import dotted
from heddle.schemas.schema import Schema
from tests.schemas.kinds import ALL, BATCH, BLOCK, BY_KIND, LISTENER, ROUTER, SNIPPET, spec
from tests.schemas.test_check import GOOD, nearly_good

FILE = jsonschema.Draft7Validator(file_schema(ALL))


def accepts(document: Any) -> bool:
    return bool(FILE.is_valid(document))


def flagged(document: Any) -> str:
    """Return what an editor would say, all of it."""
    return "\n".join(f"{error.json_path}: {error.message}" for error in FILE.iter_errors(document))


def test_the_export_is_a_valid_schema() -> None:
    """Jsonschema raises what is wrong with a schema."""
    jsonschema.Draft7Validator.check_schema(file_schema(ALL))
    for schema in ALL:
        jsonschema.Draft7Validator.check_schema(kind_schema(schema))


def test_the_same_kinds_give_the_same_text() -> None:
    assert to_json(file_schema(ALL)) == to_json(file_schema(reversed(ALL)))
    assert to_json(file_schema(ALL)).endswith("}\n")


@pytest.mark.parametrize(("kind", "fields"), GOOD)
def test_good_specs_pass_alone_and_in_a_list(kind: str, fields: dict[str, Any]) -> None:
    document = {"kind": kind, "name": kind, **fields}
    assert accepts(document)
    assert accepts([document, document])
    assert jsonschema.Draft7Validator(kind_schema(BY_KIND[kind])).is_valid(document)


def test_whatever_is_written_loosely_passes_too() -> None:
    assert accepts({"kind": "listener", "protocol": "http", "port": "8000", "compress": "false"})
    assert accepts({"kind": "router", "routes": {"method": "GET", "path": "/"}})
    assert accepts({"kind": "snippet", "language": "text", "code": 42})
    assert accepts(
        {"kind": "switch", "matches": [{"when": True, "port": "out"}], "timeout": "1.5s"}
    )
    assert accepts(
        {"kind": "listener", "protocol": "http", "port": 1, "tls": None, "headers": {"a": 3}}
    )


def test_a_blank_may_stand_in_any_field() -> None:
    assert accepts(
        {
            "kind": "listener",
            "protocol": "{{ .PROTOCOL }}",
            "port": "{{ .PORT }}",
            "host": "{{ .HOST }}",
            "tls": "{{ .TLS }}",
            "timeout": "{{ .T }}ms",
            "body": "{{ .BODY }}",
            "headers": "{{ .HEADERS }}",
            "compress": "{{ .COMPRESS }}",
            "methods": "{{ .METHODS }}",
            "env": {"PORT": {"data": "{{ .PORT }}"}},
        }
    )
    assert accepts(
        {"kind": "router", "routes": [{"method": "{{ M }}", "path": "{{ P }}"}, "{{ R }}"]}
    )
    assert accepts(
        {"kind": "batch", "window": "{{ W }}", "ratio": "{{ R }}", "weights": {"a": "{{ A }}"}}
    )


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"kind": "ruter"}, "'ruter' is not one of"),
        ({"kind": "router", "rotes": []}, "'rotes' was unexpected"),
        ({"kind": "router"}, "'routes' is a required property"),
        ({"kind": "router", "routes": [{"metod": "GET"}]}, "'metod' was unexpected"),
        ({"kind": "router", "routes": []}, "[] should be non-empty"),
        (
            {"kind": "listener", "protocol": "http", "port": 70000},
            "70000 is greater than the maximum",
        ),
        ({"kind": "listener", "protocol": "http", "port": "x"}, "'x' does not match"),
        (
            {"kind": "snippet", "language": "text", "code": 1, "ports": {"out[1]": []}},
            "'out[1]' was unexpected",
        ),
        (
            {"kind": "snippet", "language": "text", "code": 1, "ports": {"out": {"nam": "x"}}},
            "'nam' was unexpected",
        ),
        ({"name": "x", "data": 1, "oops": 1}, "'oops' was unexpected"),
    ],
)
def test_mistakes_are_flagged_where_they_are(document: dict[str, Any], said: str) -> None:
    assert said in flagged(document)
    assert said in flagged([document])


def test_ports_are_offered_by_kind() -> None:
    ports = kind_schema(ROUTER)["properties"]["ports"]
    assert list(ports["properties"]) == ["out", "error", "init", "active", "deactive", "deinit"]
    assert list(ports["patternProperties"]) == [r"^out\[(0|[1-9][0-9]*)\]$"]
    assert accepts({"kind": "block", "ports": {"any": {"name": "x", "port": "in"}}})
    assert kind_schema(BLOCK)["properties"]["ports"]["additionalProperties"] is not False


def test_fields_show_their_help_default_and_examples() -> None:
    fields = kind_schema(LISTENER)["properties"]
    assert fields["port"]["description"] == "Port to listen on."
    assert fields["port"]["examples"] == [8000]
    assert fields["timeout"]["default"] == "30s"
    assert fields["body"]["default"] == "1MiB"
    assert fields["compress"]["default"] is True
    assert fields["kind"] == {"const": "listener", "description": "Serves requests."}
    assert (
        kind_schema(BATCH)["properties"]["ratio"]["description"] == "Share that is kept. (of one)"
    )
    assert "default" not in kind_schema(SNIPPET)["properties"]["code"]


def test_kinds_are_offered_with_their_summaries() -> None:
    kind = file_schema(ALL)["definitions"]["document"]["properties"]["kind"]
    assert (
        dict(zip(kind["enum"], kind["enumDescriptions"], strict=True))["router"] == ROUTER.summary
    )


def test_the_languages_that_there_are_can_be_offered() -> None:
    offered = jsonschema.Draft7Validator(file_schema(ALL, languages=["text", "cel"]))
    for language, right in (("text", True), ("{{ L }}", True), ("txt", False)):
        assert offered.is_valid({"kind": "snippet", "language": language, "code": ""}) is right
    case = {"when": {"language": "cl", "code": ""}, "port": "out"}
    assert not offered.is_valid({"kind": "switch", "matches": [case]})
    assert accepts({"kind": "switch", "matches": [case]})


def test_values_pass_beside_specs() -> None:
    assert accepts({"name": "db", "data": {"url": "x"}, "secret": True})
    assert accepts(
        [{"kind": "snippet", "language": "text", "code": "x"}, {"name": "db", "data": None}]
    )
    assert not accepts({"name": "db"})


@settings(max_examples=150, deadline=None)
@given(nearly_good())
def test_what_a_check_finds_no_fault_with_passes_in_the_editor(case: tuple[str, Any]) -> None:
    kind, fields = case
    if not check(spec(kind, **fields), BY_KIND[kind]):
        document = {"kind": kind, **fields}
        assert accepts(document), flagged(document)


@settings(max_examples=300, deadline=None)
@given(nearly_good())
def test_a_check_and_jsonschema_find_the_same(case: tuple[str, Any]) -> None:
    kind, fields = case
    problems = check(spec(kind, **fields), BY_KIND[kind])
    told = {problem.path for problem in problems}
    unknown = {problem.path for problem in problems if problem.code == "unknown-field"}
    found = places_of(jsonschema.Draft7Validator(kind_schema(BY_KIND[kind])), kind, fields)
    for place, missing in found.items():
        # A field under a wrong name is told once: as that name, not as missing, too.
        beside = missing and any(parent(one) == parent(place) for one in unknown)
        assert beside or any(within(one, place) for one in told), (place, told)
    for problem in problems:
        # A text may become what is wanted, or be a unit that only its own type can read.
        loose = problem.found.startswith("the text") or problem.code == "invalid"
        assert loose or any(within(problem.path, place) for place in found), (problem, found)


def within(path: str, place: str) -> bool:
    """Return whether a path is that place, or leads on from it."""
    return path == place or path.startswith((f"{place}.", f"{place}["))


def parent(path: str) -> str:
    """Return the mapping that a field stands in."""
    return path.rpartition(".")[0]


def places_of(
    validator: jsonschema.Draft7Validator, kind: str, fields: dict[str, Any]
) -> dict[str, bool]:
    """Return where jsonschema finds something wrong, and whether it is a field that is missing there."""
    places: dict[str, bool] = {}
    for error in validator.iter_errors({"kind": kind, **fields}):
        path = tuple(error.absolute_path)
        if error.validator == "required":
            for name in error.validator_value:
                if name not in error.instance:
                    places[dotted(kind, (*path, name))] = True
        elif error.validator == "additionalProperties" and error.validator_value is False:
            for name in error.instance.keys() - error.schema["properties"].keys():
                places[dotted(kind, (*path, name))] = False
        else:
            places[dotted(kind, path)] = False
    return places


class LeftOut(Fields):
    """A field that may be left out, and has no value then."""

    value: Annotated[Any, about("Anything, null too.")] = msgspec.UNSET


def test_a_field_whose_default_is_unset_may_be_left_out() -> None:
    schema = Schema(kind="optional", fields=LeftOut, summary="")
    assert jsonschema.Draft7Validator(kind_schema(schema)).is_valid({"kind": "optional"})
    assert "default" not in kind_schema(schema)["properties"]["value"]
    assert "must be written" not in markdown(schema)
