"""A Redactor hides the values of secret keys in whatever is shown: data, and texts that hold data."""

import re
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from typing import Any, Self

from heddle.specs.model.mask import MASK
from heddle.specs.secrets.texts import Texts
from heddle.specs.secrets.words import Words

DEEPEST = 60
"""Levels of data that are shown; what is nested deeper is hidden."""

_NAMES = frozenset(
    spelled
    for name in ("name", "key", "header", "field")
    for spelled in (name, name.title(), name.upper())
)
_JAR = "cookies"
"""A map under this key holds cookies by their names, as a request has them."""

_VALUES = frozenset({"value", "values", "data", "content"})


class Redactor:
    """Hides secrets by the names of their keys.

    `keys` are words that are hidden beside those that always are. `paths` are places of a payload,
    their keys joined by dots, that are hidden whatever they are called: `body.address`, `*.phone` (one
    key), `**.notes` (any depth); items of a list do not count. `allow` are keys, or paths, that are
    shown although a word of them is on the list.

    The value of such a key is replaced as a whole, in maps, in pairs (`["Cookie", "a=b"]`), in entries
    (`{name: Cookie, value: a=b}`), and in texts and bytes: see Texts.
    """

    def __init__(
        self, keys: Iterable[str] = (), paths: Iterable[str] = (), allow: Iterable[str] = ()
    ) -> None:
        allowed = list(allow)
        self.words = Words(keys, [entry for entry in allowed if "." not in entry])
        self._texts = Texts(self.words, self._data)
        self._hidden = _pattern(paths)
        self._shown = _pattern(entry for entry in allowed if "." in entry)
        self._other: Callable[[Redactor, Any], Any] | None = None
        self._places = self._hidden is not None or self._shown is not None

    def also(self, other: "Callable[[Redactor, Any], Any]") -> Self:
        """Return the same Redactor that leaves objects it does not know to this function."""
        made = copy(self)
        made._other = other
        return made

    def redacted(self, data: Any) -> Any:
        """Return the same data with every secret hidden; what holds none is the same object."""
        try:
            return self._data(data)
        except RecursionError:
            return MASK

    def values(self, named: Mapping[str, Any]) -> dict[str, Any]:
        """Return named values redacted: places begin at the names, and at each value."""
        shown: dict[str, Any] = self.redacted(named)
        if not self._places:
            return shown
        return {name: self.redacted(value) for name, value in shown.items()}

    def text(self, text: str) -> str:
        """Return the text with every secret hidden that a key in it names."""
        return self._texts.redacted(text)

    # -- walking -------------------------------------------------------------------------------

    def _data(self, data: Any, path: str = "", depth: int = 0) -> Any:
        kind = type(data)
        if kind is str:
            return self._texts.redacted(data)
        if data is None or kind is int or kind is float or kind is bool:
            return data
        if depth > DEEPEST:
            return MASK
        if kind is dict or isinstance(data, Mapping):
            return self._map(data, path, depth)
        if isinstance(data, list | tuple):
            return self._list(data, path, depth)
        if isinstance(data, bytes | bytearray | memoryview):
            return self._bytes(bytes(data))
        if isinstance(data, str):
            return self._texts.redacted(str(data))
        return self._other(self, data) if self._other is not None else data

    def _map(self, data: Mapping[Any, Any], path: str, depth: int) -> Any:
        made: dict[Any, Any] = {}
        same = True
        hidden = () if _NAMES.isdisjoint(data) else self._entry(data)
        hides, text, placed = self.words.hide, self._texts.redacted, self._places
        for key, value in data.items():
            place = f"{path}.{key}" if placed else ""
            kind = type(value)
            now: Any = value
            if key in hidden or (self._hides(key, place) if placed else hides(key)):
                now = value if _empty(value) else MASK
            elif kind is str:
                now = text(value)
            elif kind is not int and kind is not float and kind is not bool and value is not None:
                jar = key == _JAR and kind is dict and not self.words.allow(_JAR)
                now = dict.fromkeys(value, MASK) if jar else self._data(value, place, depth + 1)
            shown = key
            if type(key) is str and not key.isidentifier():
                shown = text(key)
            if now is not value or shown is not key:
                same = False
            made[shown] = now
        return data if same else made

    def _list(self, data: list[Any] | tuple[Any, ...], path: str, depth: int) -> Any:
        if len(data) == 2 and self.words.hide(data[0]) and not _empty(data[1]):
            return [self._data(data[0], path, depth + 1), MASK]
        made = [self._data(item, path, depth + 1) for item in data]
        return data if all(now is was for now, was in zip(made, data, strict=True)) else made

    def _bytes(self, data: bytes) -> bytes | str:
        text = data.decode(errors="replace")
        shown = self._texts.redacted(text)
        return data if shown is text or shown == text else shown

    def _hides(self, key: Any, place: str) -> bool:
        if self._places:
            if self._shown is not None and self._shown.fullmatch(place):
                return False
            if self._hidden is not None and self._hidden.fullmatch(place):
                return True
        return self.words.hide(key)

    def _entry(self, data: Mapping[Any, Any]) -> frozenset[Any]:
        """Return the keys of a map such as `{name: Cookie, value: a=b}` that hold what its name names."""
        if not 2 <= len(data) <= 8:
            return frozenset()
        for key in data:
            if key in _NAMES and self.words.hide(data[key]):
                return frozenset(
                    each for each in data if isinstance(each, str) and each.lower() in _VALUES
                )
        return frozenset()


def _empty(value: Any) -> bool:
    """Return whether a value holds no secret: a flag, null, or nothing at all."""
    return value is None or isinstance(value, bool) or value in ("", b"")


def _pattern(paths: Iterable[str]) -> "re.Pattern[str] | None":
    """Return the expression that matches these places, each key with a dot before it."""
    parts: list[str] = []
    for path in paths:
        keys = [
            r"(?:\..+)?" if key == "**" else r"\.[^.]+" if key == "*" else rf"\.{re.escape(key)}"
            for key in path.split(".")
        ]
        parts.append("".join(keys))
    return re.compile("|".join(parts), re.IGNORECASE) if parts else None
