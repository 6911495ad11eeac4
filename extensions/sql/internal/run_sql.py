"""One statement over what is managed, from outside of any flow."""

from typing import Any

from heddle.extensions.sql.database import Isolation
from heddle.extensions.sql.internal.database import InternalDatabase
from heddle.extensions.sql.statement import statement
from heddle.runtime.managed import ManagedStores

MOST = 100_000
"""Rows that are given at most."""


async def run_sql(
    managed: ManagedStores,
    text: str,
    args: Any = None,
    *,
    writes: bool = False,
    author: str = "sql",
) -> list[dict[str, Any]] | dict[str, Any]:
    """Return the rows of a statement, or what it changed: `{affected, id}`. NodeError says why there is neither.

    `args` is a list by position, a map by name. What is changed is one change set, made before this
    returns.
    """
    parsed = statement(text, InternalDatabase.dialect)
    connection = await InternalDatabase(managed, writes=writes, author=author).connect()
    try:
        await connection.begin(Isolation("default"), writes=writes, wait=0.0)
        outcome = await connection.run(parsed, [parsed.bind(args)], most=MOST)
        await connection.commit()
    finally:
        await connection.close()
    if outcome.rows is not None:
        return outcome.rows
    return {"affected": outcome.affected, "id": outcome.key}
