"""The type of a field that holds a secret: text that is neither empty nor only spaces."""

from typing import Annotated, TypeAlias

import msgspec

SecretText: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, pattern=r"\S")]
"""A secret. An empty one, as of a Value that nobody has filled in, would let everybody in."""
