"""Settings are what `heddle.toml`, the environment and the flags say together; the later one wins.

heddle.toml (the nearest from here upwards)  <  HEDDLE_* variables  <  flags
"""

import os
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import msgspec

from heddle.cli.exit_codes import CommandError
from heddle.schemas.link import DEFAULT_NAMESPACE
from heddle.schemas.problem import Place, Problem
from heddle.schemas.sentences import lower_first
from heddle.schemas.suggestion import did_you_mean, nearest
from heddle.specs.model.limits import ReadLimits
from heddle.specs.model.names import NAMESPACE_RULE, legal_namespace

if TYPE_CHECKING:
    from heddle.specs.secrets import Redactor

FILE = "heddle.toml"
SYSTEM = "system"
"""The namespace that manages the others."""
FORMATS = ("auto", "text", "json")
LEVELS = ("debug", "info", "warning", "error")

Environ: TypeAlias = Mapping[str, str]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What every command goes by.

    `store` is an address or a path; `given` tells whether anybody named it. `folder` is where
    `heddle.toml` stands, or the working directory. `drain` is in seconds, and so is
    `lease`: how long a runtime may act for all others without asking the store. `environment` is what
    blanks of specs are filled from. `watchdog` says whether a thread watches the event loop. `workers` is how many processes run a namespace (0: one for each
    processor), `buffers` how many bytes one of them keeps for all of its connections (0: no limit;
    None: a quarter of the memory, shared by the workers), `health` for how many seconds nothing may be heard of one of them, `health_address`
    where a supervisor says how it is. `namespaces` are the settings of those that `heddle up` runs,
    each as far as they differ from these.
    `author` is who changes a store; empty is whoever runs the command. `system` is where the API is
    served beside a runtime; those that begin with `system_` say how it is served. `token_file` is the file
    of the token that an API wants, where the store is one. `key_file` and
    `key_command` say where the keys of secrets come from, beside the variable HEDDLE_KEY. Those that
    begin with `limit_`, and `follow_links`, say what is read at most. Those that begin
    with `redact_` say what is hidden, and what is not, wherever payloads are shown. `state_folder`
    is where a store in files keeps its history and what runtimes report; empty is beside the specs.
    `run_store` is the address of the RunStore of durable runs; empty is in the state folder.
    With `tracebacks` (`--debug`), logs have those of expected failures, too.
    """

    namespace: str = DEFAULT_NAMESPACE
    store: str = "."
    given: bool = False
    language: str = "cel"
    extensions: tuple[str, ...] = ()
    drain: float = 30.0
    watchdog: bool = True
    lease: float = 15.0
    buffers: int | None = None
    workers: int = 1
    health: float = 30.0
    health_address: str = ""
    namespaces: Mapping[str, Mapping[str, Any]] = {}
    environment: Mapping[str, Any] = {}
    author: str = ""
    system: str = ""
    system_listen: str = "127.0.0.1:7878"
    system_cert: str = ""
    system_key: str = ""
    system_hosts: tuple[str, ...] = ()
    system_audit: str = ""
    system_rate: int = 500
    system_body: int = 32 * 1024 * 1024
    redact_keys: tuple[str, ...] = ()
    redact_paths: tuple[str, ...] = ()
    redact_allow: tuple[str, ...] = ()
    log_format: str = "auto"
    log_level: str = "info"
    token_file: str = ""
    key_file: str = ""
    key_command: tuple[str, ...] = ()
    limit_change_set: int = ReadLimits().change_set
    limit_file: int = ReadLimits().file
    limit_nodes: int = ReadLimits().nodes
    limit_depth: int = ReadLimits().depth
    limit_files: int = ReadLimits().files
    follow_links: bool = False
    state_folder: str = ""
    run_store: str = ""
    file: str = ""
    folder: str = "."
    tracebacks: bool = False

    @property
    def limits(self) -> ReadLimits:
        """How much is read at most."""
        return ReadLimits(
            change_set=self.limit_change_set,
            file=self.limit_file,
            nodes=self.limit_nodes,
            depth=self.limit_depth,
            files=self.limit_files,
            follow_links=self.follow_links,
        )

    @property
    def redactor(self) -> "Redactor":
        """What hides secrets in whatever is shown of payloads."""
        from heddle.specs.secrets import Redactor

        return Redactor(self.redact_keys, self.redact_paths, self.redact_allow)

    @property
    def shown(self) -> str:
        """The store as messages name it: its address without a password."""
        return without_password(self.store)


def without_password(address: str) -> str:
    """Return the address of a store with `***` for a password, wherever it stands; all else stays."""
    scheme, mark, rest = address.partition("://")
    if not mark:
        return address
    # What is written carelessly may have any sign in it: up to the last @, it is the password.
    rest = re.sub(r"^([^:@/?]*):.+@", r"\1:***@", rest)
    rest = re.sub(r"([?&](?:ssl)?password=)[^&]*", r"\1***", rest, flags=re.IGNORECASE)
    return f"{scheme}{mark}{rest}"


def load_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    config: str | None = None,
    environ: Environ | None = None,
) -> Settings:
    """Return the settings of this working directory; `flags` are those that were given (None: not given).

    CommandError tells every unknown key and every wrong type, with file and line.
    """
    environ = os.environ if environ is None else environ
    file = config or environ.get("HEDDLE_CONFIG") or _nearest(Path.cwd())
    data = _read(file) if file else {}
    folder = os.path.dirname(file) or "." if file else "."  # noqa: PTH120 - as it was given
    for name in ("system_cert", "system_key", "system_audit"):
        if name in data:
            data[name] = _from(folder, data[name])
    if "run_store" in data:
        data["run_store"] = _from(folder, data["run_store"])
    for table in (data, *data.get("namespaces", {}).values()):
        if "store" in table:
            table["store"] = _from(folder, table["store"])
    for name in ("key_file", "token_file", "state_folder"):
        if name in data:
            data[name] = os.path.normpath(os.path.join(folder, data[name]))  # noqa: PTH118
    for part in (_of(environ), {k: v for k, v in (flags or {}).items() if v is not None}):
        environment = {**data.get("environment", {}), **part.get("environment", {})}
        data = {**data, **part, "environment": environment}
    return Settings(**data, given="store" in data, file=file, folder=folder)


# --- the file -----------------------------------------------------------------------------------


def _nearest(start: Path) -> str:
    """Return the nearest heddle.toml from here upwards; empty if there is none."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            path = folder / FILE
            return str(path.relative_to(start)) if folder == start else str(path)
    return ""


def _from(folder: str, store: str) -> str:
    """Return a store as seen from where the settings stand."""
    path = store.removeprefix("file://")
    if "://" in path or os.path.isabs(path):  # noqa: PTH117 - an address is text
        return store
    return os.path.normpath(os.path.join(folder, path))  # noqa: PTH118


def _read(file: str) -> dict[str, Any]:
    import tomllib

    text = ""
    try:
        text = Path(file).read_bytes().decode()
        data = tomllib.loads(text)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandError(f"{file}: the settings cannot be read: {reason}") from error
    except UnicodeDecodeError as error:
        raise CommandError(f"{file}: the settings are not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise CommandError(f"{_where(file, text, str(error))} (wanted: TOML 1.0)") from error
    except (ValueError, RecursionError) as error:
        # A number of thousands of digits, or brackets inside brackets without end.
        raise CommandError(f"{file}: the settings cannot be read: {error}") from error
    reader = _TableReader(file, text)
    given = reader.table(data, _KEYS, ())
    if reader.problems:
        raise CommandError("\n".join(str(problem) for problem in reader.problems))
    return given


def _where(file: str, text: str, error: str) -> str:
    """`heddle.toml:3:7: invalid value`: what the parser says, with its place in front."""
    message, _, place = error.rpartition(" (at ")
    numbers = [
        int(word) for word in place.replace(",", " ").replace(")", " ").split() if word.isdigit()
    ]
    line, column = numbers if len(numbers) == 2 else (text.count("\n") + 1, 0)
    message = message or error
    return f"{Place(file, line, column)}: {lower_first(message)}"


class _TableReader:
    """Checks the tables of one file and collects what is wrong."""

    def __init__(self, file: str, text: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._lines = text.splitlines()

    def table(
        self, data: Mapping[str, Any], known: "Mapping[str, _Key]", above: tuple[str, ...]
    ) -> dict[str, Any]:
        """Return what a table says, by the names that Settings have for it."""
        given: dict[str, Any] = {}
        for name, value in data.items():
            key = known.get(name)
            if key is None:
                self._unknown(name, known, above)
            elif key.each is not None and isinstance(value, dict):
                given[key.name] = self._each(value, key, (*above, name))
            elif key.table is not None and isinstance(value, dict):
                given |= self.table(value, key.table, (*above, name))
            elif key.table is None and key.each is None and key.fits(value):
                given[key.name] = key.made(value)
            else:
                self._reject((*above, name), "type", _shown(value), key.wanted)
        return given

    def _each(
        self, data: Mapping[str, Any], key: "_Key", above: tuple[str, ...]
    ) -> dict[str, dict[str, Any]]:
        """Tables of which each has a name that was chosen by its author."""
        given: dict[str, dict[str, Any]] = {}
        for name, value in data.items():
            if not legal_namespace(name):
                self._reject((*above, name), "name", f'the name "{name}"', NAMESPACE_RULE)
            elif not isinstance(value, dict):
                self._reject((*above, name), "type", _shown(value), "a table")
            else:
                given[name] = self.table(value, key.each or {}, (*above, name))
        return given

    def _unknown(self, name: str, known: "Mapping[str, _Key]", above: tuple[str, ...]) -> None:
        hint = did_you_mean(name, list(known))
        wanted = ", ".join(known)
        self._reject((*above, name), "unknown-key", f'unknown key "{name}"', wanted, hint)

    def _reject(
        self, path: tuple[str, ...], code: str, actual: str, wanted: str, hint: str = ""
    ) -> None:
        place = Place(self._file, self._line(path))
        self.problems.append(
            Problem(
                code=code, found=actual, wanted=wanted, hint=hint, place=place, path=".".join(path)
            )
        )

    def _line(self, path: tuple[str, ...]) -> int:
        """Return the line where this key is written; that of its table if it cannot be found."""
        table, best = "", 0
        for number, line in enumerate(self._lines, 1):
            bare = line.partition("#")[0].strip().replace('"', "").replace("'", "")
            if bare.startswith("["):
                table = bare.strip("[] ").replace(" ", "")
                written = table
            else:
                written = ".".join(filter(None, (table, bare.partition("=")[0].replace(" ", ""))))
            if written == ".".join(path):
                return number
            if not best and path[:-1] and written.startswith(".".join(path[:-1])):
                best = number
        return best


class _Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key of the file: its name in Settings, and what may stand there."""

    name: str = ""
    wanted: str
    fits: Callable[[Any], bool] = lambda _: True
    made: Callable[[Any], Any] = lambda value: value
    table: "Mapping[str, _Key] | None" = None
    each: "Mapping[str, _Key] | None" = None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(_is_text(name) for name in value)


def _is_line(value: str) -> bool:
    """Return whether a line can be taken apart into words."""
    try:
        return bool(shlex.split(value))
    except ValueError:
        return False


def _is_environment(value: Any) -> bool:
    return isinstance(value, dict) and _is_plain(value)


def _is_plain(value: Any) -> bool:
    """Return whether it is data that a payload may hold: TOML has dates and times, too."""
    if isinstance(value, dict):
        return all(_is_plain(each) for each in value.values())
    if isinstance(value, list):
        return all(_is_plain(each) for each in value)
    return isinstance(value, str | int | float | bool)


def _one_of(names: tuple[str, ...]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in names


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1000


def _is_size(value: Any) -> bool:
    """Return whether it is a number of bytes, written with a unit or without."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return False
    try:
        return _size_of(value) >= 0
    except ValueError:
        return False


def _size_of(value: int | str) -> int:
    """Return a size in bytes; raise ValueError if it is none. Most commands need no units."""
    from heddle.schemas.units import Size

    return int(value) if isinstance(value, str) and value.isdecimal() else int(Size(value))


def _is_positive(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


_BYTES = "a number of bytes, or a size such as 2MiB"


def _bytes(value: Any) -> int:
    from heddle.schemas.units import Size

    return int(Size.read(value))


def _is_bytes(value: Any) -> bool:
    from heddle.schemas.field import FieldError

    try:
        return _bytes(value) > 0
    except FieldError:
        return False


_LOG = {
    "format": _Key(name="log_format", wanted=" or ".join(FORMATS), fits=_one_of(FORMATS)),
    "level": _Key(name="log_level", wanted=" or ".join(LEVELS), fits=_one_of(LEVELS)),
}
_SECRETS = {
    "token_file": _Key(name="token_file", wanted="the file of a token for the API", fits=_is_text),
    "key_file": _Key(
        name="key_file",
        wanted="the path of a file with keys, as heddle key new writes it",
        fits=_is_text,
        made=os.path.expanduser,
    ),
    "key_command": _Key(
        name="key_command",
        wanted="a command that prints keys: a list of words, or one line",
        fits=lambda value: (
            (_is_text(value) and _is_line(value)) or (bool(value) and _is_names(value))
        ),
        made=lambda value: tuple(shlex.split(value) if isinstance(value, str) else value),
    ),
}
_REDACT = {
    "keys": _Key(
        name="redact_keys",
        wanted='a list of keys whose values are hidden, such as ["pin"]',
        fits=_is_names,
        made=tuple,
    ),
    "paths": _Key(
        name="redact_paths",
        wanted='a list of places in payloads that are hidden, such as ["body.address", "**.phone"]',
        fits=_is_names,
        made=tuple,
    ),
    "allow": _Key(
        name="redact_allow",
        wanted='a list of keys or places that are shown all the same, such as ["token_type"]',
        fits=_is_names,
        made=tuple,
    ),
}
_NAMESPACE = {
    "namespace": _Key(
        name="namespace",
        wanted=NAMESPACE_RULE,
        fits=lambda value: isinstance(value, str) and legal_namespace(value),
    ),
    "store": _Key(name="store", wanted="a folder, a file, or an address", fits=_is_text),
    "language": _Key(name="language", wanted="the name of a language", fits=_is_text),
    "extensions": _Key(
        name="extensions",
        wanted='a list of modules, such as ["my_kinds"]',
        fits=_is_names,
        made=tuple,
    ),
    "drain": _Key(name="drain", wanted="a number of seconds", fits=_is_seconds, made=float),
    "watchdog": _Key(
        name="watchdog", wanted="true or false", fits=lambda value: isinstance(value, bool)
    ),
    "lease": _Key(
        name="lease",
        wanted="a number of seconds, at least 0.5",
        fits=lambda value: _is_seconds(value) and value >= 0.5,
        made=float,
    ),
    "workers": _Key(
        name="workers",
        wanted="a number of processes, or 0 for one on each processor",
        fits=_is_count,
    ),
    "environment": _Key(
        name="environment",
        wanted="a table of texts, numbers, booleans, lists and tables",
        fits=_is_environment,
    ),
}
"""What may differ from one namespace to another."""
_STATE = {
    "folder": _Key(
        name="state_folder",
        wanted="the path of a folder",
        fits=_is_text,
        made=os.path.expanduser,
    ),
}
"""The keys of [state]."""

_RUNS = {
    "store": _Key(
        name="run_store",
        wanted="the path of a SQLite file or a folder, or an address",
        fits=_is_text,
    ),
}
"""The keys of [runs]."""

_MEMORY = {
    "buffers": _Key(
        name="buffers",
        wanted='a size such as "512MiB", or 0 for no limit',
        fits=_is_size,
        made=lambda value: _size_of(value),
    ),
}
_UP = {
    "health": _Key(name="health", wanted="a number of seconds", fits=_is_seconds, made=float),
    "address": _Key(name="health_address", wanted="HOST:PORT", fits=_is_text),
}
_SYSTEM = {
    "listen": _Key(name="system_listen", wanted="HOST:PORT", fits=_is_text),
    "cert": _Key(name="system_cert", wanted="the path of a certificate", fits=_is_text),
    "key": _Key(name="system_key", wanted="the path of its private key", fits=_is_text),
    "hosts": _Key(
        name="system_hosts",
        wanted="a list of the names it may be called",
        fits=_is_names,
        made=tuple,
    ),
    "audit": _Key(name="system_audit", wanted="the path of a file", fits=_is_text),
    "rate": _Key(name="system_rate", wanted="how many requests a second", fits=_is_positive),
    "body": _Key(name="system_body", wanted="a number of bytes", fits=_is_positive),
}
_LIMITS = {
    "change_set": _Key(name="limit_change_set", wanted=_BYTES, fits=_is_bytes, made=_bytes),
    "file": _Key(name="limit_file", wanted=_BYTES, fits=_is_bytes, made=_bytes),
    "nodes": _Key(name="limit_nodes", wanted="a number of nodes", fits=_is_positive),
    "depth": _Key(
        name="limit_depth",
        wanted="a number of levels, 200 at most",
        fits=lambda value: _is_positive(value) and value <= 200,
    ),
    "files": _Key(name="limit_files", wanted="a number of files", fits=_is_positive),
    "follow_links": _Key(
        name="follow_links", wanted="true or false", fits=lambda value: isinstance(value, bool)
    ),
}
_KEYS = {
    **_NAMESPACE,
    "limits": _Key(wanted=f"a table with {', '.join(_LIMITS)}", table=_LIMITS),
    "author": _Key(name="author", wanted="who changes a store, a text", fits=_is_text),
    "log": _Key(wanted="a table with format and level", table=_LOG),
    "memory": _Key(wanted="a table with buffers", table=_MEMORY),
    "system": _Key(wanted=f"a table with {', '.join(_SYSTEM)}", table=_SYSTEM),
    "secrets": _Key(wanted=f"a table with {', '.join(_SECRETS)}", table=_SECRETS),
    "redact": _Key(wanted=f"a table with {', '.join(_REDACT)}", table=_REDACT),
    "state": _Key(wanted=f"a table with {', '.join(_STATE)}", table=_STATE),
    "runs": _Key(wanted=f"a table with {', '.join(_RUNS)}", table=_RUNS),
    "up": _Key(wanted="a table with health and address", table=_UP),
    "namespaces": _Key(
        name="namespaces",
        wanted="a table for each namespace",
        each={name: key for name, key in _NAMESPACE.items() if name != "namespace"},
    ),
}


def _shown(value: Any) -> str:
    """Return a value as a person would say it."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return f'the text "{value}"' if isinstance(value, str) else str(value)


# --- the environment ----------------------------------------------------------------------------

_PREFIX = "HEDDLE_"
_NAMES = f"{_PREFIX}ENVIRONMENT_"

VARIABLES = {
    "HEDDLE_NAMESPACE": "namespace",
    "HEDDLE_STORE": "store",
    "HEDDLE_LANGUAGE": "language",
    "HEDDLE_EXTENSIONS": "extensions",
    "HEDDLE_DRAIN": "drain",
    "HEDDLE_WATCHDOG": "watchdog",
    "HEDDLE_LEASE": "lease",
    "HEDDLE_WORKERS": "workers",
    "HEDDLE_MEMORY_BUFFERS": "memory.buffers",
    "HEDDLE_AUTHOR": "author",
    "HEDDLE_SYSTEM_LISTEN": "system.listen",
    "HEDDLE_SYSTEM_AUDIT": "system.audit",
    "HEDDLE_LOG_FORMAT": "log.format",
    "HEDDLE_LOG_LEVEL": "log.level",
    "HEDDLE_TOKEN_FILE": "secrets.token_file",
    "HEDDLE_KEY_FILE": "secrets.key_file",
    "HEDDLE_KEY_COMMAND": "secrets.key_command",
    "HEDDLE_STATE_FOLDER": "state.folder",
    "HEDDLE_RUNS_STORE": "runs.store",
}
"""The variables that stand for one key of the file each."""


def _of(environ: Environ) -> dict[str, Any]:
    """Return what the environment says; an empty variable says nothing."""
    data: dict[str, Any] = {}
    for variable, path in VARIABLES.items():
        text = environ.get(variable, "")
        if not text:
            continue
        keys = _KEYS
        *above, name = path.split(".")
        for table in above:
            keys = cast("dict[str, _Key]", keys[table].table)
        key = keys[name]
        value = _meant(path, text)
        if not key.fits(value):
            raise CommandError(f'{variable}: found "{text}" (wanted: {key.wanted})')
        data[key.name] = key.made(value)
    names = {
        name.removeprefix(_NAMES): value
        for name, value in environ.items()
        if name.startswith(_NAMES) and len(name) > len(_NAMES)
    }
    return data | ({"environment": names} if names else {})


_OTHER_VARIABLES = frozenset(
    {"HEDDLE_CONFIG", "HEDDLE_DEBUG", "HEDDLE_KEY", "HEDDLE_TOKEN", "HEDDLE_COMPLETE"}
)
"""Variables that are not key of the file."""

_OF_SERVICES = re.compile(r"HEDDLE_(?:SERVICE_(?:HOST|PORT\w*)|PORT(?:_\d+_\w+)?)$")
"""What Kubernetes and Docker set by themselves beside a service that is called heddle."""


def unknown_variables(environ: Environ | None = None) -> list[str]:
    """Return a message for each HEDDLE_* variable that means nothing, with the nearest that does."""
    environ = os.environ if environ is None else environ
    known = {*VARIABLES, *_OTHER_VARIABLES}
    unknown = sorted(
        name
        for name in environ
        if name.startswith(_PREFIX)
        and name not in known
        and not name.startswith(_NAMES)
        and not _OF_SERVICES.match(name)
    )
    return [_unknown_variable(name, known) for name in unknown]


def _unknown_variable(name: str, known: set[str]) -> str:
    bare = name.removeprefix(_PREFIX)
    near = nearest(bare, {each.removeprefix(_PREFIX) for each in known})
    head, _, rest = bare.partition("_")
    if near is not None:
        hint = f'Did you mean "{_PREFIX}{near}"?'
    elif rest and (head in ("ENV", "VAR") or nearest(head, ["ENVIRONMENT"])):
        hint = f'Did you mean "{_NAMES}{rest}"?'
    else:
        hint = f"If it is to fill the blank {{{{ .{bare} }}}}, call it {_NAMES}{bare}."
    return f"the variable {name} is not a setting. {hint}"


def _meant(path: str, text: str) -> Any:
    """Return the text of a variable as what stands in the file."""
    if path == "extensions":
        return [name.strip() for name in text.split(",") if name.strip()]
    if path == "watchdog":
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    if path == "workers" and text.isdecimal() and len(text) < 10:
        return int(text)
    if path in ("drain", "lease"):
        try:
            return float(text)
        except ValueError:
            return text
    return text
