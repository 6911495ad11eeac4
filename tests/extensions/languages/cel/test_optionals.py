"""Optional values: parts that may not be there, without an error and without a test for each."""

import re
from typing import Any

import pytest

from heddle.extensions.languages.cel.compiler import compile_condition, compile_program
from heddle.extensions.languages.cel.errors import EvaluationError
from heddle.extensions.languages.cel.static_type import type_of
from heddle.runtime.assembly.language import CompileError

PAYLOAD: dict[str, Any] = {
    "user": {"name": "Ada", "nick": "", "tags": ["a", "b"], "none": None},
    "list": [1, 2],
    "n": 3,
    "k": "name",
}

GIVES = [
    ("user.?name.orValue('-')", "Ada"),
    ("user.?mail.orValue('-')", "-"),
    ("self.?user.address.street.orValue('-')", "-"),
    ("self.?user.?address.?street.hasValue()", False),
    ("user[?k].value()", "Ada"),
    ("list[?5].orValue(0) + list[?0].orValue(0)", 1),
    ("list[?n].orValue(n)", 3),
    ("user.?none.orValue('-')", None),
    ("user.?mail.or(user.?name).value()", "Ada"),
    ("user.?name.or(user.?mail.value()).value()", "Ada"),
    ("user.?name.orValue(1 / 0)", "Ada"),
    ("user.?name.optMap(name, name + '!').orValue('')", "Ada!"),
    ("user.?mail.optMap(mail, 1 / 0).orValue('')", ""),
    ("user.?tags.optFlatMap(tags, tags[?1]).orValue('')", "b"),
    ("optional.ofNonZeroValue(user.nick).orValue(user.name)", "Ada"),
    ("has(user.?name.first)", EvaluationError),
    ("has(self.?user.name) && !has(self.?nobody.name)", True),
    ("[?user.?name, ?user.?mail, 1]", ["Ada", 1]),
    ("{'a': 1, ?'name': user.?name, ?'mail': user.?mail}", {"a": 1, "name": "Ada"}),
    ("{?k: user.?name, 'more': [?list[?0]]}", {"name": "Ada", "more": [1]}),
    ("user.?name", "Ada"),
    ("user.?mail", None),
    ("[user.?name, user.?mail, optional.of([timestamp(0)])]",
     ["Ada", None, ["1970-01-01T00:00:00Z"]]),
    ("['a', 'x'].map(x, {'a': 1}[?x].orValue(0))", [1, 0]),
    ("[[1], []].map(x, x[?0])", [1, None]),
    ("[1, 2].map(x, [?optional.of(x)])", [[1], [2]]),
    ("user.?name == optional.of('Ada') && user.?mail == optional.none()", True),
    ("[user.?mail, user.?mail, user.?name].distinct().size()", 2),
    ("optional.none() in [user.?mail]", True),
    ("json({'a': user.?name, 'b': user.?mail})", '{"a":"Ada","b":null}'),
    ("string(type(user.?name))", "optional_type"),
    ("n > 2 ? list[?n].orValue(9) : 0", 9),
    ("n > 5 ? .5 : 1", 1),
    ("cel.bind(mail, user.?mail, mail.hasValue() ? mail.value() : 'none')", "none"),
    ("user.?mail.value()", EvaluationError),
    ("user.name.?first", EvaluationError),
    ("user.name.orValue('')", EvaluationError),
    ("user.?mail.or('x')", EvaluationError),
    ("user.?name.optFlatMap(name, name)", EvaluationError),
    ("[?1]", EvaluationError),
    ("{?'a': 1}", EvaluationError),
    ("{'a': 1, ?'a': optional.of(2)}", EvaluationError),
    ("list[?'a']", EvaluationError),
    ("user.?mail + 1", EvaluationError),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), GIVES, ids=[text for text, _ in GIVES])
def test_an_optional_value_gives(text: str, expected: Any) -> None:
    if expected is EvaluationError:
        for make in (compile_program, compile_condition):
            with pytest.raises(EvaluationError):
                make(text)(PAYLOAD)
        return
    assert compile_program(text)(PAYLOAD) == expected


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        ("has(a.?b)", 1, "one field"),
        ("a.?b(1)", 5, 'unexpected "("'),
        ("f(?a)", 3, 'unexpected "?"'),
        ("a.?b.optMap(1, 2)", 13, "a variable first"),
        ("a.?b.orValue()", 6, "wants 1 arguments"),
        ("a.?b.orVal(1)", 6, 'unknown function "orVal"'),
    ],
)
def test_a_mistake_is_found_while_compiling(text: str, column: int, said: str) -> None:
    with pytest.raises(CompileError, match=re.escape(said)) as caught:
        compile_program(text)
    assert caught.value.column == column


def test_a_value_that_is_not_optional_is_told_with_a_hint() -> None:
    with pytest.raises(EvaluationError, match=r"it is not optional.*a\.\?b\.orValue"):
        compile_program("user.name.orValue('')")(PAYLOAD)


def test_optional_parts_have_no_type_that_is_sure() -> None:
    assert type_of("[?self.?a, 1]") == {"type": "array"}
    assert type_of("{?'a': self.?a}") == {"type": "object"}
    assert type_of("self.?a.hasValue()") == {"type": "boolean"}


def test_optional_values_are_paid_for_by_what_they_hold() -> None:
    text = "v9"
    for level in range(9, 0, -1):
        made = ", ".join([f"optional.of(v{level - 1})"] * 10)
        text = f"cel.bind(v{level}, [{made}], {text})"
    with pytest.raises(EvaluationError, match="10,000,000"):
        compile_program(f"cel.bind(v0, [self], {text})")(PAYLOAD)
