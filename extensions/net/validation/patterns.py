"""Regular expressions of JSON Schema: in linear time, if they have no look-around or back-reference."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import re2

_PROPERTY: Final = re.compile(r"\\([pP])\{([^{}]*)\}")

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
    """An expression that cannot be read."""


@lru_cache(maxsize=1024)
def search_of(pattern: str) -> Callable[[str], Any]:
    """Return the search of an expression; raise PatternError if it cannot be read.

    What an expression of JSON Schema means is nearer to RE2 than to Python's own: `\\d` is ASCII, and
    `$` is the end of the text.
    """
    try:
        options = re2.Options()
        options.log_errors = False
        search: Callable[[str], Any] = re2.compile(_PROPERTY.sub(_short, pattern), options).search
    except re2.error:
        try:
            search = re.compile(pattern).search
        except (re.error, RecursionError, OverflowError) as error:
            raise PatternError(f'the expression "{pattern}" cannot be read: {error}') from None
    return search


def _short(match: re.Match[str]) -> str:
    """Return a property as RE2 writes it: `\\p{Letter}` is `\\p{L}`, `\\p{Script=Greek}` is `\\p{Greek}`."""
    name = match[2].rpartition("=")[2]
    return f"\\{match[1]}{{{_CATEGORIES.get(name, name)}}}"
