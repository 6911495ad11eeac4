"""Tokens are the words of a CEL text, each with its place and its value."""

import re
from typing import Any, Final, NamedTuple

from heddle.extensions.languages.cel.values import INT_MAX, UINT_MAX
from heddle.runtime.assembly.language import CompileError

MAX_LENGTH: Final = 100_000
"""The longest text that is compiled, in characters."""

KEYWORDS: Final = frozenset({"true", "false", "null", "in"})
RESERVED: Final = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    ]
)


class CelToken(NamedTuple):
    """One word: `kind` is `name`, `field`, `literal`, `op` or `end`; `at` counts characters.

    A literal's `type` is the name of its CEL type and `value` what it stands for; a whole number
    is kept positive, and 2**63 is let through for the parser to negate.
    """

    kind: str
    text: str
    at: int
    value: Any = None
    type: str = ""


class CelSource:
    """A CEL text that can tell line and column of each of its characters."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts = [0] + [match.end() for match in re.finditer(r"\r\n|\n|\r", text)]

    def place(self, at: int) -> tuple[int, int]:
        """Line and column, both counted from 1."""
        low, high = 0, len(self._starts)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self._starts[middle] <= at else (low, middle)
        return low + 1, at - self._starts[low] + 1

    def error(self, at: int, message: str, hint: str = "") -> CompileError:
        """Return the CompileError for something wrong at that character."""
        line, column = self.place(at)
        return CompileError(message, line=line, column=column, hint=hint)


_WORD: Final = re.compile(
    r"""
      (?P<space>   (?:[ \t\n\r\f]+|//[^\n\r]*)+ )
    | (?P<text>    (?:[bB][rR]?|[rR])?(?:'''|\"""|'|") )
    | (?P<name>    [A-Za-z_][A-Za-z0-9_]* )
    | (?P<double>  [0-9]+\.[0-9]+(?:[eE][+-]?[0-9]+)? | [0-9]+[eE][+-]?[0-9]+
                 | \.[0-9]+(?:[eE][+-]?[0-9]+)? )
    | (?P<whole>   0x[0-9a-fA-F]+[uU]? | [0-9]+[uU]? )
    | (?P<quoted>  `[^`\n\r]+` )
    | (?P<op>      && | \|\| | [=!<>]= | [-+*/%!<>?:.,()\[\]{}] )
    """,
    re.VERBOSE | re.ASCII,
)

_ESCAPE: Final = re.compile(
    r"\\(?:(?P<plain>[abfnrtv\\?\"'`])|[xX](?P<hex>[0-9a-fA-F]{2})|(?P<octal>[0-3][0-7]{2})"
    r"|u(?P<four>[0-9a-fA-F]{4})|U(?P<eight>[0-9a-fA-F]{8})|(?P<bad>.?))",
    re.DOTALL,
)
_PLAIN: Final = dict(zip("abfnrtv\\?\"'`", "\a\b\f\n\r\t\v\\?\"'`", strict=True))
_TRIES: Final = {
    "=": 'Equality is written "=="',
    "&": '"And" is written "&&"',
    "|": '"Or" is written "||"',
    "^": "Powers are not part of CEL",
    "#": 'A comment starts with "//"',
    ";": "A CEL text is one expression, with no semicolons",
    "$": "Names are letters, digits and _",
    "“": 'Quotes are plain: "text"',
    "”": 'Quotes are plain: "text"',
}


def tokens(source: CelSource) -> list[CelToken]:
    """Return every word of the text, closed by an `end`; raise CompileError if none fits."""
    text = source.text
    if len(text) > MAX_LENGTH:
        raise source.error(0, f"the text is {len(text)} characters long (at most {MAX_LENGTH})")
    tokens_: list[CelToken] = []
    at = 0
    while at < len(text):
        match = _WORD.match(text, at)
        if match is None:
            hint = _TRIES.get(text[at], "")
            raise source.error(at, f"unexpected character {text[at]!r}", hint)
        group = match.lastgroup
        word = match[0]
        if group == "text":
            token, at = _string(source, at, word)
            tokens_.append(token)
            continue
        if group == "op":
            tokens_.append(CelToken("op", word, at))
        elif group == "name":
            tokens_.append(_name(word, at))
        elif group == "quoted":
            tokens_.append(CelToken("field", word[1:-1], at))
        elif group is not None and group != "space":
            tokens_.append(_number(source, at, word, group))
        at = match.end()
    tokens_.append(CelToken("end", "the end", len(text)))
    return tokens_


def _name(word: str, at: int) -> CelToken:
    if word in ("true", "false"):
        return CelToken("literal", word, at, word == "true", "bool")
    if word == "null":
        return CelToken("literal", word, at, None, "null_type")
    return CelToken("op" if word == "in" else "name", word, at)


def _number(source: CelSource, at: int, word: str, group: str) -> CelToken:
    after = source.text[at + len(word) : at + len(word) + 1]
    if after.isalnum() or after == "_":
        raise source.error(at, f'"{word}{after}…" is not a number')
    if group == "double":
        return CelToken("literal", word, at, float(word), "double")
    digits = word.rstrip("uU")
    base = 16 if digits.startswith("0x") else 10
    digits = (digits[2:] if base == 16 else digits).lstrip("0") or "0"
    # Twenty digits hold every 64-bit number, and Python refuses to read very long ones.
    value = int(digits, base) if len(digits) <= 20 else UINT_MAX + 1
    if word[-1] in "uU":
        if value > UINT_MAX:
            raise source.error(at, f"{word} is too large for a uint")
        return CelToken("literal", word, at, value, "uint")
    if value > INT_MAX + 1:
        raise source.error(at, f"{word} is too large for an int", 'Write a double: "1e20"')
    return CelToken("literal", word, at, value, "int")


def _string(source: CelSource, at: int, opening: str) -> tuple[CelToken, int]:
    """Return the literal that starts with these prefix letters and quotes, and where it ends."""
    quote = opening.lstrip("rRbB")
    prefix = opening[: -len(quote)].lower()
    start = at + len(opening)
    body = _body(source, at, start, quote, raw="r" in prefix)
    end = start + len(body) + len(quote)
    word = source.text[at:end]
    if "b" in prefix:
        data = body.encode() if "r" in prefix else _unescape_bytes(source, start, body)
        return CelToken("literal", word, at, data, "bytes"), end
    value = body if "r" in prefix else _unescape(source, start, body)
    return CelToken("literal", word, at, value, "string"), end


def _body(source: CelSource, at: int, start: int, quote: str, *, raw: bool) -> str:
    text = source.text
    scan, end = start, text.find(quote, start)
    while not raw and end >= 0:
        slash = text.find("\\", scan, end)
        if slash < 0:
            break
        scan = slash + 2
        if scan > end:
            end = text.find(quote, scan)
    body = text[start:end]
    if end < 0 or (len(quote) == 1 and ("\n" in body or "\r" in body)):
        raise source.error(at, f"the text that starts here has no closing {quote}")
    if any("\ud800" <= char <= "\udfff" for char in body):
        raise source.error(at, "half a surrogate pair is not a character")
    return body


def _unescape(source: CelSource, start: int, body: str) -> str:
    def replace(match: re.Match[str]) -> str:
        return chr(_code_point(source, start, match))

    return _ESCAPE.sub(replace, body) if "\\" in body else body


def _unescape_bytes(source: CelSource, start: int, body: str) -> bytes:
    parts: list[bytes] = []
    last = 0
    for match in _ESCAPE.finditer(body):
        if match["four"] or match["eight"]:
            raise source.error(start + match.start(), "bytes have no Unicode escapes", r"Use \x41")
        code = _code_point(source, start, match)
        parts += (body[last : match.start()].encode(), bytes((code,)))
        last = match.end()
    return b"".join((*parts, body[last:].encode()))


def _code_point(source: CelSource, start: int, match: re.Match[str]) -> int:
    if match["plain"]:
        return ord(_PLAIN[match["plain"]])
    if match["octal"]:
        return int(match["octal"], 8)
    digits = match["hex"] or match["four"] or match["eight"]
    code = int(digits, 16) if digits else -1
    if code < 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise source.error(
            start + match.start(),
            f"unknown escape {match[0]!r}",
            r"A backslash is written \\, or use a raw text: r'\d'",
        )
    return code
