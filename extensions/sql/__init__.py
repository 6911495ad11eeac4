"""SQL: kinds that work with databases."""

from heddle.extensions.extension import Extension
from heddle.extensions.sql.query import SQL


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kind(SQL)
