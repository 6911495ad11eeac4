"""Impure functions: each call gives something else, so none is worked out before the program runs."""

from time import time_ns
from typing import Final

from heddle.extensions.languages.cel.library.function import Function
from heddle.extensions.languages.cel.values import Timestamp
from heddle.specs.model.names import new_id


def _now() -> Timestamp:
    return Timestamp(time_ns())


def _uuid() -> str:
    return str(new_id())


FUNCTIONS: Final = (
    Function(name="now", run=_now, arity=0, result="timestamp", special=True, pure=False),
    Function(name="uuid", run=_uuid, arity=0, result="string", pure=False),
)
