"""Settings are what `heddle.toml`, the environment and the flags say together; the later one wins.

heddle.toml (the nearest from here upwards)  <  HEDDLE_* variables  <  flags
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, get_args

import msgspec

from heddle.cli.exit_codes import CommandError
from heddle.cli.settings_fields import LogFormat, LogLevel
from heddle.cli.settings_file import nearest_file, read_setting, read_settings_file
from heddle.schemas.link import DEFAULT_NAMESPACE, LinkStyle
from heddle.schemas.suggestion import nearest
from heddle.specs.model.limits import ReadLimits

if TYPE_CHECKING:
    from heddle.specs.secrets import Redactor

SYSTEM = "system"
"""The namespace that manages the others."""
FORMATS = get_args(LogFormat)
LEVELS = get_args(LogLevel)

Environ: TypeAlias = Mapping[str, str]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of every command.

    `store` is an address or a path; `given` tells whether anybody named it. `folder` is where
    `heddle.toml` stands, or the working directory. `drain` is in seconds, and so are `lag` (how long
    everything goes on after SIGTERM while probes already say that it ends) and `lease`: how long a runtime may act for all others without asking the store. `environment` is what
    blanks of specs are filled from. `watchdog` says whether a thread watches the event loop. `workers` is how many processes run a namespace (0: one for each
    processor), `buffers` how many bytes one of them keeps for all of its connections (0: no limit;
    None: a quarter of the memory, shared by the workers), `health` for how many seconds nothing may be heard of one of them, `health_address`
    where a supervisor says how it is. `namespaces` are the settings of those that `heddle up` runs,
    each as far as they differ from these.
    `author` is who changes a store; empty is whoever runs the command. `system` is where the API is
    served beside a runtime; those that begin with `system_` say how it is served. `token_file` is the file
    of the token that an API wants, if the store is one. `key_file` and
    `key_command` say where the keys of secrets come from, beside the variable HEDDLE_KEY. Those that
    begin with `limit_`, and `follow_links`, say what is read at most. Those that begin
    with `redact_` say what is hidden, and what is not, wherever payloads are shown. `state_folder`
    is where a store in files keeps its history and what runtimes report; empty is beside the specs.
    `test_environment` is what `heddle test` fills blanks from, over `environment` of the file.
    `fmt_links` says how `heddle fmt` writes links.
    `run_store` is the address of the RunStore of durable runs; empty is in the state folder.
    With `tracebacks` (`--debug`), logs have those of expected failures, too.
    """

    namespace: str = DEFAULT_NAMESPACE
    store: str = "."
    given: bool = False
    language: str = "cel"
    extensions: tuple[str, ...] = ()
    drain: float = 30.0
    lag: float = 0.0
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
    fmt_links: LinkStyle = "short"
    test_environment: Mapping[str, Any] = {}
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
        """The redactor of whatever is shown of payloads."""
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
    testing: bool = False,
) -> Settings:
    """Return the settings of this working directory; `flags` are those that were given (None: not given).

    With `testing`, what the file says in `[test.environment]` goes over its `[environment]`.

    CommandError tells every unknown key and every wrong type, with file and line.
    """
    environ = os.environ if environ is None else environ
    file = config or environ.get("HEDDLE_CONFIG") or nearest_file(Path.cwd())
    data = read_settings_file(file) if file else {}
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
    if testing:
        data["environment"] = {**data.get("environment", {}), **data.get("test_environment", {})}
    for part in (_of(environ), {k: v for k, v in (flags or {}).items() if v is not None}):
        environment = {**data.get("environment", {}), **part.get("environment", {})}
        data = {**data, **part, "environment": environment}
    return Settings(**data, given="store" in data, file=file, folder=folder)


def _from(folder: str, store: str) -> str:
    """Return a store as seen from where the settings stand."""
    path = store.removeprefix("file://")
    if "://" in path or os.path.isabs(path):  # noqa: PTH117 - an address is text
        return store
    return os.path.normpath(os.path.join(folder, path))  # noqa: PTH118


# --- the environment ----------------------------------------------------------------------------

_PREFIX = "HEDDLE_"
_NAMES = f"{_PREFIX}ENVIRONMENT_"

VARIABLES = {
    "HEDDLE_NAMESPACE": "namespace",
    "HEDDLE_STORE": "store",
    "HEDDLE_LANGUAGE": "language",
    "HEDDLE_EXTENSIONS": "extensions",
    "HEDDLE_DRAIN": "drain",
    "HEDDLE_LAG": "lag",
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
        value = _convert(path, text)
        try:
            name, setting = read_setting(path, value)
        except ValueError as error:
            raise CommandError(f'{variable}: found "{text}" (expected: {error})') from error
        data[name] = setting
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
"""The variables that Kubernetes and Docker set by themselves beside a service that is called heddle."""


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
        and not (_OF_SERVICES.match(name) and (name != "HEDDLE_PORT" or "://" in environ[name]))
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


def _convert(path: str, text: str) -> Any:
    """Return the text of a variable as what stands in the file."""
    if path == "extensions":
        return [name.strip() for name in text.split(",") if name.strip()]
    if path == "watchdog":
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    if path == "workers" and text.isdecimal() and len(text) < 10:
        return int(text)
    if path in ("drain", "lag", "lease"):
        try:
            return float(text)
        except ValueError:
            return text
    return text
