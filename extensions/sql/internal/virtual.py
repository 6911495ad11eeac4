"""A virtual table lets SQLite read rows that stand in lists, and tells of what is to be changed.

SQLite asks for rows by the values of one column, where a statement wants them so; a list is then
looked up in, not read through.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import apsw

from heddle.extensions.sql.internal.frames import Later
from heddle.extensions.sql.internal.table import Values, VirtualTable, plain

Edit: TypeAlias = Callable[[VirtualTable, int | None, Sequence[Any] | None], int]
"""Told of a change: the row's number (None: a new one) and what it is to be (None: gone); gives its number."""


class TableRows:
    """The content of a table during one statement, as SQLite takes it; a cell is made when it is asked for."""

    def __init__(self, rows: Sequence[Values]) -> None:
        self._raw = rows
        self._by: dict[int, dict[Any, list[int]]] = {}

    def __len__(self) -> int:
        return len(self._raw)

    def cell(self, row: int, column: int) -> Any:
        """Return one value of one row."""
        value = self._raw[row][column]
        return plain(value() if type(value) is Later else value)

    def where(self, column: int, value: str) -> list[int]:
        """Return the numbers of the rows that have this text in a column."""
        if column not in self._by:
            numbers: dict[Any, list[int]] = {}
            for number, row in enumerate(self._raw):
                numbers.setdefault(row[column], []).append(number)
            self._by[column] = numbers
        return self._by[column].get(value, [])


class Module:
    """All tables, for apsw to make virtual tables of. `rows` are those of the statement that runs."""

    def __init__(self, tables: Mapping[str, VirtualTable], edit: Edit) -> None:
        self.tables = tables
        self.rows: dict[str, TableRows] = {}
        self.edit = edit

    def Connect(  # noqa: N802 - apsw's names, here and below
        self, connection: apsw.Connection, modulename: str, *_: Any
    ) -> "tuple[str, Virtual]":
        """Return the virtual table of one module."""
        del connection
        table = self.tables[modulename]
        return table.schema, Virtual(self, table)


class Virtual:
    """One virtual table."""

    def __init__(self, module: Module, table: VirtualTable) -> None:
        self._module = module
        self._table = table
        self._texts = {
            number for number, column in enumerate(table.columns) if column.type == "TEXT"
        }

    def BestIndexObject(self, info: apsw.IndexInfo) -> bool:  # noqa: N802
        """Look up by the first column of text that is compared with something."""
        info.estimatedCost = 100_000.0
        for place in range(info.nConstraint):
            column = info.get_aConstraint_iColumn(place)
            if (
                info.get_aConstraint_usable(place)
                and info.get_aConstraint_op(place) == apsw.SQLITE_INDEX_CONSTRAINT_EQ
                and column in self._texts
                # Only what is the same to the letter is looked up: NOCASE means more than that.
                and info.get_aConstraint_collation(place) == "BINARY"
            ):
                # SQLite compares once more: a lookup may give too many, never too few.
                info.set_aConstraintUsage_argvIndex(place, 1)
                info.idxNum = column + 1
                info.estimatedCost = 10.0
                break
        return True

    def Open(self) -> "Cursor":  # noqa: N802
        """Return a cursor of its own for each use in a statement."""
        return Cursor(self._module.rows[self._table.name])

    def UpdateInsertRow(self, rowid: int | None, fields: Sequence[Any]) -> int:  # noqa: N802
        """Return a new row."""
        del rowid
        return self._module.edit(self._table, None, fields)

    def UpdateChangeRow(self, row: int, _new: int, fields: Sequence[Any]) -> None:  # noqa: N802
        """Another state of a row."""
        self._module.edit(self._table, row, fields)

    def UpdateDeleteRow(self, rowid: int) -> None:  # noqa: N802
        """Delete a row."""
        self._module.edit(self._table, rowid, None)

    def Disconnect(self) -> None:  # noqa: N802
        """Do nothing: nothing is held."""

    Destroy = Disconnect


class Cursor:
    """Goes through the rows of one table."""

    def __init__(self, rows: TableRows) -> None:
        self._rows = rows
        self._numbers: Sequence[int] = ()
        self._at = 0

    def Filter(self, index: int, _name: Any, args: Sequence[Any]) -> None:  # noqa: N802
        """Begin: with an index, only rows that have this in that column."""
        self._at = 0
        if index and isinstance(args[0], str):
            self._numbers = self._rows.where(index - 1, args[0])
        else:
            self._numbers = range(len(self._rows))

    def Eof(self) -> bool:  # noqa: N802
        """Return whether there are no more."""
        return self._at >= len(self._numbers)

    def Rowid(self) -> int:  # noqa: N802
        """Return the number of this row."""
        return self._numbers[self._at]

    def Column(self, number: int) -> Any:  # noqa: N802
        """Return one of its values."""
        row = self._numbers[self._at]
        return row if number < 0 else self._rows.cell(row, number)

    def Next(self) -> None:  # noqa: N802
        """Go on."""
        self._at += 1

    def Close(self) -> None:  # noqa: N802
        """Do nothing: nothing is held."""
