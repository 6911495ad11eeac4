"""How a program sees its payload: names, lazy maps, errors, dates; and what it says goes wrong."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from enum import IntEnum
from typing import Any

import pytest

from heddle.extensions.languages.cel.compiler import compile_condition, compile_program
from heddle.extensions.languages.cel.errors import EvaluationError
from heddle.runtime.flow.errors import Error


def run(text: str, payload: Any) -> Any:
    return compile_program(text)(payload)


class Lazy(dict[str, Any]):
    """Makes a value when it is first asked for, like a request whose body is not decoded yet."""

    def __init__(self, **makers: Any) -> None:
        super().__init__()
        self.makers = makers
        self.made: list[str] = []

    def __missing__(self, key: str) -> Any:
        value = self[key] = self.makers[key]()
        self.made.append(key)
        return value

    def __contains__(self, key: object) -> bool:
        return key in self.makers

    def __iter__(self) -> Iterator[str]:
        return iter(self.makers)

    def __len__(self) -> int:
        return len(self.makers)


def test_lazy_map_decodes_only_what_is_read() -> None:
    payload = Lazy(body=lambda: {"n": 1}, path=lambda: "/x", never=lambda: 1 / 0)
    assert run("self.body.n == 1 && path == '/x' && has(self.never)", payload) is True
    assert payload.made == ["body", "path"]
    assert run("self.map(k, k)", payload) == ["body", "path", "never"]
    assert run("'never' in self && !('x' in self) && size(self) == 3", payload) is True
    assert run("self['path']", payload) == "/x"


def test_lazy_map_that_fails_is_an_evaluation_error() -> None:
    payload = Lazy(never=lambda: 1 / 0)
    with pytest.raises(EvaluationError, match="ZeroDivisionError") as caught:
        run("never", payload)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert run("never == 1 || true", payload) is True


def test_equality_reads_lazy_maps() -> None:
    assert run("self == {'a': 1}", Lazy(a=lambda: 1)) is True
    assert run("{'a': 1} == self", Lazy(a=lambda: 2)) is False


def test_keys_of_a_map_are_names() -> None:
    assert run("count + 1", {"count": 1}) == 2
    assert run("self", {"self": 5}) == {"self": 5}
    assert run("self + 1", 1) == 2
    assert run("type == 'order'", {"type": "order"}) is True
    assert run("type(1) == int && int == 3", {"int": 3, "type": 9}) is False


def test_names_are_the_free_identifiers() -> None:
    program = compile_program("a.b > 1 && self.c && l.exists(x, x == d && y) && has(e.f) && int(g)")
    assert program.names == {"a", "self", "l", "d", "y", "e", "g"}
    assert compile_condition("[1].all(x, x == 1) && type(1) == int").names == frozenset()


def test_data_of_the_payload_leaves_as_it_came() -> None:
    payload = {"items": [{"id": 1}], "when": datetime(2024, 1, 1, tzinfo=UTC)}
    assert run("self", payload) is payload
    assert run("items", payload) is payload["items"]
    assert run("{'all': items}", payload)["all"] is payload["items"]
    assert payload == {"items": [{"id": 1}], "when": datetime(2024, 1, 1, tzinfo=UTC)}


def test_constant_results_are_made_anew_for_each_run() -> None:
    program = compile_program("[1, [2]] + [3]")
    first = program(None)
    first[1].append("changed")
    assert program(None) == [1, [2], 3]


def test_whole_doubles_work_where_json_cannot_tell() -> None:
    payload = {"count": 3.0, "list": ["a", "b", "c", "d"]}
    assert run("self.count + 1", payload) == 4
    assert run("1 + self.count", payload) == 4
    assert run("self.count % 2 == 1", payload) is True
    assert run("list[self.count]", payload) == "d"
    assert run("count == 3 && count > 2 && count in [3]", payload) is True
    with pytest.raises(EvaluationError, match="whole numbers"):
        run("2.5 % 2", None)


def test_python_dates_are_timestamps_and_durations() -> None:
    payload = {
        "at": datetime(2024, 5, 1, 12, tzinfo=UTC),
        "local": datetime(2024, 5, 1, 12),  # noqa: DTZ001 - a payload may hold one
        "day": date(2024, 5, 1),
        "took": timedelta(minutes=90),
    }
    assert run("at == timestamp('2024-05-01T12:00:00Z') && at == local", payload) is True
    assert run("at - duration('12h') == day && at > day", payload) is True
    assert run("took.getMinutes() + at.getHours('+02:00')", payload) == 104
    assert run("at + took", payload) == "2024-05-01T13:30:00Z"
    assert run("[at - day]", payload) == ["43200s"]
    assert run("string(took)", payload) == "5400s"
    assert run("type(at) == google.protobuf.Timestamp", payload) is True


def test_error_is_a_value() -> None:
    error = Error("no such order", code="thrown", data={"id": 7})
    assert run("string(self)", error) == "no such order"
    assert run("self.code == 'thrown' && self.data.id == 7 && self.message == string(self)", error)
    assert run("has(self.data) && !has(self.nope)", error) is True
    assert run("type(self)", error) == "error"
    assert run("a == b", {"a": error, "b": Error("no such order", code="thrown", data={"id": 7})})
    with pytest.raises(EvaluationError, match=r'an error has no "mesage".*Did you mean "message"'):
        run("self.mesage", error)


def test_relatives_of_plain_types_count_as_them() -> None:
    class Level(IntEnum):
        HIGH = 3

    class Text(str):
        __slots__ = ()

    payload = {"level": Level.HIGH, "text": Text("abc"), "pair": (1, 2), "raw": bytearray(b"a")}
    assert run("level + 1 == 4 && level == 3 && level > 2", payload) is True
    assert run("text + 'd' == 'abcd' && text.startsWith('a') && size(text) == 3", payload) is True
    assert run("pair[1] == 2 && 2 in pair && pair.map(x, x) == [1, 2]", payload) is True
    assert run("raw + b'b' == b'ab'", payload) is True


def test_numbers_beyond_64_bits_can_be_looked_at_but_not_reckoned_with() -> None:
    payload = {"n": 2**70}
    assert run("n > 1 && n == n && n != 5 && n > 1.5", payload) is True
    with pytest.raises(EvaluationError, match="integer overflow"):
        run("n + 1", payload)
    assert run("n", payload) == 2**70


SAID = [
    ("cuont", {"count": 1}, 'line 1, column 1: unknown name "cuont" (it has: count). Did you mean "count"?'),
    ("self.cuont", {"count": 1}, 'line 1, column 6: no such key "cuont" (it has: count). Did you mean "count"?'),
    ("x", 5, 'unknown name "x" (the payload is int, not a map; it is "self")'),
    ("true &&\n  self.a > 1", {"a": "x"}, "line 2, column 10: no such overload: string > int"),
    ("'n: ' + 1", None, "Try string(…) on the number"),
    ("1 + 1u", None, "Try int(…) on the uint"),
    ("self.a.b", {"a": 1}, 'no field "b" in a value of type int (expected: a map)'),
    ("self[3]", [1], "index 3 is out of range (the list has 1 elements)"),
    ("'a' in 'abc'", None, "Try a.contains(b)"),
    ("self ? 1 : 2", "x", "? wants true or false, not string"),
    ("self && true", 1, "&& wants true or false, not int"),
    ("[1].filter(x, x)", None, "filter() wants true or false, not int"),
    ("timestamp(self)", "soon", '"soon" is not a timestamp (expected: RFC 3339'),
    ("size(self)", 1, "no such overload: size(int)"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "payload", "said"), SAID, ids=[row[0] for row in SAID])
def test_failure_says_place_found_wanted_and_try(text: str, payload: Any, said: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        run(text, payload)
    assert said in str(caught.value)
    assert caught.value.line > 0


def test_forgiven_failure_leaves_no_trace() -> None:
    program = compile_condition("self.a.b == 1 || self.l.exists(x, x.y) || true")
    payload = {"l": [1, 2]}
    assert program(payload) is True
    error = None
    try:
        compile_condition("self.a.b == 1 || false")(payload)
    except EvaluationError as caught:
        error = caught
    assert error is not None
    assert error.__cause__ is None
    assert 'no such key "a"' in str(error)


def test_condition_keeps_values_that_can_be_asked() -> None:
    for text, wanted in (("0u", False), ("duration('0')", False), ("duration('1s')", True)):
        assert bool(compile_condition(text)(None)) is wanted
