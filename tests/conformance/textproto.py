"""Text of protocol buffers as plain data: each field is the list of its values, in order."""

import ast
import re
from typing import Any, Final

_TOKEN: Final = re.compile(
    r"""(?P<space>(?:\s+|\#[^\n]*)+)
    | (?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
    | (?P<url>\[[A-Za-z0-9_./]+\])
    | (?P<word>[-+]?[A-Za-z0-9_.][A-Za-z0-9_.+-]*)
    | (?P<mark>[{}<>:;,\[\]])""",
    re.VERBOSE | re.DOTALL,
)

_ESCAPE: Final = re.compile(r"\\(?:(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})|.)", re.DOTALL)


class Word(str):
    """A number, `true`, or the name of an enum: what stands without quotes."""

    __slots__ = ()


def parse(text: str) -> dict[str, list[Any]]:
    """Return the message; texts are bytes, since either may be meant."""
    return _Parser(text).message("")


class _Parser:
    def __init__(self, text: str) -> None:
        self._words: list[tuple[str, str]] = []
        at = 0
        while at < len(text):
            found = _TOKEN.match(text, at)
            if found is None:
                raise ValueError(f"not a textproto: {text[at : at + 40]!r}")
            at = found.end()
            if found.lastgroup not in (None, "space"):
                self._words.append((str(found.lastgroup), found[0]))
        self._at = 0

    def message(self, end: str) -> dict[str, list[Any]]:
        fields: dict[str, list[Any]] = {}
        while self._at < len(self._words) and self._next()[1] != end:
            name = self._take()[1].strip("[]")
            if self._next()[1] == ":":
                self._take()
            fields.setdefault(name, []).extend(self._values())
            while self._at < len(self._words) and self._next()[1] in (",", ";"):
                self._take()
        if end:
            self._take()
        return fields

    def _values(self) -> list[Any]:
        if self._next()[1] != "[":
            return [self._value()]
        self._take()
        found: list[Any] = []
        while self._next()[1] != "]":
            found.append(self._value())
            if self._next()[1] == ",":
                self._take()
        self._take()
        return found

    def _value(self) -> Any:
        sort, word = self._take()
        if word in "{<":
            return self.message("}" if word == "{" else ">")
        if sort != "text":
            return Word(word)
        data = _bytes(word)
        while self._at < len(self._words) and self._next()[0] == "text":
            data += _bytes(self._take()[1])
        return data

    def _next(self) -> tuple[str, str]:
        return self._words[self._at]

    def _take(self) -> tuple[str, str]:
        self._at += 1
        return self._words[self._at - 1]


def _bytes(word: str) -> bytes:
    """Return the bytes of a text: escapes are those of C, everything else is UTF-8."""
    plain = _ESCAPE.sub(
        lambda found: chr(int(found[1][1:], 16)) if found[1] else found[0].replace("\\?", "?"), word
    )
    shown = "".join(
        char if char.isascii() else "".join(f"\\x{byte:02x}" for byte in char.encode())
        for char in plain
    )
    data = ast.literal_eval("b" + shown)
    if not isinstance(data, bytes):
        raise TypeError("not a text")
    return data
