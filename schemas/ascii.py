"""Protocol words are ASCII: these compare and trim them as bytes would be, whatever else Unicode has.

`str.lower` makes a `k` of the Kelvin sign, `str.upper` an `S` of a long s, and `str.strip` takes off
spaces that no protocol knows: two programs that read the same bytes must not disagree about them.
"""

from typing import Final

_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_UPPER: Final = {lower: upper for upper, lower in _LOWER.items()}
_SPACE: Final = " \t"


def lower(text: str) -> str:
    """Return the text with A to Z in small letters; every other character stays."""
    return text.lower() if text.isascii() else text.translate(_LOWER)


def upper(text: str) -> str:
    """Return the text with a to z in capital letters; every other character stays."""
    return text.upper() if text.isascii() else text.translate(_UPPER)


def capital(text: str) -> str:
    """Return the text with its first letter large and the others small."""
    return upper(text[:1]) + lower(text[1:])


def trim(text: str) -> str:
    """Return the text without the spaces and tabs around it."""
    return text.strip(_SPACE)


def elements(text: str) -> list[str]:
    """Return the elements of a list such as `a, b`, without spaces; empty ones are left out."""
    return [element for part in text.split(",") if (element := trim(part))]


def is_number(text: str) -> bool:
    """Return whether the text is made of the digits 0 to 9, and not empty."""
    return text.isascii() and text.isdigit()
