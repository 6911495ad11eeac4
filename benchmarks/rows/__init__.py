"""The rows of the table, in its order: each a file that says what is measured against which floor."""

from importlib import import_module

from benchmarks.row import Row

NAMES = (
    "nodes",
    "process",
    "kinds",
    "conditions",
    "items",
    "validate",
    "tasks",
    "tasks_durable",
    "ping",
    "transform",
    "checked",
    "sockets",
    "streams",
    "start",
    "edit",
    "postgres",
    "deploy",
    "workers",
    "api",
    "put",
    "command",
    "soak",
    "floods",
    "stalls",
)
"""Every row, in the order of the table."""


def row(name: str) -> Row:
    """Return the row of that name."""
    found: Row = import_module(f"benchmarks.rows.{name}").ROW
    return found
