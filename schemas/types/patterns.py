"""Regular expressions of JSON Schema, as RE2 searches for them: the time grows with the text and never faster."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import re2

HINT: Final = (
    "Expressions cannot look ahead, behind or back: their time has to grow with the text and never "
    "faster. Write several `pattern` under `allOf`, or one under `not`"
)
"""The hint if an expression is rejected."""

_ESCAPE: Final = re.compile(
    r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
    r"|\\u(?:\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{4}))|\\c([A-Za-z])|\\([pP])\{([^{}]*)\}|\\.",
    re.DOTALL,
)
_COUNTED: Final = re.compile(
    r"\^(\\(?:[xpP]\{[^{}]*\}|.)|\[(?:\\.|[^\]\\])+\]|[^\\\[\](){}*+?|^$])"
    r"\{([0-9]{1,5})(,?)([0-9]{0,5})\}\??\$",
    re.DOTALL,
)
"""One part that is the whole text: no other repetition takes so little time if there are many of it."""

_REPEATS: Final = 1000
"""How often RE2 repeats a part at most."""

_MOST: Final = 10_000
"""How often one part that is the whole text is repeated at most."""

_CATEGORIES: Final = {
    "Cased_Letter": "L", "Close_Punctuation": "Pe", "Connector_Punctuation": "Pc", "Control": "Cc",
    "Currency_Symbol": "Sc", "Dash_Punctuation": "Pd", "Decimal_Number": "Nd", "digit": "Nd",
    "Enclosing_Mark": "Me", "Final_Punctuation": "Pf", "Format": "Cf",
    "Initial_Punctuation": "Pi", "Letter": "L", "Letter_Number": "Nl", "Line_Separator": "Zl",
    "Lowercase_Letter": "Ll", "Mark": "M", "Math_Symbol": "Sm", "Modifier_Letter": "Lm",
    "Modifier_Symbol": "Sk", "Nonspacing_Mark": "Mn", "Number": "N", "Open_Punctuation": "Ps",
    "Other": "C", "Other_Letter": "Lo", "Other_Number": "No", "Other_Punctuation": "Po",
    "Other_Symbol": "So", "Paragraph_Separator": "Zp", "Private_Use": "Co", "Punctuation": "P",
    "punct": "P", "Separator": "Z", "Space_Separator": "Zs", "Spacing_Mark": "Mc", "Surrogate": "Cs",
    "Symbol": "S", "Titlecase_Letter": "Lt", "Uppercase_Letter": "Lu",
}  # fmt: skip
"""The general categories of Unicode: RE2 knows them by their short names."""


class PatternError(ValueError):
    """An expression that cannot be read, or would need more than linear time; `hint` is what to try."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


@lru_cache(maxsize=1024)
def search_of(pattern: str) -> Callable[[str], Any]:
    """Return the search of an expression; raise PatternError if RE2 does not take it.

    What an expression of JSON Schema means is nearer to RE2 than to Python's own: `\\d` is ASCII, and
    `$` is the end of the text.
    """
    options = re2.Options()
    options.log_errors = False
    try:
        find: Callable[[str], Any] = re2.compile(_translated(pattern), options).search
    except (re2.error, UnicodeEncodeError) as error:
        raise PatternError(*_reason(pattern, error)) from None

    def search(text: str) -> Any:
        try:
            return find(text)
        except UnicodeEncodeError:
            # Half of a surrogate pair is a character to Python, and none to RE2.
            return find(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))

    return search


def _translated(pattern: str) -> str:
    """Return an expression of ECMAScript as RE2 writes it."""
    written = _ESCAPE.sub(_escape, pattern)
    counted = _COUNTED.fullmatch(written)
    return written if counted is None else _repeated(counted)


def _escape(match: re.Match[str]) -> str:
    """Return an escape as RE2 writes it: `\\p{Letter}` is `\\p{L}`, `\\u00e9` is `\\x{e9}`."""
    high, low, braced, plain, control, sign, name = match.groups()
    if high is not None:
        code = 0x10000 + ((int(high, 16) - 0xD800) << 10) + int(low, 16) - 0xDC00
        return f"\\x{{{code:x}}}"
    if braced is not None or plain is not None:
        return f"\\x{{{braced or plain}}}"
    if control is not None:
        return f"\\x{{{ord(control) % 32:x}}}"
    if sign is not None:
        name = name.rpartition("=")[2]
        return f"\\{sign}{{{_CATEGORIES.get(name, name)}}}"
    return match[0]


def _repeated(match: re.Match[str]) -> str:
    """Return a part that is repeated more often than RE2 does, from start to end, as several parts."""
    part, low, comma, high = match[1], int(match[2]), bool(match[3]), match[4]
    most = (int(high) if high else None) if comma else low
    times = max(low, most or 0)
    if not _REPEATS < times <= _MOST or (most is not None and most < low):
        return match[0]
    written = "".join(f"{part}{{{count}}}" for count in _counts(low))
    if most is None:
        return f"^{written}{part}*$"
    more = "".join(f"{part}{{0,{count}}}" for count in _counts(most - low))
    return f"^{written}{more}$"


def _counts(times: int) -> list[int]:
    """Return so many times as a sum of what RE2 takes."""
    counts = [_REPEATS] * (times // _REPEATS)
    return [*counts, times % _REPEATS] if times % _REPEATS else counts


def _reason(pattern: str, error: Exception) -> tuple[str, str]:
    """Return why an expression is rejected, and what to try."""
    shown = pattern if len(pattern) <= 80 else f"{pattern[:79]}…"
    detail: Any = error.args[0] if error.args else ""
    text = detail.decode(errors="replace") if isinstance(detail, bytes) else str(error)
    if _LOOKS.search(pattern) is not None and "missing" not in text:
        return f'the expression "{shown}" looks ahead, behind or back', HINT
    hint = "Say how long a text is by minLength and maxLength" if "repetition size" in text else ""
    return f'the expression "{shown}" cannot be read: {text}', hint


_LOOKS: Final = re.compile(r"\(\?(?:[=!>]|<[=!])|\\[1-9]|\\k<")
