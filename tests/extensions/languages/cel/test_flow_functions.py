"""The functions for flows: data as text, digests, and what gives something else at each call."""

import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.extensions.languages.cel.compiler import compile_condition, compile_program
from heddle.extensions.languages.cel.errors import EvaluationError
from heddle.runtime.assembly.language import CompileError

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abc"), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("json(self)", '{"a":[1,2.5,null,true,"ä"]}'),
        (
            "json({'t': timestamp('2026-12-01T00:00:00Z'), 'u': 1u})",
            '{"t":"2026-12-01T00:00:00Z","u":1}',
        ),
        ("""parseJson('{"a": [1, 2.5]}').a[1]""", 2.5),
        ("parseJson(b'[1]')", [1]),
        ("url.encode('a/b c?ä&')", "a%2Fb%20c%3F%C3%A4%26"),
        ("url.decode('a%2Fb+c%C3%A4')", "a/b+cä"),
        (
            "query.encode({'a': [1, 'x y'], 'b': true, 'c': null, 'd': 1.5})",
            "a=1&a=x+y&b=true&d=1.5",
        ),
        ("query.decode('?a=1&a=x+y&b=')", {"a": ["1", "x y"], "b": [""]}),
        (r"hex.encode(b'\x00\xff')", "00ff"),
        ("hex.decode('00FF')", b"\x00\xff"),
        ("hex.encode(sha256('ä'))", hashlib.sha256("ä".encode()).hexdigest()),
        ("sha256(b'x') == sha256('x')", True),
        ("hmac('key', 'data')", hmac.digest(b"key", b"data", "sha256")),
        ("hmac(b'key', b'data', 'sha512')", hmac.digest(b"key", b"data", "sha512")),
        ("base64.encode(hmac('k', 'd')).size()", 44),
    ],
)
def test_a_function_gives_what_its_page_says(code: str, expected: Any) -> None:
    assert compile_program(code)({"a": [1, 2.5, None, True, "ä"]}) == expected


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("parseJson('{')", "parseJson"),
        ("parseJson(1)", "no such overload"),
        ("url.decode('%FF')", "not UTF-8"),
        ("url.encode(1)", "no such overload"),
        ("query.encode({'a': {}})", "no such overload"),
        ("query.decode('a&'.format([]) + '%FF=1')", "not UTF-8"),
        ("hex.decode('0g')", "not hexadecimal"),
        ("sha256(1)", "no such overload"),
        ("hmac('k', 'd', 'md5')", "no such algorithm"),
        ("hmac('', 'd')", "the key is empty"),
        ("hmac(b'', 'd', 'sha512')", "the key is empty"),
    ],
)
def test_a_function_rejects_what_it_cannot_take(code: str, problem: str) -> None:
    with pytest.raises(EvaluationError, match=problem):
        compile_program(code)({})
    # `||` forgives it, as any other failure.
    assert compile_condition(f"({code}) == 1 || true")({}) is True


@given(JSON)
def test_json_comes_back(data: Any) -> None:
    assert compile_program("parseJson(json(self))")(data) == json.loads(json.dumps(data))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_encoded_for_a_url_comes_back(text: str) -> None:
    assert compile_program("url.decode(url.encode(self))")(text) == text
    data = {"name": text}
    assert compile_program("query.decode(query.encode(self)).name[0]")(data) == text


def test_impure_functions_are_called_each_time() -> None:
    program = compile_program("[uuid(), uuid()]")
    ids = [*program(None), *program(None)]
    assert len(set(ids)) == 4
    assert {UUID(each).version for each in ids} == {7}
    before = datetime.now(UTC)
    seconds = compile_program("int(now())")(None)
    assert -1 <= seconds - before.timestamp() < 60
    assert compile_program("now()")(None).endswith("Z")
    fresh = compile_condition("now() - timestamp(self) < duration('60s')")
    assert fresh(before.isoformat()) is True
    assert fresh("2020-01-01T00:00:00Z") is False


def test_a_large_text_is_paid_for_before_it_is_made() -> None:
    for code in ("parseJson(self)", "url.encode(self)"):
        with pytest.raises(EvaluationError, match=r"at most|more than"):
            compile_program(code)("[" + "1," * 12_000_000 + "1]")


def test_an_unknown_function_names_the_nearest() -> None:
    for code, near in (
        ("hmca('a', 'b')", "hmac"),
        ("parseJSON('1')", "parseJson"),
        ("nwo()", "now"),
    ):
        with pytest.raises(CompileError) as caught:
            compile_program(code)
        assert near in caught.value.hint


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("cel.bind(x, self.a + 1, x * x)", 36),
        ("cel.bind(x, 2, cel.bind(y, x + 1, x * y))", 6),
        ("cel.bind(x, self, x.a) + cel.bind(x, 1, x)", 6),
        ("[1, 2].map(n, cel.bind(m, n * a, m + n))", [6, 12]),
        ("cel.bind(big, [1, 5, 9], [5, 7].filter(n, n in big))", [5]),
        ("cel.bind(cel, 3, cel + a)", 8),
        ("cel.bind(x, {'y': uuid()}, x.y == x.y)", True),
        ("cel.bind(p, self, cel.bind(q, p, q.a > 3 ? p.a : (q.a > 2 || p.a > 1) ? 1 : 2))", 5),
        ("{'t': cel.bind(t, timestamp('2026-12-01T00:00:00Z'), t)}", {"t": "2026-12-01T00:00:00Z"}),
        ("cel.bind(a, a + 1, a) + a", 11),
    ],
)
def test_a_bound_value_has_a_name_and_is_computed_once(code: str, expected: Any) -> None:
    assert compile_program(code)({"a": 5}) == expected


def test_deep_bindings_are_code_like_any_other() -> None:
    code = "x"
    for _ in range(12):
        code = f"cel.bind(x, x + 1, [1].map(i, x > 0 ? ({code}) : 0)[0])"
    assert compile_program(f"cel.bind(x, self, {code})")(1) == 13


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("cel.bind(x, 1)", "wants 3 arguments, not 2"),
        ("cel.bind('x', 1, 2)", "wants a variable first"),
        ("cel.bind(a.b, 1, 2)", "wants a variable first"),
        ("cel.bnd(x, 1, x)", "unknown function"),
    ],
)
def test_a_binding_that_is_none_is_rejected(code: str, problem: str) -> None:
    with pytest.raises(CompileError, match=problem):
        compile_program(code)
