"""Columns of SQLite that are declared BOOLEAN: SQLite has no such type, and gives 0 and 1."""

import re
import sqlite3
from typing import Final

from heddle.extensions.sql.statement import Statement

_DECLARED: Final = re.compile(r"\bBOOL(?:EAN)?\b", re.IGNORECASE)
_TYPE: Final = re.compile(r"BOOL(?:EAN)?\b", re.IGNORECASE)
_NAME: Final = r'(?:"(?:[^"]|"")*"|\[[^\]]*\]|`[^`]*`|\w+)'
_TARGET: Final = re.compile(
    rf"(?:\binto|^\s*update(?:\s+or\s+\w+)?|^\s*delete\s+from)\s+({_NAME}(?:\s*\.\s*{_NAME})?)",
    re.IGNORECASE,
)
_RETURNING: Final = re.compile(r"\breturning\b", re.IGNORECASE)
_KEPT: Final = 1024


class BooleanColumns:
    """Tells which columns of a result are declared BOOLEAN, by a copy of the schema in memory.

    A column counts if it is one of a table, under whatever name; what is computed does not. Call it in
    the thread of the connection. Nothing is asked of a database that has no such column.
    """

    def __init__(self, raw: sqlite3.Connection) -> None:
        self._raw = raw
        self._version: int | None = None
        self._copy: sqlite3.Connection | None = None
        self._known: dict[str, tuple[int, ...]] = {}

    def of(self, statement: Statement) -> tuple[int, ...]:
        """Return the numbers, from 0, of the columns of a statement that are declared BOOLEAN."""
        (version,) = self._raw.execute("PRAGMA schema_version").fetchone()
        if version != self._version:
            self._refresh(version)
        if self._copy is None:
            return ()
        known = self._known.get(statement.text)
        if known is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            known = self._known[statement.text] = self._columns(self._copy, statement)
        return known

    def close(self) -> None:
        """Let the copy go."""
        copy, self._copy = self._copy, None
        if copy is not None:
            copy.close()

    def _refresh(self, version: int) -> None:
        """Copy the tables and views that are there now, if one has such a column."""
        self.close()
        self._version = version
        self._known = {}
        rows = self._raw.execute(
            "SELECT sql FROM sqlite_schema WHERE type IN ('table', 'view') AND sql IS NOT NULL "
            "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type, rowid"
        ).fetchall()
        if not any(_DECLARED.search(sql) for (sql,) in rows):
            return
        copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        for (sql,) in rows:
            try:
                copy.execute(sql)
            except sqlite3.Error:
                # A table of a module that is not here: what reads it gives numbers, as it did.
                continue
        self._copy = copy

    def _columns(self, copy: sqlite3.Connection, statement: Statement) -> tuple[int, ...]:
        query = statement.bare if statement.reads else _returned(statement.bare)
        if not query:
            return ()
        try:
            copy.execute(f"CREATE TEMP VIEW heddle_result AS {query}")
        except sqlite3.Error:
            return ()
        try:
            columns = copy.execute("PRAGMA temp.table_info(heddle_result)").fetchall()
        except sqlite3.Error:
            return ()
        finally:
            copy.execute("DROP VIEW temp.heddle_result")
        return tuple(column[0] for column in columns if _TYPE.match(column[2] or ""))


def _returned(sql: str) -> str:
    """Return the query of the columns that a change returns; "" if it returns none."""
    parts = _RETURNING.split(sql)
    target = _TARGET.search(sql)
    if len(parts) < 2 or target is None:
        return ""
    return f"SELECT {parts[-1].strip().rstrip(';')} FROM {target[1]}"
