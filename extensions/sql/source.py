"""A source is a database as a Spec names it: which driver it takes, and who shares its pool."""

from collections.abc import Callable
from typing import Any, NoReturn

from heddle.extensions.extension import Build, Host
from heddle.extensions.sql.database import Database
from heddle.extensions.sql.pool import SqlPool
from heddle.extensions.sql.sqlite import SqliteDatabase
from heddle.runtime.managed import managed_by
from heddle.schemas.suggestion import did_you_mean

DRIVERS = {
    "sqlite": "sqlite",
    "sqlite3": "sqlite",
    "postgres": "postgres",
    "postgresql": "postgres",
    "pgx": "postgres",
    "pq": "postgres",
    "sqlalchemy": "sqlalchemy",
}
"""The names of `driver`, and which of ours each is; any other name needs a SQLAlchemy URL."""

INTERNAL = "internal"
"""The driver for SQL over the running runtime."""

_SHARED = "sql.pools"


def database(driver: str, source: str, build: Build) -> Database:
    """Return the Database of a Spec; raise SpecError if there is no such driver, or its extra is missing."""
    ours = _driver(driver, source, build)
    try:
        if ours == "sqlite":
            return SqliteDatabase(source)
        if ours == "postgres":
            return _postgres(source, build)
        return _alchemy(source, build)
    except ValueError as error:
        build.reject("source", found=str(error), expected=_WANTED[ours], code="source")


_WANTED = {
    "sqlite": "a path, :memory: or a URL such as sqlite:///app.db?_journal_mode=wal",
    "postgres": "a URL such as postgresql://user:password@host/name",
    "sqlalchemy": "a URL of SQLAlchemy such as mysql+pymysql://user:password@host/name",
}


def _driver(driver: str, source: str, build: Build) -> str:
    """Return which of our drivers is meant: by its name, or else by the beginning of the source."""
    if not source:
        build.reject("source", found="missing", expected="a database", code="missing")
    scheme, mark, _ = source.partition("://")
    scheme = scheme.lower() if mark else ""
    if not driver:
        if scheme in DRIVERS:
            return DRIVERS[scheme]
        if scheme and scheme != "file":
            return "sqlalchemy"
        return "sqlite"
    text = DRIVERS.get(driver.lower())
    if text is not None:
        return text
    if not scheme:
        build.reject(
            "driver",
            found=f'unknown driver "{driver}"',
            expected=f"{', '.join(sorted({*DRIVERS, INTERNAL}))}, or another with a URL as its source",
            hint=_advice(driver) or did_you_mean(driver, [*DRIVERS, INTERNAL]),
            code="unknown-driver",
        )
    return "sqlalchemy"


def _postgres(source: str, build: Build) -> Database:
    try:
        from heddle.extensions.sql.postgres import PostgresDatabase
    except ImportError as error:
        return missing("postgres", error, build)
    return PostgresDatabase(source)


def _alchemy(source: str, build: Build) -> Database:
    try:
        from heddle.extensions.sql.alchemy import AlchemyDatabase
    except ImportError as error:
        return missing("sqlalchemy", error, build)
    try:
        return AlchemyDatabase(source)
    except (ImportError, ValueError) as error:
        name = source.partition("://")[0]
        hint = _advice(name)
        if isinstance(error, ValueError) and not (hint and _is_unknown(error)):
            raise
        if not hint and isinstance(error, ImportError) and error.name:
            hint = f"The driver that this URL names needs the Python module {error.name}."
        build.reject(
            "source",
            found=f"the driver of {name} is not installed"
            + (f": {error}" if isinstance(error, ImportError) else ""),
            expected="the package of a driver, and a URL that names it",
            hint=hint,
            code="missing-package",
        )


def _advice(scheme: str) -> str:
    # Not at the top: who names a database that is there needs no table of packages.
    from heddle.extensions.sql.drivers import advice

    return advice(scheme)


def _is_unknown(error: ValueError) -> bool:
    """Return whether SQLAlchemy knows no database of that name."""
    from sqlalchemy.exc import NoSuchModuleError

    return isinstance(error.__cause__, NoSuchModuleError)


def internal(source: str, build: Build) -> Callable[[Host], Database]:
    """Return what makes the Database of the running runtime; raise SpecError if that cannot be."""
    if source not in ("", "read", "write"):
        build.reject(
            "source",
            found=f'"{source}"',
            expected="read (the default) or write: it is the runtime itself that is asked",
            hint=did_you_mean(source, ["read", "write"]),
            code="source",
        )
    try:
        from heddle.extensions.sql.internal.database import InternalDatabase
    except ImportError as error:
        return missing("internal", error, build)

    def make(host: Host) -> Database:
        return InternalDatabase(
            managed_by(host), writes=source == "write", author=f"{host.namespace}/{host.label}"
        )

    return make


def key_of_source(driver: str, source: str) -> str:
    """Return what a pool is shared by: the source in the words that it is written in."""
    return f"{INTERNAL}:{source or 'read'}" if driver.lower() == INTERNAL else source


def missing(extra: str, error: ImportError, build: Build) -> NoReturn:
    """Refuse a Spec whose extra is not installed."""
    build.reject(
        "driver",
        found=f"what it needs is not installed: {error}",
        expected=f"the extra {extra}",
        hint=f"pip install 'heddle-runtime[{extra}]'",
        code="missing-extra",
    )


class SharedPools:
    """The pools of one runtime: whoever names the same source in the same words shares one.

    A pool lives as long as somebody uses it, so it outlives a reload that leaves the source as it is.
    """

    def __init__(self) -> None:
        self._pools: dict[str, tuple[SqlPool, dict[Host, int]]] = {}

    def enter(self, host: Host, source: str, make: Callable[[], Database], size: int) -> SqlPool:
        """Return the pool of this source, for this user, who wants so many connections of it."""
        if source not in self._pools:
            users: dict[Host, int] = {}

            def emit(event: str, **data: Any) -> None:
                for user in users:
                    user.emit(event, **data)
                    return

            self._pools[source] = SqlPool(make(), emit, 1), users
        pool, users = self._pools[source]
        users[host] = size
        _resize(pool, users)
        return pool

    async def leave(self, host: Host, source: str) -> None:
        """Release the pool for this user; the last user closes it."""
        pool, users = self._pools[source]
        users.pop(host, None)
        if users:
            _resize(pool, users)
            return
        del self._pools[source]
        await pool.close()


def shared(host: Host) -> SharedPools:
    """Return the pools of the runtime that this host belongs to."""
    pools: SharedPools = host.shared.setdefault(_SHARED, SharedPools())
    return pools


def _resize(pool: SqlPool, users: dict[Host, int]) -> None:
    pool.size = min(max(users.values()), pool.database.most)
