"""Another implementation of CEL to compare with, and random texts to compare on."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_encoders, ext_math, ext_strings

from heddle.extensions.languages.cel.values import Uint, kind

PAYLOAD: dict[str, Any] = {
    "i": 7,
    "zero": 0,
    "big": 9223372036854775807,
    "d": 2.5,
    "whole": 3.0,
    "s": "hello",
    "e": "",
    "u": "héllo wörld",
    "t": True,
    "n": None,
    "li": [1, 2, 3, 2],
    "ld": [1.5, 2.0],
    "ls": ["a", "b", "hello"],
    "lx": [1, "a", None, 2.5, True, [1], {"k": 1}],
    "l0": [],
    "m": {"a": 1, "b": {"c": [1, 2]}, "s": "x"},
    "b": b"ab\xff",
}

_NAMES = sorted(PAYLOAD)
_ENV = cel.NewEnv(
    variables=dict.fromkeys(["self", *_NAMES], cel.Type.DYN),
    extensions=[ext_strings.ExtStrings(), ext_math.ExtMath(), ext_encoders.ExtEncoders()],
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def oracle(text: str) -> Any:
    """Return what the other implementation makes of a text; `("error",)` when it fails to run."""
    expression = _ENV.compile(text, disable_check=True)
    try:
        return _theirs(expression.eval(data={"self": PAYLOAD, **PAYLOAD}))
    except RuntimeError:
        return ("error",)


def _theirs(value: Any) -> Any:
    name = value.type().name()
    inner = value.value()
    if name.startswith("LIST"):
        return ("list", [_theirs(item) for item in inner])
    if name.startswith("MAP"):
        return ("map", sorted((repr(key), _theirs(item)) for key, item in inner.items()))
    if name in ("ERROR", "TYPE"):
        return (name.lower(),)
    if name == "DOUBLE":
        return ("double", repr(inner))
    # Its NaN shows a sign, which means nothing.
    if name == "BYTES":
        return ("bytes", bytes(inner).replace(b"-nan", b"nan"))
    return (name.lower(), inner.replace("-nan", "nan") if name == "STRING" else inner)


def ours(value: Any) -> Any:
    """Return one of our values in the same form."""
    name = kind(value)
    if name == "list":
        return ("list", [ours(item) for item in value])
    if name == "map":
        return ("map", sorted((repr(_key(key)), ours(item)) for key, item in value.items()))
    if name == "timestamp":
        return ("timestamp", _EPOCH + timedelta(microseconds=value.nanos // 1000))
    if name == "duration":
        return ("duration", timedelta(microseconds=value.nanos // 1000))
    if name == "type":
        return ("type",)
    if name == "double":
        return ("double", repr(value))
    if name == "null_type":
        return ("null", None)
    return (name, _key(value))


def _key(value: Any) -> Any:
    return int(value) if isinstance(value, Uint) else value


class Texts:
    """Random expressions that mostly make sense; ints and doubles never meet in arithmetic."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._variables: list[tuple[str, str]] = []
        self._kinds: dict[str, Callable[[int], str]] = {
            "int": self._int,
            "uint": self._uint,
            "double": self._double,
            "bool": self._bool,
            "string": self._string,
            "bytes": self._bytes,
            "ints": self._ints,
            "strings": self._strings,
            "map": self._map,
            "timestamp": self._timestamp,
            "duration": self._duration,
            "any": self._any,
        }

    def text(self) -> str:
        """Return one expression."""
        return self._make(self._pick(sorted(self._kinds)), self._random.randint(1, 5))

    def _pick(self, options: Any) -> Any:
        return self._random.choice(list(options))

    def _make(self, name: str, depth: int) -> str:
        if self._random.random() < 0.03:
            # Not a map: the other implementation walks those in an order of its own.
            name = self._pick(["string", "bool", "strings"])
        if depth > 0 and self._random.random() < 0.08:
            yes, no = self._make(name, depth - 1), self._make(name, depth - 1)
            return f"({self._make('bool', depth - 1)} ? {yes} : {no})"
        named = [variable for variable, of in self._variables if of == name]
        if named and self._random.random() < 0.5:
            return str(self._pick(named))
        return self._kinds[name](depth)

    def _or(self, depth: int, leaves: list[str], *makers: Callable[[int], str]) -> str:
        if depth <= 0 or self._random.random() < 0.15:
            return str(self._pick(leaves))
        return str(self._pick(makers)(depth - 1))

    def _two(self, name: str, ops: str) -> Callable[[int], str]:
        def make(depth: int) -> str:
            a, b = self._make(name, depth), self._make(name, depth)
            return f"({a} {self._pick(ops.split())} {b})"

        return make

    def _call(self, form: str, *names: str) -> Callable[[int], str]:
        return lambda depth: form.format(*(self._make(name, depth) for name in names))

    def _macro(self, form: str, over: str, of: str, body: str) -> Callable[[int], str]:
        def make(depth: int) -> str:
            where = self._make(over, depth)
            name = self._pick(["x", "y", "i", "s"])
            self._variables.append((name, of))
            hidden, self._variables = (
                self._variables,
                [pair for pair in self._variables[:-1] if pair[0] != name] + [(name, of)],
            )
            result = form.format(where, name, self._make(body, depth), self._make("bool", depth))
            self._variables = hidden[:-1]
            return result

        return make

    def _int(self, depth: int) -> str:
        zone = self._pick(["", "'+02:30'", "'America/New_York'", "'Nowhere/X'"])
        part = self._pick(
            [
                "getFullYear",
                "getMonth",
                "getDate",
                "getDayOfMonth",
                "getDayOfWeek",
                "getDayOfYear",
                "getHours",
                "getMinutes",
                "getSeconds",
                "getMilliseconds",
            ]
        )
        return self._or(
            depth,
            ["0", "1", "-3", "5", "9223372036854775807", "-9223372036854775808", "0x1F", "self.i",
             "zero", "self.big", "m.a", "li[1]", "self.li[9]", "self.nope", "lx[0]"],
            self._two("int", "+ - * / %"),
            self._two("int", "+ - * / %"),
            self._call("size({})", "string"),
            self._call("{}.size()", "ints"),
            self._call("int({})", "double"),
            self._call("int({})", "uint"),
            self._call("int({})", "string"),
            self._call("{}[{}]", "ints", "int"),
            self._call("{}." + part + f"({zone})", "timestamp"),
            self._call("{}.getSeconds()", "duration"),
            self._call("-({})", "int"),
        )  # fmt: skip

    def _uint(self, depth: int) -> str:
        return self._or(
            depth,
            ["0u", "1u", "7u", "18446744073709551615u"],
            self._two("uint", "+ - * / %"),
            self._call("uint({})", "int"),
            self._call("uint({})", "double"),
        )

    def _double(self, depth: int) -> str:
        return self._or(
            depth,
            ["0.0", "1.5", "-2.25", "1e300", "self.d", "whole", "ld[0]", "3.0"],
            self._two("double", "+ - * /"),
            self._call("double({})", "int"),
            self._call("double({})", "string"),
            self._call("-({})", "double"),
        )

    def _bool(self, depth: int) -> str:
        return self._or(
            depth,
            ["true", "false", "self.t", "has(self.i)", "has(m.b.c)", "has(self.x)", "has(i.x)"],
            self._two("bool", "&& ||"),
            self._two("bool", "&& || == !="),
            *(
                self._two(name, "< <= > >= == !=")
                for name in ("int", "uint", "double", "string", "timestamp", "duration", "bytes")
            ),
            self._two("any", "== !="),
            self._call("({} < {})", "int", "double"),
            self._call("({} == {})", "uint", "int"),
            self._call("!({})", "bool"),
            self._call("({} in {})", "int", "ints"),
            self._call("({} in {})", "string", "strings"),
            self._call("({} in {})", "string", "map"),
            self._call("({} in {})", "any", "any"),
            self._call("{}.startsWith({})", "string", "string"),
            self._call("{}.endsWith({})", "string", "string"),
            self._call("{}.contains({})", "string", "string"),
            self._call("{}.matches('^[a-z]+$')", "string"),
            self._call("{}.matches('(?i)L{{1,2}}|.ö')", "string"),
            self._macro("{0}.all({1}, {2})", "ints", "int", "bool"),
            self._macro("{0}.exists({1}, {2})", "ints", "int", "bool"),
            self._macro("{0}.exists({1}, {2})", "strings", "string", "bool"),
            self._macro("{0}.exists_one({1}, {2})", "ints", "int", "bool"),
            self._macro("{0}.all({1}, {2})", "map", "string", "bool"),
        )

    def _string(self, depth: int) -> str:
        return self._or(
            depth,
            ["''", "'a'", '"hello"', "r'\\d'", "'\\u00e9\\n'", "self.s", "e", "u", "'12'", "'-1.5'",
             "m.s", "ls[2]", "'true'", "self['s']"],
            self._two("string", "+"),
            self._call("string({})", "int"),
            self._call("string({})", "uint"),
            self._call("string({})", "double"),
            self._call("string({})", "bool"),
            self._call("string({})", "bytes"),
            self._call("{}[{}]", "strings", "int"),
        )  # fmt: skip

    def _bytes(self, depth: int) -> str:
        return self._or(
            depth,
            ["b''", "b'a\\xff'", "b", "b'é'"],
            self._two("bytes", "+"),
            self._call("bytes({})", "string"),
        )

    def _ints(self, depth: int) -> str:
        return self._or(
            depth,
            ["[]", "[1]", "[3, 1, 2]", "self.li", "l0", "m.b.c"],
            self._two("ints", "+"),
            self._call("[{}, {}]", "int", "int"),
            self._macro("{0}.map({1}, {2})", "ints", "int", "int"),
            self._macro("{0}.map({1}, {3}, {2})", "ints", "int", "int"),
            self._macro("{0}.filter({1}, {2})", "ints", "int", "bool"),
            self._macro("{0}.map({1}, {2})", "strings", "string", "int"),
        )

    def _strings(self, depth: int) -> str:
        return self._or(
            depth,
            ["['a']", "self.ls", "['x', 'hello']", "[]"],
            self._call("[{}]", "string"),
            self._macro("{0}.map({1}, {2})", "ints", "int", "string"),
            self._macro("{0}.filter({1}, {2})", "strings", "string", "bool"),
        )

    def _map(self, depth: int) -> str:
        return self._or(
            depth,
            ["{}", "self.m", "{'a': 1}", "{7: 'x'}", "m.b"],
            self._call("{{'k': {}, 'l': {}}}", "any", "int"),
            self._call("{{{}: {}}}", "string", "any"),
        )

    def _timestamp(self, depth: int) -> str:
        return self._or(
            depth,
            ["timestamp('2024-02-29T23:59:59.5Z')", "timestamp(0)", "timestamp(-1000000001)",
             "timestamp('9999-12-31T23:59:59Z')", "timestamp('2001-01-01T00:00:00-08:00')"],
            self._call("({} + {})", "timestamp", "duration"),
            self._call("({} - {})", "timestamp", "duration"),
            self._call("timestamp({})", "int"),
        )  # fmt: skip

    def _duration(self, depth: int) -> str:
        return self._or(
            depth,
            ["duration('1h30m')", "duration('-1.5s')", "duration('250ms')", "duration('0')"],
            self._two("duration", "+ -"),
            self._call("({} - {})", "timestamp", "timestamp"),
        )

    def _any(self, depth: int) -> str:
        leaves = ["null", "self.n", "lx", "lx[4]", "i", "type(1)", "lx[5]", "self.m", "d"]
        names = [name for name in sorted(self._kinds) if name != "any"]
        return self._or(depth, leaves, lambda deeper: self._make(self._pick(names), deeper))
