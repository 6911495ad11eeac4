"""The type of a field that holds a secret: text that is neither empty nor only spaces."""

import re
from typing import Annotated, Final, TypeAlias

import msgspec

_SOMETHING: Final = re.compile(r"\S")
SecretText: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, pattern=r"\S")]
"""A secret. An empty one, as of a Value that nobody has filled in, would let everybody in."""


def is_blank(text: str) -> bool:
    """Return whether a text is empty, or only spaces, tabs and line ends."""
    return _SOMETHING.search(text) is None
