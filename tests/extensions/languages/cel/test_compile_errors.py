"""A text that cannot be compiled is rejected with its place, what was found and what to try."""

import pytest

from heddle.extensions.languages.cel.compiler import compile_program
from heddle.runtime.assembly.language import CompileError

# text, line, column, a part of the message, a part of the hint
REFUSED = [
    ("", 1, 1, "unexpected end of the text", ""),
    ("1 +", 1, 4, "unexpected end of the text", ""),
    ("1 +\n  * 2", 2, 3, 'unexpected "*"', ""),
    ("(1", 1, 3, 'expected: ")"', ""),
    ("1 2", 1, 3, 'unexpected "2"', ""),
    ("a and b", 1, 3, 'unexpected "and"', "&&"),
    ("not a", 1, 5, 'unexpected "a"', ""),
    ("a = 1", 1, 3, "unexpected character '='", "=="),
    ("a & b", 1, 3, "unexpected character", "&&"),
    ("a;", 1, 2, "unexpected character", "semicolons"),
    ("f(1,)", 1, 5, "expected: an argument", ""),
    ("{a}", 1, 3, 'expected: ":"', ""),
    ("a ? b", 1, 6, 'expected: ":"', ""),
    ("a.1", 1, 2, 'unexpected ".1"', ""),
    ("a.in", 1, 3, "the name of a field", ""),
    ("import", 1, 1, "reserved word", ""),
    ("if", 1, 1, "reserved word", "?"),
    ("'abc", 1, 1, "no closing", ""),
    ("'a\nb'", 1, 1, "no closing", ""),
    ("'''abc''", 1, 1, "no closing", ""),
    (r"'a\q'", 1, 3, "unknown escape", ""),
    (r"'\ud800'", 1, 2, "unknown escape", ""),
    (r"b'\u00e9'", 1, 3, "bytes have no Unicode escapes", ""),
    ("9223372036854775808", 1, 1, "too large for an int", ""),
    ("-9223372036854775809", 1, 2, "too large for an int", ""),
    ("18446744073709551616u", 1, 1, "too large for a uint", ""),
    ("9" * 5000, 1, 1, "too large for an int", ""),
    ("1x", 1, 1, "not a number", ""),
    ("0x", 1, 1, "not a number", ""),
    ("foo(1)", 1, 1, 'unknown function "foo"', ""),
    ("self.startWith('a')", 1, 6, 'unknown function "startWith"', "startsWith"),
    ("siz(self)", 1, 1, "unknown function", 'Did you mean "size"?'),
    ("size()", 1, 1, "wants 1 argument, not 0", ""),
    ("self.size(1)", 1, 6, "wants 0 arguments, not 1", ""),
    ("startsWith('a', 'b')", 1, 1, "not called that way", "x.startsWith()"),
    ("self.timestamp()", 1, 6, "not called that way", "timestamp(x)"),
    ("self.all(x)", 1, 6, "all() wants 2 or 3 arguments", ""),
    ("self.map(x, 1, 2, 3)", 1, 6, "map() wants 2 or 3 arguments", ""),
    ("self.all(1, true)", 1, 10, "wants a variable", "all(x"),
    ("self.all(a.b, true)", 1, 12, "wants a variable", ""),
    ("has(self)", 1, 1, "wants one field", "has(self.name)"),
    ("has(self['a'])", 1, 1, "wants one field", ""),
    ("Point{x: 1}", 1, 6, "unexpected", "map"),
    ("true &&\n  self.s.matches('(a')", 2, 18, "bad pattern", ""),
    ("s.matches('(?=a)')", 1, 11, "looking ahead", ""),
    ("s.matches(r'(a)\\1')", 1, 11, "backreferences", ""),
    ("1" + " " * 100_000, 1, 1, "characters long", ""),
    ("(" * 101 + "1" + ")" * 101, 1, 101, "nested more than 100 deep", ""),
]


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "hint"), REFUSED, ids=[row[0][:30] for row in REFUSED]
)
def test_rejection_names_place_and_remedy(
    text: str, line: int, column: int, message: str, hint: str
) -> None:
    with pytest.raises(CompileError) as caught:
        compile_program(text)
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert (caught.value.line, caught.value.column) == (line, column)


def test_rejection_counts_lines_of_every_ending() -> None:
    with pytest.raises(CompileError) as caught:
        compile_program("1 +\r\n2 +\r3 +\n$")
    assert (caught.value.line, caught.value.column) == (4, 1)
