"""An Extension adds kinds, languages, stores, commands and hooks, through one door for all."""

import traceback
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeAlias

from heddle.runtime.assembly.codec import Kind
from heddle.runtime.assembly.hooks import Hook, Hooks
from heddle.runtime.assembly.language import Language
from heddle.runtime.assembly.scheme import Scheme
from heddle.runtime.flow.step import FAILURES
from heddle.schemas.errors import HeddleError
from heddle.specs.secrets.keyring import Keyring
from heddle.specs.stores.opener import Opener, Stores

GROUP = "heddle.extensions"
"""The entry point group in which distributions announce their `register` functions."""


class ExtensionError(HeddleError):
    """An extension could not be loaded; the message names it and says why."""


class Extension:
    """The argument of a `register(extension)` function: each call adds one thing.

    Adding what is there already is an error that names both extensions.
    """

    def __init__(self, name: str, registry: "Registry") -> None:
        self.name = name
        self._registry = registry

    def kind(self, kind: "Kind[Any]") -> None:
        """Add a kind: a Schema and its Codec, or what the `@node` decorator made."""
        self._registry.scheme.add(kind, self.name)

    def kinds(self, package: str, places: Mapping[str, str]) -> None:
        """Add kinds of this package that are imported when a Spec first asks for them.

        `places` gives each kind its place: `{"listener": "listener:LISTENER"}`. A runtime that has
        no use for a kind does not pay for it when it starts.
        """
        for kind, place in places.items():
            self._registry.scheme.add_later(kind, f"{package}.{place}", self.name)

    def language(self, language: Language) -> None:
        """Add a language for snippets and conditions."""
        self._registry.scheme.languages.add(language, self.name)

    def store(self, scheme: str, opener: Opener) -> None:
        """Add a store for URLs that begin with `scheme://`."""
        self._registry.stores.add(scheme, opener, self.name)

    def command(self, name: str, command: Any) -> None:
        """Add a command (a click command) to the command line."""
        if name in self._registry.commands:
            first = self._registry.owners[name]
            raise ValueError(f'command "{name}" of {self.name} is there already, from {first}')
        self._registry.owners[name] = self.name
        self._registry.commands[name] = command

    def hook(self, *, load: Hook | None = None, unload: Hook | None = None) -> None:
        """Add hooks that run for every symbol that comes and goes."""
        self._registry.hooks.add(load=load, unload=unload)


Register: TypeAlias = Callable[[Extension], None]
ExtensionSource: TypeAlias = Register | Kind[Any] | Language | str
"""An extension as people name it: its register function, one kind or language, or `module[:function]`."""


class Registry:
    """Everything that extensions have added, and the keys of whoever works with it.

    `keys` seal and open Values: those of the variable HEDDLE_KEY, if nobody says otherwise.
    """

    def __init__(self, language: str = "cel") -> None:
        self.keys = Keyring.of_environment()
        self.scheme = Scheme(language=language)
        self.hooks = Hooks()
        self.stores = Stores()
        self.commands: dict[str, Any] = {}
        self.owners: dict[str, str] = {}

    def add(self, source: "ExtensionSource") -> None:
        """Add one extension; ExtensionError names it if it cannot be loaded."""
        if isinstance(source, Kind):
            kind: Kind[Any] = source
            self._register(kind.schema.fields.__module__, lambda extension: extension.kind(kind))
        elif isinstance(source, Language):
            language = source
            owner = getattr(language.compile, "__module__", "") or language.name
            self._register(owner, lambda extension: extension.language(language))
        elif isinstance(source, str):
            self._register(source, _named(source))
        elif callable(source):
            self._register(getattr(source, "__module__", "") or repr(source), source)
        else:
            raise ExtensionError(
                f"{source!r} is not an extension (expected: a function register(extension), a kind, "
                "a language, or the name of a module)"
            )

    def discover(self) -> None:
        """Add every extension that an installed distribution announces."""
        for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
            try:
                register = point.load()
            except FAILURES as error:
                raise ExtensionError(
                    f'extension "{point.name}" ({point.value}) cannot be loaded: {error}'
                    f"{_line_of(error)}"
                ) from error
            self._register(point.name, register)

    def _register(self, name: str, register: Register) -> None:
        try:
            register(Extension(name, self))
        except ValueError as error:
            raise ExtensionError(f'extension "{name}": {error}') from error
        except FAILURES as error:
            raise ExtensionError(
                f'extension "{name}" cannot be registered: {type(error).__name__}: {error}'
                f"{_line_of(error)}"
            ) from error


def registry(
    extensions: "Iterable[ExtensionSource] | None" = None,
    *,
    language: str = "cel",
    installed: bool = True,
) -> Registry:
    """Return a Registry with every installed extension, and these."""
    made = Registry(language)
    if installed:
        made.discover()
    for source in extensions or ():
        made.add(source)
    return made


def _named(name: str) -> Register:
    """Return the register function that `module` or `module:function` names."""
    module, _, function = name.partition(":")
    try:
        register: Register = getattr(import_module(module), function or "register")
    except FAILURES as error:
        text = str(error) if isinstance(error, ImportError | AttributeError) else repr(error)
        raise ExtensionError(
            f'extension "{name}" cannot be loaded: {text}{_line_of(error)} '
            "(expected: a module with a function register(extension))"
        ) from error
    return register


def _line_of(error: BaseException) -> str:
    """` at shop.py:7`: the last line that belongs neither to Heddle nor to Python, if there is one."""
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        frames.append((error.filename or "", error.lineno))
    own = Path(__file__).resolve().parent.parent
    python = Path(traceback.__file__).resolve().parent
    for file, line in reversed(frames):
        path = Path(file).resolve()
        theirs = python in path.parents and "site-packages" not in path.parts
        if path.suffix == ".py" and own not in path.parents and not theirs:
            return f" at {file}:{line}"
    return ""
