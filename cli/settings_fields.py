"""The tables of `heddle.toml`, declared with Fields: each class is one table of the file."""

import shlex
from os.path import expanduser
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias, get_args

import msgspec

from heddle.schemas.field import FieldError, Fields, FieldType
from heddle.schemas.link import LinkStyle
from heddle.specs.model.names import NAMESPACE_RULE, legal_namespace

LogFormat: TypeAlias = Literal["auto", "text", "json"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]


def setting(expected: str, *, name: str = "", **limits: Any) -> msgspec.Meta:
    """Return what may stand at a key, in words, and the limits that hold; goes into `Annotated`.

    `name` is that of the attribute of Settings, if it is not the name of the key.
    """
    meta: msgspec.Meta = msgspec.Meta(extra={"expected": expected, "name": name}, **limits)
    return meta


# --- types --------------------------------------------------------------------------------------

Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1)]
Names: TypeAlias = tuple[Name, ...]


class SettingType(FieldType):
    """A type that reads its own written form."""

    __slots__ = ()

    def plain(self) -> Any:
        """Return the settings as plain data: they go to other processes."""
        kinds: tuple[Any, ...] = (str, int, tuple, dict)
        return next(kind(self) for kind in kinds if isinstance(self, kind))


class NamespaceName(str, SettingType):
    """The name of a namespace."""

    __slots__ = ()
    expected: ClassVar[str] = NAMESPACE_RULE

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the name; raise FieldError if no namespace may be called so."""
        if not isinstance(value, str) or not legal_namespace(value):
            raise FieldError(str(value), expected=cls.expected)
        return cls(value)


class UserPath(str, SettingType):
    """A path that may begin with `~`."""

    __slots__ = ()

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the path with the home folder filled in; raise FieldError if it is not a text."""
        if not isinstance(value, str) or not value:
            raise FieldError(str(value), expected="a path")
        return cls(expanduser(value))  # noqa: PTH111 - an empty folder stays as it is written


class ByteCount(int, SettingType):
    """A number of bytes, written with a unit or without."""

    __slots__ = ()

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the number of bytes; raise ValueError if it is not a size."""
        # Most commands need no units.
        from heddle.schemas.units import Size

        if isinstance(value, bool) or not isinstance(value, int | str):
            raise FieldError(str(value), expected="a size")
        whole = isinstance(value, str) and value.isdecimal()
        count = int(value) if whole else int(Size(value))
        if count < 0:
            raise FieldError(str(value), expected="a size")
        return cls(count)


class ByteLimit(ByteCount):
    """A number of bytes that is not zero."""

    __slots__ = ()

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the number of bytes; raise ValueError if it is not a size, or zero."""
        from heddle.schemas.units import Size

        count = int(Size.read(value))
        if count <= 0:
            raise FieldError(str(value), expected="a size")
        return cls(count)


class CommandLine(tuple[str, ...], SettingType):
    """A command: a list of words, or one line."""

    __slots__ = ()

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the words; raise ValueError if there are none, or a quotation mark is not closed."""
        words = shlex.split(value) if isinstance(value, str) else msgspec.convert(value, Names)
        if not words:
            raise FieldError("no command", expected="a command")
        return cls(words)


class Environment(dict[str, Any], SettingType):
    """The data that blanks of specs are filled from: data that a payload may hold. TOML has dates, too."""

    __slots__ = ()

    @classmethod
    def read(cls, value: Any) -> Self:
        """Return the table; raise FieldError if it holds what no payload does."""
        if not isinstance(value, dict) or not _is_plain(value):
            raise FieldError("a table", expected="plain data")
        return cls(value)


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(_is_plain(each) for each in value.values())
    if isinstance(value, list):
        return all(_is_plain(each) for each in value)
    return isinstance(value, str | int | float | bool)


# --- tables -------------------------------------------------------------------------------------

_SECONDS = setting("a number of seconds", ge=0, lt=1e9)
_BYTES = setting("a number of bytes, or a size such as 2MiB")
_FLAG = setting("true or false")


class LogTable(Fields):
    """[log]."""

    format: Annotated[LogFormat, setting(" or ".join(get_args(LogFormat)))]
    level: Annotated[LogLevel, setting(" or ".join(get_args(LogLevel)))]


class SecretsTable(Fields):
    """[secrets]."""

    token_file: Annotated[
        str, setting("the file of a token for the API", name="token_file", min_length=1)
    ]
    key_file: Annotated[
        UserPath,
        setting("the path of a file with keys, as heddle key new writes it", name="key_file"),
    ]
    key_command: Annotated[
        CommandLine,
        setting("a command that prints keys: a list of words, or one line", name="key_command"),
    ]


class RedactTable(Fields):
    """[redact]."""

    keys: Annotated[Names, setting('a list of keys whose values are hidden, such as ["pin"]')]
    paths: Annotated[
        Names,
        setting(
            'a list of places in payloads that are hidden, such as ["body.address", "**.phone"]'
        ),
    ]
    allow: Annotated[
        Names,
        setting('a list of keys or places that are shown all the same, such as ["token_type"]'),
    ]


class FmtTable(Fields):
    """The layout of `heddle fmt`."""

    links: Annotated[LinkStyle, setting(" or ".join(get_args(LinkStyle)))]


class TestTable(Fields):
    """[test]."""

    __test__: ClassVar[bool] = False

    environment: Annotated[
        Environment, setting("a table of texts, numbers, booleans, lists and tables")
    ]


class StateTable(Fields):
    """[state]."""

    folder: Annotated[UserPath, setting("the path of a folder")]


class RunsTable(Fields):
    """[runs]."""

    store: Annotated[
        str,
        setting(
            "the path of a SQLite file or a folder, or an address", name="run_store", min_length=1
        ),
    ]


class MemoryTable(Fields):
    """[memory]."""

    buffers: Annotated[
        ByteCount, setting('a size such as "512MiB", or 0 for no limit', name="buffers")
    ]


class UpTable(Fields):
    """[up]."""

    health: Annotated[float, _SECONDS, setting("a number of seconds", name="health")]
    address: Annotated[str, setting("HOST:PORT", name="health_address", min_length=1)]


class SystemTable(Fields):
    """[system]."""

    listen: Annotated[str, setting("HOST:PORT", min_length=1)]
    cert: Annotated[str, setting("the path of a certificate", min_length=1)]
    key: Annotated[str, setting("the path of its private key", min_length=1)]
    hosts: Annotated[Names, setting("a list of the names it may be called")]
    audit: Annotated[str, setting("the path of a file", min_length=1)]
    rate: Annotated[int, setting("how many requests a second", gt=0)]
    body: Annotated[int, setting("a number of bytes", gt=0)]


class LimitsTable(Fields):
    """[limits]."""

    change_set: Annotated[ByteLimit, _BYTES]
    file: Annotated[ByteLimit, _BYTES]
    nodes: Annotated[int, setting("a number of nodes", gt=0)]
    depth: Annotated[int, setting("a number of levels, 200 at most", gt=0, le=200)]
    files: Annotated[int, setting("a number of files", gt=0)]
    follow_links: Annotated[bool, setting("true or false", name="follow_links")]


class NamespaceTable(Fields):
    """[namespaces.NAME]: what may differ from one namespace to another."""

    store: Annotated[str, setting("a folder, a file, or an address", min_length=1)]
    language: Annotated[str, setting("the name of a language", min_length=1)]
    extensions: Annotated[Names, setting('a list of modules, such as ["my_kinds"]')]
    drain: Annotated[float, _SECONDS]
    watchdog: Annotated[bool, _FLAG]
    lease: Annotated[float, setting("a number of seconds, at least 0.5", ge=0.5, lt=1e9)]
    workers: Annotated[
        int, setting("a number of processes, or 0 for one on each processor", ge=0, le=1000)
    ]
    environment: Annotated[
        Environment, setting("a table of texts, numbers, booleans, lists and tables")
    ]


class SettingsFile(NamespaceTable):
    """The whole file. A table gives its keys the prefix of its name, unless they say another."""

    namespace: Annotated[NamespaceName, setting(NAMESPACE_RULE)]
    lag: Annotated[float, _SECONDS]
    limits: Annotated[LimitsTable, setting("", name="limit")]
    author: Annotated[str, setting("who changes a store, a text", min_length=1)]
    log: LogTable
    memory: MemoryTable
    system: SystemTable
    secrets: SecretsTable
    redact: RedactTable
    fmt: FmtTable
    test: TestTable
    state: StateTable
    runs: RunsTable
    up: UpTable
    namespaces: Annotated[
        dict[str, NamespaceTable], setting("a table for each namespace", name="namespaces")
    ]
