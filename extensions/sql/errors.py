"""The errors of a database, in words that are the same for every database."""

from typing import Any

from heddle.extensions.extension import Error, NodeError

STATES = {
    "23505": "unique",
    "23503": "foreign-key",
    "23502": "not-null",
    "23514": "check",
    "23P01": "exclusion",
    "40001": "serialization",
    "40P01": "deadlock",
    "55P03": "locked",
    "57014": "cancelled",
    "25P02": "aborted",
    "25006": "read-only",
    "SQLITE_CONSTRAINT_UNIQUE": "unique",
    "SQLITE_CONSTRAINT_PRIMARYKEY": "unique",
    "SQLITE_CONSTRAINT_FOREIGNKEY": "foreign-key",
    "SQLITE_CONSTRAINT_NOTNULL": "not-null",
    "SQLITE_CONSTRAINT_CHECK": "check",
    "SQLITE_BUSY": "locked",
    "SQLITE_BUSY_SNAPSHOT": "serialization",
    "SQLITE_LOCKED": "locked",
    "SQLITE_INTERRUPT": "cancelled",
    "SQLITE_READONLY": "read-only",
}
"""The code of our Error for what SQLSTATE and SQLite call it; anything else is `sql`."""


class UnreachableError(NodeError):
    """There is no connection to be had."""

    def __init__(self, message: str) -> None:
        super().__init__(Error(message, code="unreachable"))


def unconfirmed(message: str, state: str, cause: BaseException) -> NodeError:
    """Return the NodeError of a commit that was sent and never answered: it may have been made."""
    text = f"it may have been committed: the answer was lost ({message})"
    return NodeError(Error(text, code="unconfirmed", data={"state": state}, cause=cause))


def rejected(message: str) -> NodeError:
    """Return a packet that cannot be made a statement of."""
    return NodeError(Error(message, code="sql"))


def failed(message: str, state: str, cause: BaseException, **more: Any) -> NodeError:
    """Return what a database said: `data` holds its own code as `state`, and what else it told."""
    data = {"state": state, **{name: value for name, value in more.items() if value}}
    code = STATES.get(state, "sql")
    return NodeError(Error(message, code=code, data=data, cause=cause))
