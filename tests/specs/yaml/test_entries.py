"""Fields, items and entries come and go in texts of every style; comments and lines of others stay."""

import difflib
import random
from typing import Any

import msgspec
import pytest

from heddle.specs.model.index import key_of
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource
from heddle.specs.stores.contract_story import spec
from heddle.specs.yaml.document import read_text
from heddle.specs.yaml.rewrite import Edit, pinned, rewrite
from tests.specs.yaml.styles import JSON, YAML
from tests.specs.yaml.test_round_trip import entries_of

STYLES = [*((text, False) for text in YAML.values()), *((text, True) for text in JSON.values())]
IDS = [*(f"yaml {name}" for name in YAML), *(f"json {name}" for name in JSON)]
NEW: list[Any] = [1, "two words", {"a": {"b": "c"}}, ["x", {"y": "z"}], "a\nb\n", None, [], {}]


def written(text: str, *edits: Edit, is_json: bool = False) -> str:
    """Return the text after the edits; it says what it should."""
    entries = entries_of(text)
    wanted = {key_of(each): each for each in entries}
    for edit in edits:
        if edit.old is not None:
            del wanted[key_of(edit.old)]
        if edit.new is not None:
            wanted[key_of(edit.new)] = edit.new

    def says_so(candidate: str) -> bool:
        reading = read_text(candidate, file="f.yaml")
        said = {key_of(each): each for each in (*reading.specs, *reading.values)}
        return not reading.problems and said == wanted

    result = rewrite(
        text, pinned(edits, entries), check=says_so, namespace="default", is_json=is_json
    )
    assert result is not None
    return result


def with_fields(one: Resource, **fields: Any) -> Edit:
    assert isinstance(one, Spec)
    return Edit(one, msgspec.structs.replace(one, fields={**one.fields, **fields}))


def lost(text: str, result: str) -> list[str]:
    """Return the lines that are gone, but for a comma or a bracket at their end."""
    old, new = (
        [line.strip().rstrip(",[]{} ") for line in each.splitlines()] for each in (text, result)
    )
    return [line[2:] for line in difflib.ndiff(old, new) if line.startswith("- ")]


def comments(text: str) -> list[str]:
    return [line.partition("#")[2].strip() for line in text.splitlines() if "#" in line]


@pytest.mark.parametrize(("text", "is_json"), STYLES, ids=IDS)
@pytest.mark.parametrize("data", NEW, ids=repr)
def test_a_new_field_takes_nothing_away(text: str, is_json: bool, data: Any) -> None:
    for entry in entries_of(text):
        if isinstance(entry, Spec):
            result = written(text, with_fields(entry, fresh=data), is_json=is_json)
            # An entry on one line is another line afterwards.
            assert len(lost(text, result)) <= 1


@pytest.mark.parametrize(("text", "is_json"), STYLES, ids=IDS)
def test_a_field_that_goes_takes_only_its_own_lines(text: str, is_json: bool) -> None:
    if "&" in text or "1E400" in text:
        pytest.skip("what others lead to is written where they stand; JSON has no infinity")
    chance = random.Random(0)
    for entry in entries_of(text):
        if not isinstance(entry, Spec) or not entry.fields:
            continue
        gone = chance.choice(list(entry.fields))
        fields = {key: data for key, data in entry.fields.items() if key != gone}
        edit = Edit(entry, msgspec.structs.replace(entry, fields=fields))
        result = written(text, edit, is_json=is_json)
        again = next(each for each in entries_of(result) if each.id == entry.id)
        back = written(result, with_fields(again, **{gone: entry.fields[gone]}), is_json=is_json)
        assert {key_of(each): each for each in entries_of(back)} == {
            key_of(each): each for each in entries_of(text)
        }


@pytest.mark.parametrize(("text", "is_json"), STYLES, ids=IDS)
def test_entries_come_and_go_in_every_style(text: str, is_json: bool) -> None:
    fresh = spec("fresh", fields={"x": {"y": [1, {"a": "b"}]}, "t": "a\nb\n"})
    result = written(text, Edit(None, fresh), is_json=is_json)
    if "one entry" not in text and not text.startswith("{"):
        assert comments(text) == comments(result)[: len(comments(text))]
    for entry in entries_of(text):
        written(text, Edit(entry, None), is_json=is_json)
    written(text, *(Edit(each, None) for each in entries_of(text)), is_json=is_json)


@pytest.mark.parametrize(
    ("text", "data", "after"),
    [
        # A comment that stands far in would become part of a block.
        (
            "kind: nop\nx: 1\n    # far in\ny: 1\n",
            "a\nb\n",
            "kind: nop\nx: ''\n    # far in\ny: 1\n",
        ),
        ("- kind: nop\n  x: 1   # one\n", True, "- kind: nop\n  x: true   # one\n"),
        ("kind: nop\nx:   # why\ny: 2\n", 1, "kind: nop\nx: 1   # why\ny: 2\n"),
        ("kind: nop\nx:   # why\n  a: 1\ny: 2\n", 1, "kind: nop\nx: 1   # why\ny: 2\n"),
        ("kind: nop\nx: 1   # why\ny: 2\n", {"a": 1}, "kind: nop\nx:   # why\n  a: 1\ny: 2\n"),
        ("kind: nop\nx: |  # why\n  a\ny: 2\n", 1, "kind: nop\nx: 1  # why\ny: 2\n"),
        ("kind: nop\nx: &a 1\ny: 2\n", 3, "kind: nop\nx: &a 3\ny: 2\n"),
        ("kind: nop\nx: 'a'\ny: 2\n", "it's", "kind: nop\nx: 'it''s'\ny: 2\n"),
        ("{kind: nop, x: /a/:id}\n", "/b/:id", "{kind: nop, x: /b/:id}\n"),
    ],
)
def test_what_stands_beside_a_value_stays(text: str, data: Any, after: str) -> None:
    (one,) = entries_of(text)
    result = written(text, with_fields(one, x=data))
    if "far in" in text:
        after = after.replace("''", '"a\\nb\\n"')
    assert result == after


def test_who_leads_to_what_changes_keeps_what_it_had() -> None:
    text = (
        "- kind: nop\n  name: a\n  x: &x {deep: 1}   # mine\n"
        "- kind: nop\n  name: b\n  x: *x   # theirs\n  y: 1   # y\n"
        "- kind: nop\n  name: c\n  <<: {z: 1}\n  x: *x\n"
    )
    one = entries_of(text)[0]
    assert written(text, with_fields(one, x={"deep": 2})) == text.replace(
        "deep: 1", "deep: 2"
    ).replace("*x", "{deep: 1}")
