"""A Value says its data in one of three ways; what is wrong with how it does is told at its line."""

from typing import Any

import pytest

from heddle.specs.model.difference import difference
from heddle.specs.model.entry import data_of, shown_of, value_of
from heddle.specs.model.mask import MASK
from heddle.specs.model.value import ValueSource
from heddle.specs.secrets.keyring import Keyring
from heddle.specs.secrets.seal import new_key
from heddle.specs.stores.contract_story import value
from heddle.specs.yaml.document import read_text

KEYS = Keyring.of(new_key())
SEALED = KEYS.seal(value("a", {"pw": "hunter2"}, secret=True))
EVERY = [
    value("a", {"pw": "hunter2"}),
    value("a", None, secret=True),
    value("a", [1, None], annotations={"team": "shop"}),
    SEALED,
    value("a", source=ValueSource(env="A")),
    value("a", source=ValueSource(file="/run/a", format="yaml"), secret=True),
    value("a", source=ValueSource(file="a b.txt", format="bytes")),
]


def wrong(text: str) -> list[tuple[str, str, str]]:
    """Code, path and line and column of each Problem."""
    reading = read_text(text, file="v.yaml", only="values")
    assert "hunter2" not in str(reading.problems)
    return [
        (each.code, each.path, f"{each.place.line}:{each.place.column}")
        for each in reading.problems
    ]


@pytest.mark.parametrize("one", EVERY, ids=range(len(EVERY)))
def test_every_way_is_written_and_read_again(one: Any) -> None:
    again, problems = value_of(data_of(one))
    assert problems == []
    assert again == one
    assert again is not None
    assert (again.sealed, again.source, again.secret) == (one.sealed, one.source, one.secret)


def test_each_way_makes_an_entry_a_value() -> None:
    entries = "\n".join(
        (
            "- {name: a, data: 1}",
            f"- {{name: b, sealed: '{SEALED.sealed}'}}",
            "- {name: c, from: {env: C}}",
            "- {kind: x, name: d, from: here, data: there}",
        )
    )
    reading = read_text(entries)
    assert [each.name for each in reading.values] == ["a", "b", "c"]
    assert [each.secret for each in reading.values] == [False, True, False]
    assert dict(reading.specs[0].fields) == {"from": "here", "data": "there"}


def test_what_it_says_is_part_of_what_it_is() -> None:
    assert len({repr(each) for each in EVERY}) == len(EVERY)
    for one in EVERY:
        assert [each for each in EVERY if each == one] == [one]


def test_one_way_and_no_more() -> None:
    assert wrong("name: a\ndata: hunter2\nfrom: {env: A}") == [("twice", "a.from", "3:1")]
    assert wrong("name: a\nsecret: true") == [("missing", "a", "1:1")]


def test_a_sealed_text_is_one_and_is_secret() -> None:
    assert wrong("name: a\nsealed: hunter2") == [("sealed", "a.sealed", "2:1")]
    assert wrong("name: a\nsealed: [hunter2]") == [("sealed", "a.sealed", "2:1")]
    text = f"name: a\nsealed: {SEALED.sealed}\nsecret: false"
    assert wrong(text) == [("sealed", "a.secret", "3:1")]


@pytest.mark.parametrize(
    ("said", "codes"),
    [
        ("PASSWORD", [("type", "a.from")]),
        ("{}", [("missing", "a.from")]),
        ("{env: A, file: b}", [("missing", "a.from")]),
        ("{env: ''}", [("type", "a.from.env")]),
        ("{env: 'A=B'}", [("type", "a.from.env")]),
        ("{env: 3}", [("type", "a.from.env")]),
        ("{file: [a]}", [("type", "a.from.file")]),
        ("{file: a, format: jason}", [("type", "a.from.format")]),
        ("{fiel: a}", [("missing", "a.from"), ("unknown-field", "a.from.fiel")]),
    ],
)
def test_a_source_is_one_variable_or_one_file(said: str, codes: list[tuple[str, str]]) -> None:
    found = wrong(f"name: a\nfrom: {said}")
    assert [(code, path) for code, path, _ in found] == codes
    assert {place.partition(":")[0] for _, _, place in found} == {"2"}


def test_the_nearest_format_is_named() -> None:
    reading = read_text("{name: a, from: {file: a, format: jason}}")
    assert reading.problems[0].hint == 'Did you mean "json"?'


def test_a_clear_secret_is_masked_and_others_are_shown() -> None:
    clear = value("a", {"pw": "hunter2", "more": [1]}, secret=True)
    assert shown_of(clear)["data"] == {"pw": MASK, "more": [MASK]}
    assert shown_of(SEALED) == data_of(SEALED)
    assert shown_of(EVERY[0]) == data_of(EVERY[0])
    assert "hunter2" not in f"{clear} {clear!r}"


def test_a_difference_of_secrets_says_that_they_differ_and_not_how() -> None:
    before = value("a", {"pw": "hunter2", "user": "ada"}, secret=True)
    after = value("a", {"pw": "hunter3", "user": "ada", "pin": 4711}, secret=True)
    found = difference(before, after)
    assert found.action == "updated"
    assert {each.at: (each.before, each.after) for each in found.details}["data.pw"] == (MASK, MASK)
    assert [each.at for each in found.details] == ["data.pw", "data.pin"]
    told = repr([(each.before, each.after) for each in found.details])
    assert "hunter" not in told
    assert "4711" not in told
    sealing = difference(before, KEYS.seal(before))
    assert [each.at for each in sealing.details] == ["data", "sealed"]
    assert "hunter" not in repr(sealing.details)
