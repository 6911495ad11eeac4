"""Records of a CSV text: lines that belong together, read as they come, in bounded memory."""

import csv
from collections.abc import AsyncIterator, Sequence
from typing import Any, Literal

import msgspec

from heddle.extensions.data.cells import Type, read
from heddle.extensions.data.errors import rejected

LONGEST = 10_000
"""Lines that one record may have: more, and a quote is not closed."""

WIDEST = 16 * 1024 * 1024
"""Characters that one record may have, and so a cell."""


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The rules for reading a CSV text."""

    delimiter: str = ","
    quote: str = '"'
    header: bool = True
    columns: tuple[str, ...] = ()
    types: dict[str, Type] = {}
    nulls: frozenset[str] = frozenset()
    ragged: Literal["error", "fill"] = "error"


class Records:
    """Makes rows of lines; keeps what is open from one call to the next."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._delimiter = "" if rules.delimiter == "auto" else rules.delimiter
        self._columns = list(rules.columns)
        # Most columns are text as it stands: only the others are looked at, cell by cell.
        self._typed: list[tuple[str, Type]] = [
            (name, kind) for name, kind in rules.types.items() if kind != "text"
        ]
        self._header = rules.header
        self._open: list[str] = []
        self._inside = False
        self._width = 0
        self._line = 0
        # The reader's own limit is 131,072 characters a cell, for all that read CSV in the process.
        if csv.field_size_limit() < WIDEST:
            csv.field_size_limit(WIDEST)

    async def rows(self, lines: AsyncIterator[list[str]]) -> AsyncIterator[list[Any]]:
        """Yield the rows, some at a time; NodeError names the line of what is wrong."""
        async for some in lines:
            values = self._rows(some)
            if values:
                yield values
        if self._open:
            raise rejected(f"line {self._line + 1}: a quote is opened and never closed", "csv")

    def _rows(self, lines: Sequence[str]) -> list[Any]:
        if not self._delimiter:
            self._delimiter = _guess(lines[0], self._rules.quote)
        rows: list[Any] = []
        ready: list[tuple[int, str]] = []
        quote = self._rules.quote
        for line in lines:
            if not self._open and quote not in line:
                self._line += 1
                ready.append((self._line, line))
                continue
            self._inside = self._after(line)
            self._open.append(line)
            self._width += len(line)
            if self._width > WIDEST:
                actual = f"line {self._line + 1}: a record of more than {WIDEST:,} characters"
                raise rejected(actual, "too-large")
            if self._inside:
                if len(self._open) > LONGEST:
                    raise rejected(
                        f"line {self._line + 1}: a quote is opened and not closed within "
                        f"{LONGEST} lines",
                        "csv",
                    )
                continue
            ready.append((self._line + 1, "".join(self._open)))
            self._line += len(self._open)
            self._open, self._width = [], 0
        # The reader takes a record that has several lines as one.
        reader = csv.reader(
            (text for _, text in ready),
            delimiter=self._delimiter,
            quotechar=self._rules.quote,
            strict=True,
        )
        for number, _ in ready:
            try:
                cells = next(reader)
            except csv.Error as error:
                message = str(error)
                if "new-line character" in message:
                    message = (
                        "a CR stands outside of quotes (expected: lines that end with LF or CR LF)"
                    )
                raise rejected(f"line {number}: {message}", "csv") from None
            row = self._row(cells, number) if cells else None
            if row is not None:
                rows.append(row)
        return rows

    def _after(self, line: str) -> bool:
        """Return whether a quoted cell is still open at the end of a line."""
        quote, inside = self._rules.quote, self._inside
        if quote not in line:
            return inside
        at = 0
        while at < len(line):
            if not inside:
                if line[at] == quote:
                    inside = True
                    at += 1
                else:
                    following = line.find(self._delimiter, at)
                    if following < 0:
                        return False
                    at = following + 1
                continue
            end = line.find(quote, at)
            if end < 0:
                return True
            at = end + 1
            if line[at : at + 1] == quote:
                at += 1
                continue
            inside = False
            following = line.find(self._delimiter, at)
            if following < 0:
                return False
            at = following + 1
        return inside

    def _row(self, cells: list[str], number: int) -> Any:
        if self._header:
            self._header = False
            if not self._columns:
                self._columns = _names(cells, number)
            self._check(number)
            return None
        if not self._columns:
            return [self._cell(cell, str(at), number) for at, cell in enumerate(cells)]
        width = len(self._columns)
        short = len(cells) < width and self._rules.ragged == "fill"
        if len(cells) != width and not short:
            raise rejected(
                f"line {number}: found {len(cells)} cells (expected: {width}, as there are columns)",
                "csv",
            )
        row: dict[str, Any] = dict(zip(self._columns, cells, strict=False))
        if self._rules.nulls:
            row = {name: self._cell(cell, name, number) for name, cell in row.items()}
        else:
            for name, kind in self._typed:
                if name in row:
                    row[name] = read(row[name], kind, number, name)
        return row if not short else {name: row.get(name) for name in self._columns}

    def _cell(self, cell: str, name: str, number: int) -> Any:
        if cell in self._rules.nulls:
            return None
        type_name = self._rules.types.get(name)
        return cell if type_name is None else read(cell, type_name, number, name)

    def _check(self, number: int) -> None:
        unknown = [name for name in self._rules.types if name not in self._columns]
        if unknown:
            raise rejected(
                f'line {number}: there is no column "{unknown[0]}" (there are: '
                f"{', '.join(self._columns)})",
                "csv",
            )


def _names(cells: list[str], number: int) -> list[str]:
    """Return the cells of a header as names: each has one, and no other has it."""
    for at, name in enumerate(cells):
        if not name:
            raise rejected(f"line {number}: column {at + 1} has no name", "csv")
        if name in cells[:at]:
            raise rejected(f'line {number}: two columns are called "{name}"', "csv")
    return cells


def _guess(line: str, quote: str) -> str:
    """Return what most likely parts the cells of a first line."""
    bare = "".join(line.split(quote)[::2])
    return max(",;\t|", key=lambda mark: (bare.count(mark), mark == ","))
