"""Keys tell packets apart: what an expression gives for a packet, as something that can be looked up."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from hashlib import blake2b
from time import monotonic
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

from heddle.extensions.extension import Build, Expression, Payload
from heddle.runtime.flow.materialize import encode_with

V = TypeVar("V")

KeyOf: TypeAlias = Callable[[Payload], Hashable]
"""The key of a packet; raises if there is none."""

_encode = partial(msgspec.msgpack.encode, order="deterministic")
_PLAIN = frozenset({int, float, bool, bytes, type(None)})


def key_of(value: Any) -> Hashable:
    """Equal data has equal keys, and `1`, `1.0`, `true` and `"1"` have four; TypeError for a stream."""
    kind = type(value)
    if kind is str:
        return str(value)
    if kind in _PLAIN:
        return (kind.__name__, value)
    try:
        data = encode_with(_encode, value)
    except (TypeError, OverflowError, RecursionError) as error:
        raise TypeError(f"this cannot be a key: {error}") from error
    # Large keys are many: their digests take the place of the data.
    return data if len(data) <= 32 else blake2b(data, digest_size=32).digest()


def key_program(build: Build, key: Expression | None, *, whole: bool) -> KeyOf:
    """Return what gives the key of a packet; without an expression the payload, or one key for all."""
    if key is None:
        return key_of if whole else _same
    program = build.program(key, "key")
    return lambda payload: key_of(program(payload))


def _same(payload: Payload) -> Hashable:
    del payload
    return ""


class Recent(Generic[V]):
    """Values by key, each for a while: at most `size` of them, the one not used longest goes first.

    `size` may be changed at any time; times are in seconds.
    """

    __slots__ = ("_held", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._held: OrderedDict[Hashable, tuple[V, float | None]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[Hashable]:
        return iter(tuple(self._held))

    def get(self, key: Hashable) -> V | None:
        """Return what is kept under this key; None if nothing is, or not any more."""
        held = self._held.get(key)
        if held is None:
            return None
        value, until = held
        if until is not None and until <= monotonic():
            del self._held[key]
            return None
        self._held.move_to_end(key)
        return value

    def put(self, key: Hashable, value: V, seconds: float | None = None) -> None:
        """Keep a value, for so many seconds or until there is no room."""
        until = None if seconds is None else monotonic() + seconds
        self._held[key] = value, until
        self._held.move_to_end(key)
        while len(self._held) > self.size:
            self._held.popitem(last=False)

    def pop(self, key: Hashable) -> V | None:
        """Forget what is kept under this key, and return it."""
        held = self._held.pop(key, None)
        return held[0] if held is not None else None

    def clear(self) -> None:
        """Forget everything."""
        self._held.clear()
