"""The address of a database, and what its query says about the store in it."""

import re
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from heddle.schemas.errors import StoreError
from heddle.schemas.suggestion import did_you_mean

SCHEMA = "heddle"
"""The schema that the tables are in, where the address names none."""

_SCHEMA = re.compile(r"(?!pg_)[a-z_][a-z0-9_]{0,47}")
_SCHEMA_RULE = "small letters, digits and _, at most 48, neither a digit nor pg_ in front"

# A connection whose far side is gone without a word is noticed after 25 seconds, not after two hours.
_ALIVE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
    "application_name": "heddle",
}


class StoreOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of the store in its address; everything else in the query is libpq's.

    `wait` is how long a request may wait for the database while it cannot be reached,
    `statement_timeout` how long one statement may take; both in seconds. With `migrate` off the
    tables are never changed by opening the store.
    """

    schema: str = SCHEMA
    pool_min: int = 1
    pool_max: int = 4
    wait: float = 5.0
    statement_timeout: float = 30.0
    migrate: bool = True


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """The address of a store. `shown` is for people: it holds no secret. `conninfo` is for libpq: it may."""

    shown: str
    conninfo: str
    options: StoreOptions

    @property
    def schema(self) -> str:
        """The schema that the tables are in."""
        return self.options.schema


def read_address(url: str) -> Address:
    """Return the parts of `postgresql://user@host/database?schema=flows`; raise StoreError if it cannot be read.

    Its message never repeats what stands where a password may be.
    """
    scheme, _, rest = url.partition("://")
    place, _, query = rest.partition("?")
    ours, theirs = {}, []
    for key, text in parse_qsl(query, keep_blank_values=True):
        if key in StoreOptions.__struct_fields__:
            ours[key] = text
        else:
            theirs.append((key, text))
    plain = f"postgresql://{place}?{urlencode(theirs, quote_via=quote)}" if theirs else ""
    try:
        data: dict[str, Any] = conninfo_to_dict(plain or f"postgresql://{place}")
    except ProgrammingError:
        raise StoreError(_unreadable(scheme, theirs)) from None
    # Signs of a password that is not written as it must be: a part of it stands elsewhere now.
    port = str(data.get("port") or "").replace(",", "")
    if "@" in f"{data.get('host')}{data.get('dbname')}" or (port and not port.isdigit()):
        raise StoreError(_unreadable(scheme, []))
    shown = _shown(data)
    options = _options(ours, shown)
    if options.schema != SCHEMA:
        shown += f"?schema={options.schema}"
    whole: dict[str, Any] = _ALIVE | data
    return Address(shown=shown, conninfo=make_conninfo("", **whole), options=options)


def _unreadable(scheme: str, theirs: "list[tuple[str, str]]") -> str:
    expected = f"{scheme}://USER@HOST:PORT/DATABASE?OPTION=…"
    for key, _ in theirs:
        if not key.isidentifier():
            break
        try:
            make_conninfo("", **{key: "1"})
        except ProgrammingError:
            near = did_you_mean(
                key, [*StoreOptions.__struct_fields__, "sslmode", "connect_timeout"]
            )
            known = ", ".join(StoreOptions.__struct_fields__)
            return (
                f'the address of the store has an unknown option "{key}" '
                f"(expected: {known}, or an option of libpq). {near}".rstrip(". ")
            )
    return (
        f"the address of the store cannot be read (expected: {expected}). "
        "Signs such as @ : / ? # in a password are written as %40 %3A %2F %3F %23"
    )


def _shown(data: "dict[str, Any]") -> str:
    user = quote(str(data["user"])) if data.get("user") else ""
    if data.get("password"):
        user += ":***"
    host = str(data.get("host") or data.get("hostaddr") or "localhost")
    host = host if "," in host or ":" not in host else f"[{host}]"
    port = str(data.get("port") or "").strip(",")
    port = f":{port}" if port else ""
    name = quote(str(data.get("dbname") or data.get("user") or ""))
    return f"postgresql://{f'{user}@' if user else ''}{host}{port}/{name}"


def _options(ours: "dict[str, str]", shown: str) -> StoreOptions:
    data: dict[str, Any] = dict(ours)
    try:
        if "migrate" in data:
            data["migrate"] = {"on": True, "off": False}.get(data["migrate"], data["migrate"])
        options = msgspec.convert(data, StoreOptions, strict=False)
    except msgspec.ValidationError as error:
        name = str(error).rpartition("$.")[2].rstrip("`")
        kind = "on or off" if name == "migrate" else "a number"
        raise StoreError(
            f'the option "{name}" in the address {shown} is "{data.get(name, "")}" (expected: {kind})'
        ) from None
    if not _SCHEMA.fullmatch(options.schema):
        raise StoreError(
            f'"{options.schema}" cannot be the schema of the store {shown} (expected: {_SCHEMA_RULE})'
        )
    wrong = ""
    if not 0 <= options.pool_min <= options.pool_max or not 1 <= options.pool_max <= 1000:
        wrong = f"pool_min={options.pool_min}, pool_max={options.pool_max} (expected: 0 ≤ pool_min ≤ pool_max ≤ 1000)"
    elif not 0 < options.wait <= 3600 or not 0 < options.statement_timeout <= 86_400:
        wrong = f"wait={options.wait:g}, statement_timeout={options.statement_timeout:g} (expected: seconds above 0)"
    if wrong:
        raise StoreError(f"an option in the address {shown} is wrong: {wrong}")
    return options
