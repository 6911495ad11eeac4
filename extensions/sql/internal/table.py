"""A Table is something of the runtime, said as rows: its name, its columns, and where they come from."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from heddle.runtime.managed import ManagedStores

Values: TypeAlias = tuple[Any, ...]
"""One row, in the order of the columns: plain data, not yet as SQLite takes it."""


class TableColumn(msgspec.Struct, frozen=True):
    """`type` is TEXT, INTEGER, REAL, BOOLEAN or JSON; lists and maps are JSON text in SQLite."""

    name: str
    type: str
    help: str


class VirtualTable(msgspec.Struct, frozen=True, kw_only=True):
    """`rows(view)` gives them all, as they are at that moment; it may wait."""

    name: str
    help: str
    columns: tuple[TableColumn, ...]
    rows: "Callable[[View], Awaitable[Iterable[Values]]]"
    writable: bool = False

    @property
    def schema(self) -> str:
        """The declaration of the table for SQLite."""
        columns = ", ".join(f'"{column.name}" {column.type}' for column in self.columns)
        return f"CREATE TABLE x({columns})"


class View(msgspec.Struct, frozen=True):
    """The view of a connection: what is managed, and the frames that are noted for it."""

    managed: ManagedStores
    frames: "Frames"


class Frames(msgspec.Struct):
    """The source of frames: the watches that were begun for those who ask, by runtime."""

    read: Callable[[], Mapping[str, Any]]


def columns(**types: str) -> tuple[TableColumn, ...]:
    """Columns out of `name="TYPE what it is"`."""
    made = []
    for name, text in types.items():
        sort, _, help_text = text.partition(" ")
        made.append(TableColumn(name, sort, help_text))
    return tuple(made)


def plain(value: Any) -> Any:
    """Return a value as SQLite takes it: lists and maps are JSON text, numbers of more than 64 bits are text."""
    if value is None or isinstance(value, str | float | bytes):
        return value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else str(value)
    return msgspec.json.encode(value, enc_hook=_plain_json).decode()


def _plain_json(value: Any) -> Any:
    """Return what JSON does not know: streams and other things that only live while a process does."""
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
