"""A Layer lies over a mapping that stays as it is: it holds what was changed, and shares the rest."""

from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")

SHARE: Final = 8
"""A copy is made once what was changed is more than this part of what is there."""

_GONE: Final[Any] = object()
"""The mark that stands in a layer for a key that was taken out."""


class Layer(MutableMapping[K, V]):
    """The items of a mapping, with changes of its own. The mapping below must not change any more."""

    __slots__ = ("_base", "_over", "_size")

    def __init__(self, base: Mapping[K, V], over: dict[K, V], size: int) -> None:
        self._base = base
        self._over = over
        self._size = size

    def __getitem__(self, key: K) -> V:
        try:
            over = self._over[key]
        except KeyError:
            return self._base[key]
        if over is _GONE:
            raise KeyError(key)
        return over

    def get(self, key: K, default: Any = None) -> Any:
        """Return the value of a key; the default if there is none."""
        over = self._over.get(key, _GONE)
        if over is not _GONE:
            return over
        return default if key in self._over else self._base.get(key, default)

    def __contains__(self, key: object) -> bool:
        over: dict[Any, Any] = self._over
        return over[key] is not _GONE if key in over else key in self._base

    def __setitem__(self, key: K, value: V) -> None:
        self._size += key not in self
        self._over[key] = value

    def __delitem__(self, key: K) -> None:
        if key not in self:
            raise KeyError(key)
        self._size -= 1
        if key in self._base:
            self._over[key] = _GONE
        else:
            del self._over[key]

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[K]:
        over = self._over
        for key in self._base:
            if key not in over:
                yield key
        for key, value in over.items():
            if value is not _GONE:
                yield key

    def branch(self, changes: int) -> MutableMapping[K, V]:
        """See the function of that name."""
        if (len(self._over) + changes) * SHARE <= len(self._base):
            return Layer(self._base, dict(self._over), self._size)
        whole = dict(self._base)
        for key, value in self._over.items():
            if value is _GONE:
                del whole[key]
            else:
                whole[key] = value
        return whole


def branch(mapping: Mapping[K, V], changes: int) -> MutableMapping[K, V]:
    """Return the same items, to be changed about so often; the mapping itself must not change any more.

    What that costs grows with the changes, not with what is there: all of it is copied only if
    most of it may be new, and once in a while.
    """
    if isinstance(mapping, Layer):
        return mapping.branch(changes)
    if changes * SHARE <= len(mapping):
        return Layer(mapping, {}, len(mapping))
    return dict(mapping)
