"""Drivers of databases that SQLAlchemy speaks to: the package on PyPI, and the URL that names it."""

from typing import Final, NamedTuple


class Driver(NamedTuple):
    """A package that can be installed, and how a source begins that uses it."""

    package: str
    scheme: str


_PYMYSQL: Final = Driver("pymysql", "mysql+pymysql")
_OWN_POSTGRES: Final = Driver("'heddle-runtime[postgres]'", "postgresql")

DRIVERS: Final = {
    "mysql": _PYMYSQL,
    "mysql2": _PYMYSQL,
    # These wait by asyncio, and a connection here has a thread of its own.
    "mysql+aiomysql": _PYMYSQL,
    "mysql+asyncmy": _PYMYSQL,
    "mysql+pymysql": _PYMYSQL,
    "mysql+mysqldb": Driver("mysqlclient", "mysql+mysqldb"),
    "mysql+mysqlconnector": Driver("mysql-connector-python", "mysql+mysqlconnector"),
    "mariadb": Driver("pymysql", "mariadb+pymysql"),
    "mariadb+pymysql": Driver("pymysql", "mariadb+pymysql"),
    "mariadb+mariadbconnector": Driver("mariadb", "mariadb+mariadbconnector"),
    "mysql+mariadbconnector": Driver("mariadb", "mariadb+mariadbconnector"),
    "oracle": Driver("oracledb", "oracle+oracledb"),
    "oracle+oracledb": Driver("oracledb", "oracle+oracledb"),
    "oracle+cx_oracle": Driver("cx_Oracle", "oracle+cx_oracle"),
    "mssql": Driver("pymssql", "mssql+pymssql"),
    "mssql+pymssql": Driver("pymssql", "mssql+pymssql"),
    "mssql+pyodbc": Driver("pyodbc", "mssql+pyodbc"),
    "sqlserver": Driver("pymssql", "mssql+pymssql"),
    "postgresql+psycopg": _OWN_POSTGRES,
    "postgresql+psycopg2": _OWN_POSTGRES,
    "postgresql+asyncpg": _OWN_POSTGRES,
    "postgresql+pg8000": _OWN_POSTGRES,
    "postgres+psycopg2": _OWN_POSTGRES,
    "cockroachdb": _OWN_POSTGRES,
    "cockroach": _OWN_POSTGRES,
    "redshift": _OWN_POSTGRES,
    "timescaledb": _OWN_POSTGRES,
    "db2": Driver("ibm_db_sa", "db2+ibm_db"),
    "db2+ibm_db": Driver("ibm_db_sa", "db2+ibm_db"),
    "ibm_db_sa": Driver("ibm_db_sa", "db2+ibm_db"),
    "duckdb": Driver("duckdb-engine", "duckdb"),
    "snowflake": Driver("snowflake-sqlalchemy", "snowflake"),
    "bigquery": Driver("sqlalchemy-bigquery", "bigquery"),
    "clickhouse": Driver("clickhouse-connect", "clickhousedb"),
    "clickhousedb": Driver("clickhouse-connect", "clickhousedb"),
    "trino": Driver("trino", "trino"),
    "firebird": Driver("sqlalchemy-firebird", "firebird"),
    "hana": Driver("sqlalchemy-hana", "hana"),
    "teradata": Driver("teradatasqlalchemy", "teradatasql"),
    "teradatasql": Driver("teradatasqlalchemy", "teradatasql"),
}
"""By what a source begins with; the package is one that exists and works in threads."""


def advice(scheme: str) -> str:
    """Return what to install and what to write for a source that begins so, or an empty text."""
    driver = DRIVERS.get(scheme.lower())
    if driver is None:
        return ""
    install = f"pip install {driver.package}"
    if driver.scheme == scheme:
        return install
    return f"{install}, and write the source as {driver.scheme}://…"
