"""SQL: kinds that work with databases, or with what may be in one."""

from heddle.extensions.extension import Extension

KINDS = {
    "sql": "sql:SQL",
    "store": "store:STORE",
}


def register(extension: Extension) -> None:
    """Add the kinds of this family."""
    extension.kinds(__name__, KINDS)
