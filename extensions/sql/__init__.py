"""SQL: kinds that work with databases, or with what may be in one."""

from heddle.extensions.extension import Extension
from heddle.extensions.sql.query import SQL
from heddle.extensions.sql.store import STORE


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kind(SQL)
    extension.kind(STORE)
