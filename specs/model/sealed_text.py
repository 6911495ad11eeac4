"""A sealed text says the data of a Value so that only a key opens it; here is what it looks like."""

import re

from heddle.schemas.common_fields import SEAL_PREFIX

SEALED = re.compile(rf"{SEAL_PREFIX}:([0-9a-f]{{12}}):([\w-]{{38,}})", re.ASCII)
"""The id of the key, and the sealed data."""


def sealed_by(text: str) -> str:
    """Return the id of the key that a sealed text was made with; empty if it is not sealed text."""
    match = SEALED.fullmatch(text)
    return match[1] if match is not None else ""
