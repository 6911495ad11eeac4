"""A Database is where connections come from; a Connection runs statements, one at a time.

Both are contracts: SQLite, PostgreSQL and SQLAlchemy each keep them in a file of their own.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol, Self, TypeAlias

import msgspec

from heddle.extensions.extension import FieldError, FieldType, NodeError
from heddle.extensions.sql.errors import rejected
from heddle.extensions.sql.statement import Statement
from heddle.schemas.data_type import describe_type

Row: TypeAlias = dict[str, Any]
"""The columns of one row, by name; NULL is None."""

_LEVELS = ("default", "read uncommitted", "read committed", "repeatable read", "serializable")
_NUMBERS = {0: 0, 1: 1, 2: 2, 4: 3, 5: 3, 6: 4}


class Isolation(str, FieldType):
    """The isolation of a transaction from others; `rank` grows with what it is kept from seeing.

    A number is one of uniflow's: 0 default, 1 read uncommitted, 2 read committed, 4 repeatable
    read, 5 snapshot, 6 serializable.
    """

    __slots__ = ()

    expected: ClassVar[str] = "one of " + ", ".join(_LEVELS)
    json_schema: ClassVar[Mapping[str, Any]] = {
        "anyOf": [{"enum": list(_LEVELS)}, {"enum": list(_NUMBERS)}]
    }

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the level written; FieldError if it is none."""
        if isinstance(value, int) and not isinstance(value, bool) and value in _NUMBERS:
            return cls(_LEVELS[_NUMBERS[value]])
        text = value.lower().replace("_", " ").replace("-", " ") if isinstance(value, str) else ""
        if text not in _LEVELS:
            raise FieldError(describe_type(value), expected=cls.expected, code="type")
        return cls(text)

    @property
    def rank(self) -> int:
        """0 is the default of the database, then 1 to 4."""
        return _LEVELS.index(self)


class StatementResult(msgspec.Struct):
    """The result of a statement: `rows`, or None if it gives none, and what it changed.

    `key` is the key that the database made for the row that was put in last, if it tells.
    """

    rows: list[Row] | None
    affected: int = 0
    key: Any = None


class SqlConnection(Protocol):
    """One connection. Calls do not overlap; what they raise is a NodeError.

    A call that is cancelled stops what it does in the database, too.
    """

    @property
    def lost(self) -> str:
        """Why it is of no use any more; empty while it is."""
        ...

    async def begin(self, isolation: Isolation, *, writes: bool, wait: float) -> None:
        """Begin a transaction; `writes` says that its first statement does."""
        ...

    async def run(
        self, statement: Statement, sets: Sequence[list[Any]], *, most: int, apart: bool = False
    ) -> StatementResult:
        """Run it once for each set of values, and join what comes of it.

        More than `most` rows (0: no limit) are a NodeError. `apart` undoes what it did if it fails,
        and leaves the transaction as it was before.
        """
        ...

    def stream(
        self, statement: Statement, values: list[Any], *, size: int
    ) -> AsyncIterator[list[Row]]:
        """Return the rows of a statement, at most `size` at a time. Other calls may come between."""
        ...

    async def commit(self) -> None:
        """Make it last; raise NodeError if it does not."""
        ...

    async def rollback(self) -> None:
        """Undo the transaction, or close the connection. Never raises."""
        ...

    async def close(self) -> None:
        """Let go of it. Never raises."""
        ...


class Database(Protocol):
    """The source of connections. `name` is what people are told: it holds no secret.

    `dialect` is how its placeholders are written; `most` is how many connections make sense.
    """

    name: str
    dialect: str
    most: int

    async def connect(self) -> SqlConnection:
        """Return a new connection; any exception says why there is none."""
        ...


def columns(names: Sequence[str]) -> list[str]:
    """Return the names of columns as keys: one that is there already gets a number, `id_2`."""
    if len(set(names)) == len(names):
        return list(names)
    taken = set(names)
    texts: list[str] = []
    for name in names:
        number = 2
        key = name
        while key in texts or (key != name and key in taken):
            key = f"{name}_{number}"
            number += 1
        texts.append(key)
    return texts


def too_many(most: int) -> NodeError:
    """Return a result that is larger than its limit."""
    return rejected(
        f"more than {most} rows: raise max_rows, or have them streamed (result: jsonl) or sent in "
        "batches"
    )
