"""The mask that stands for the data of a secret, wherever people look."""

from collections.abc import Mapping
from typing import Any

MASK = "••••••"
"""The mark that stands where a secret stood."""


def covered(data: Any) -> Any:
    """Return the same shape, with everything that it says masked; keys stay."""
    if isinstance(data, Mapping):
        return {key: covered(value) for key, value in data.items()}
    if isinstance(data, list):
        return [covered(value) for value in data]
    return MASK


def is_covered(data: Any) -> bool:
    """Return whether this is data that `covered` gives, and says nothing any more."""
    if isinstance(data, Mapping | list):
        inner = list(data.values()) if isinstance(data, Mapping) else data
        return bool(inner) and all(is_covered(each) for each in inner)
    return bool(data == MASK)
