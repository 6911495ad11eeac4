"""A check outlives the codec of a kind that breaks."""

from heddle.extensions.extension import Build, Extension, Fields, Kind, Node, Schema
from heddle.runtime.assembly.check import check_specs
from heddle.runtime.assembly.extension import registry
from heddle.specs.binding.bind import ValueSet
from heddle.specs.yaml.document import read_text


def compile_broken(fields: Fields, build: Build) -> Node:
    raise ZeroDivisionError("nobody thought of this")


def broken(extension: Extension) -> None:
    schema = Schema(kind="broken", fields=Fields, summary="Breaks.", category="control")
    extension.kind(Kind(schema, compile_broken))


def test_codec_that_breaks_is_problem_of_its_spec_and_hides_no_other() -> None:
    text = "- {kind: broken, name: it}\n- {kind: sleep, name: other, interval: no}\n"
    specs = read_text(text, file="flow.yaml").specs
    told = check_specs(specs, ValueSet([]), registry([broken]))
    assert [(one.code, one.path) for one in told.problems] == [
        ("codec", "it"),
        ("type", "other.interval"),
    ]
    assert told.problems[0].found == "its codec failed: ZeroDivisionError: nobody thought of this"
