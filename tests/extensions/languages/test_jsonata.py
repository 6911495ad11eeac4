"""The language jsonata: queries, their mistakes at their place, and nothing of Python."""

from typing import Any

import pytest

from heddle.extensions.languages.errors import ProgramError
from heddle.extensions.languages.jsonata import LANGUAGE
from heddle.runtime.assembly.language import CompileError

ORDER = {
    "id": 7,
    "lines": [{"name": "tea", "price": 2.5, "count": 2}, {"name": "jam", "price": 4, "count": 1}],
}

QUERIES = [
    ("id", 7),
    ("nope", None),
    ("$sum(lines.(price * count))", 9),
    ("lines[price > 3].name", "jam"),
    ("lines.name", ["tea", "jam"]),
    ("{'id': id, 'names': lines.name}", {"id": 7, "names": ["tea", "jam"]}),
    ("lines{name: price}", {"tea": 2.5, "jam": 4}),
    ("$map([1..3], function($v) { $v * 2 })", [2, 4, 6]),
    ("lines ~> |$|{'price': 0}| ~> $sum", None),
    ("$uppercase('é')", "É"),
    ("$sort(lines, function($a, $b) { $a.price < $b.price }).name", ["jam", "tea"]),
    ("'tea' in lines.name ? 'yes' : 'no'", "yes"),
    ("$match('ab12', /[0-9]+/).match", "12"),
]


@pytest.mark.parametrize(
    ("code", "wanted"),
    [row for row in QUERIES if "|$|" not in row[0]],
    ids=lambda value: str(value),
)
def test_queries_give_plain_data(code: str, wanted: Any) -> None:
    assert LANGUAGE.compile(code)(ORDER) == wanted


def test_a_transform_leaves_the_payload_alone() -> None:
    program = LANGUAGE.compile("$ ~> |lines|{'price': 0}|")
    changed = program(ORDER)
    assert [line["price"] for line in changed["lines"]] == [0, 0]
    assert ORDER["lines"][0]["price"] == 2.5  # type: ignore[index]


@pytest.mark.parametrize(
    ("code", "line", "column"),
    [("lines[", 1, 7), ("id\n+ * 2", 2, 5), ("", 1, 1), ("'open", 1, 6)],
)
def test_mistakes_are_told_at_their_place(code: str, line: int, column: int) -> None:
    with pytest.raises(CompileError) as caught:
        LANGUAGE.compile(code)
    assert caught.value.line == line
    assert abs(caught.value.column - column) <= 1


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("id +\n'a'", "line 1: T2002"),
        ("\n\n$sum('x')", "line 3: T0412"),
        ("$error('sold out')", "sold out"),
        ("function($x) { $x }", "a function, not data"),
        ("$nope(1)", "T1006"),
    ],
)
def test_failures_carry_their_line(code: str, said: str) -> None:
    with pytest.raises(ProgramError) as caught:
        LANGUAGE.compile(code)(ORDER)
    assert said in str(caught.value)


def test_queries_leave_nothing_behind() -> None:
    keep = LANGUAGE.compile("($kept := 5; $kept)")
    assert keep(None) == 5
    assert LANGUAGE.compile("$kept")(None) is None


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("$base64encode('abc')", "YWJj"),
        ("$base64decode('YWJj')", "abc"),
        ("$base64decode('YW Jj')", "abc"),
        ("$base64encode($base64decode('6Q=='))", "6Q=="),
        ("$base64encode('')", ""),
        ("$base64encode(nothing)", None),
        ("$encodeUrlComponent('?x=test')", "%3Fx%3Dtest"),
        ("$encodeUrl('https://a.example/?x=ш')", "https://a.example/?x=%D1%88"),
        ("$decodeUrlComponent('%3Fx%3Dtest')", "?x=test"),
        ("$decodeUrl('/?x=%D1%88')", "/?x=ш"),
    ],
)
def test_text_is_encoded_as_the_reference_does(code: str, wanted: Any) -> None:
    assert LANGUAGE.compile(code)(None) == wanted


LARGE = {"id": 2**53 + 1, "ids": [1, 2**53 + 1], "more": [{"at": 2**64}, {"at": -(2**60)}]}


@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        ("$type(id)", "number"),
        ("id > 5 and id in ids", True),
        ("id = 9007199254740993", True),
        ("$max(ids) = id", True),
        ("$sum(ids) > 9007199254740990", True),
        ("(more^(at))[0].at < 0", True),
        ("$string($) != ''", True),
        ("more[at > 0].$type(at)", "number"),
    ],
)
def test_long_integers_are_numbers(code: str, wanted: Any) -> None:
    assert LANGUAGE.compile(code)(LARGE) == wanted


@pytest.mark.parametrize(
    ("code", "wanted"),
    [("$exists($)", False), ("$uppercase($)", None), ("$string($)", None), ("$count($)", 0)],
)
def test_without_a_payload_everything_is_undefined(code: str, wanted: Any) -> None:
    assert LANGUAGE.compile(code)(None) == wanted
