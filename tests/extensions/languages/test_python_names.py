"""A name that Python code reads and nothing binds is a mistake; all other names are none."""

import pytest

from heddle.extensions.languages.python_names import undefined_name
from tests.cli.support import ran_json

UNDEFINED = [
    ("def main(p):\n  return foo(p)", "foo", 2, 10),
    ("x=[a for a in b]\ndef main(p): return 1", "b", 1, 15),
    ("class A:\n  y=1\n  def f(self): return y\ndef main(p): return A", "y", 3, 23),
    ("def main(p): return json.dumps(p)", "json", 1, 21),
    ("def main(p):\n try:\n  return foo(p)\n except Exception:\n  return 1", "foo", 3, 10),
    ("@deco\ndef main(p): return p", "deco", 1, 2),
    ("def main(p, x=y): return p", "y", 1, 15),
    ("def main(p):\n  return f'{nam}'", "nam", 2, 13),
    ("def main(p: Foo): return p", "Foo", 1, 13),
]
DEFINED = [
    "from x import *\ndef main(p): return foo",
    "def main(p):\n global q\n q=1\n return q\ndef g(): return q",
    "exec('a=1')\ndef main(p): return a",
    "globals()['a']=1\ndef main(p): return a",
    "import builtins\nbuiltins.a=1\ndef main(p): return a",
    "class A:\n x=1\n y=x\n print(__qualname__, __module__)\ndef main(p): return A",
    "def main(p):\n x: Foo = 1\n return x",
    "from __future__ import annotations\ndef main(p: Foo) -> Bar: return p",
    "try:\n unicode\nexcept NameError:\n unicode=str\ndef main(p): return unicode",
    "def main(p):\n try:\n  return foo\n except (KeyError, NameError):\n  return 1",
    "def main(p):\n return (y:=p)+y",
    "def main(p):\n return [a for b in p for a in b if (lambda q: q)(a)]",
    "class A:\n def f(self): return super().f(), __class__\ndef main(p): return A",
    "def main(p):\n match p:\n  case {'a': x, **rest}: return x, rest\n  case [y, *z]: return y,z",
    "def main(p):\n return helper(p)\ndef helper(p): return main",
    "def main(p):\n if False: return undefined_here\n return __name__, __debug__",
    "def f():\n x=1\n def g():\n  nonlocal x\n  x=2\n return g\ndef main(p): return f",
]


@pytest.mark.parametrize(("code", "name", "line", "column"), UNDEFINED)
def test_an_undefined_name_has_its_place(code: str, name: str, line: int, column: int) -> None:
    found = undefined_name(code, "<code>")
    assert found is not None
    assert found[:3] == (name, line, column)


@pytest.mark.parametrize("code", DEFINED)
def test_names_that_have_a_value_are_no_mistakes(code: str) -> None:
    assert undefined_name(code, "<code>") is None


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("json", "Add a line: import json"),
        ("null", "In Python it is None."),
        ("true", 'Did you mean "True"?'),
        ("paylaod", 'Did you mean "payload"?'),
        ("self", "In Python the payload is payload."),
    ],
)
def test_the_hint_names_what_was_meant(name: str, hint: str) -> None:
    found = undefined_name(f"def main(payload): return {name}", "<code>")
    assert found is not None
    assert found.hint == hint


def test_all_undefined_names_are_named_together() -> None:
    entry = undefined_name("def main(payload): return one + two(payload) + one + three", "<code>")
    assert str(entry) == 'the names "one", "two" and "three" are not defined'


def test_statements_without_a_function_are_shown_the_shape() -> None:
    (problem,) = ran_json(
        "check", "-", stdin="{kind: snippet, language: python, code: return payload}"
    )["problems"]
    assert problem["found"] == "'return' outside function"
    assert problem["hint"] == "Write one expression over payload, or define main(payload)"


@pytest.mark.parametrize("isolation", ["", ", isolation: process"])
@pytest.mark.parametrize("code", ["paylod['a']", "def main(payload): return paylod"])
def test_a_check_finds_undefined_names(code: str, isolation: str) -> None:
    text = f'- {{kind: snippet, language: python, code: "{code}"{isolation}}}'
    (problem,) = ran_json("check", "-", stdin=text)["problems"]
    assert problem["found"] == 'the name "paylod" is not defined'
    assert problem["column"] == text.index("paylod") + 1
