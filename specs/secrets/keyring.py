"""A Keyring holds the keys that seal and open Values: the first seals, and all of them open.

Keys come from places that are asked when a key is needed, and again when one is missing: a variable
of the environment, a file, a command. So a key that is added while a runtime runs is found.
"""

import asyncio
import os
import shlex
import stat
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any, Protocol

import msgspec

from heddle.schemas.errors import SecretError
from heddle.schemas.problem import Problem
from heddle.schemas.sentences import lower_first
from heddle.specs.files.spare import SPARE, is_passing
from heddle.specs.model.sealed_text import sealed_by
from heddle.specs.model.value import Value
from heddle.specs.secrets.seal import Key, key_of, seal, unseal

VARIABLE = "HEDDLE_KEY"
"""The variable of the environment that may hold keys."""

EXTRA = "secrets"
"""The extra that seals and opens."""

PATIENCE = 30.0
"""Seconds until the places of the keys are asked again for one that they did not have."""

LIMIT = 60.0
"""Seconds that a command may take to print its keys."""


class KeyPlace(Protocol):
    """A place that keys come from. What it says of itself holds no key."""

    @property
    def name(self) -> str:
        """The label for people: `the variable HEDDLE_KEY`."""
        ...

    def read(self) -> str:
        """Return the text with the keys in it; OSError or ValueError says why there is none."""
        ...


class Variable(msgspec.Struct, frozen=True):
    """Keys in a variable of the environment, with spaces, commas or line breaks between them."""

    variable: str = VARIABLE
    environ: Mapping[str, str] | None = None

    @property
    def name(self) -> str:
        """The variable."""
        return f"the variable {self.variable}"

    def read(self) -> str:
        """Return what it holds; empty if it is not set."""
        environ = os.environ if self.environ is None else self.environ
        return environ.get(self.variable, "")

    def __repr__(self) -> str:
        # The environment holds more than is asked for.
        return f"Variable({self.variable!r})"


class KeyFile(msgspec.Struct, frozen=True):
    """Keys in a file, one a line; `#` begins a comment."""

    path: str

    @property
    def name(self) -> str:
        """The path."""
        return f"the file {self.path}"

    def read(self) -> str:
        """Return what it holds."""
        return FilePath(self.path).read_text(encoding="utf-8")


class CommandKeys(msgspec.Struct, frozen=True):
    """Keys that a command prints, as they would stand in a file. No shell takes part."""

    words: tuple[str, ...]

    @staticmethod
    def of(line: "str | Sequence[str]") -> "CommandKeys":
        """Return the command of a line, taken apart as a shell would; raise ValueError if that cannot be."""
        return CommandKeys(tuple(shlex.split(line) if isinstance(line, str) else line))

    @property
    def name(self) -> str:
        """Its first word: others may be nobody's business."""
        return f"the command {self.words[0] if self.words else ''}"

    def read(self) -> str:
        """Return what it prints; raise OSError if it cannot be run, ValueError if it fails."""
        try:
            done = subprocess.run(
                self.words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=False,
                timeout=LIMIT,
            )
        except subprocess.TimeoutExpired:
            raise ValueError(f"it took longer than {LIMIT:g} s") from None
        if done.returncode:
            raise ValueError(f"it ended with {done.returncode}")
        return done.stdout.decode(errors="replace")

    def __repr__(self) -> str:
        return f"Command({self.name!r})"


class GivenKeys(msgspec.Struct, frozen=True):
    """Keys that a program has given."""

    keys: tuple[Key, ...]
    name: str = "the program"

    def read(self) -> str:
        return "\n".join(key.text for key in self.keys)


class HeldKey(msgspec.Struct, frozen=True):
    """A key, and the place that it came from."""

    key: Key
    place: str


class Keyring:
    """The keys of some places, in order. Without places it seals nothing, and opens nothing sealed.

    Reading a place may wait (a file, a command): the keys are read at the first question, and again
    by `renew`. Neither the keys nor the data show in its errors and its repr.
    """

    def __init__(self, places: Iterable[KeyPlace] = ()) -> None:
        self._places = tuple(places)
        self._held: tuple[HeldKey, ...] | None = None
        self._failures: tuple[str, ...] = ()
        self._misses: dict[str, float] = {}
        self._passing = False

    @staticmethod
    def of(*keys: "Key | str") -> "Keyring":
        """Return a Keyring of these keys; raise ValueError if a text is not a key."""
        given = tuple(key if isinstance(key, Key) else key_of(key) for key in keys)
        return Keyring([GivenKeys(given)])

    @staticmethod
    def of_environment(environ: Mapping[str, str] | None = None) -> "Keyring":
        """Return a Keyring of the variable HEDDLE_KEY, if that is set."""
        variable = Variable(environ=environ)
        return Keyring([variable] if variable.read().strip() else [])

    # --- looking ---

    @property
    def configured(self) -> bool:
        """Whether keys are meant to be there: what is secret is then never written in clear."""
        return bool(self._places)

    @property
    def read(self) -> bool:
        """Whether its places were asked already, so that no question has to wait."""
        return self._held is not None

    @property
    def held(self) -> tuple[HeldKey, ...]:
        """Every key with its place, the one that seals first."""
        if self._held is None:
            self.renew()
        return self._held or ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the keys, in order."""
        return tuple(each.key.id for each in self.held)

    @property
    def files(self) -> tuple[str, ...]:
        """The files that keys come from."""
        return tuple(place.path for place in self._places if isinstance(place, KeyFile))

    @property
    def failures(self) -> tuple[str, ...]:
        """Why a place gave no keys, one sentence each."""
        _ = self.held
        return self._failures

    @property
    def passing(self) -> bool:
        """Whether a place could not be asked for a reason that may pass: ask again later."""
        return self._passing

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings about places that are not safe: files that others may read."""
        return tuple(text for path in self.files if (text := exposed(path)))

    def renew(self) -> bool:
        """Ask every place again; whether other keys are there now. It may wait."""
        keys: dict[str, HeldKey] = {}
        failures: list[str] = []
        self._passing = False
        for place in self._places:
            try:
                for key in keys_in(SPARE.attempt(place.read)):
                    keys.setdefault(key.id, HeldKey(key, place.name))
            except (OSError, ValueError) as error:
                if is_passing(error):
                    # It says nothing of the keys: those that came from there stay.
                    self._passing = True
                    kept = [each for each in self._held or () if each.place == place.name]
                    keys.update((each.key.id, each) for each in kept if each.key.id not in keys)
                reason = getattr(error, "strerror", None) or str(error)
                failures.append(f"{place.name}: {lower_first(reason)}")
        before = self._held
        self._held, self._failures = tuple(keys.values()), tuple(failures)
        return before is not None and [each.key for each in before] != [
            each.key for each in self._held
        ]

    async def ready(self, ids: Iterable[str] = ()) -> None:
        """Have the keys at hand, so that no question has to wait.

        Where one of these ids is missing, the places are asked again, though not all the time.
        """
        if not self.configured:
            return
        expected, now = set(ids), time.monotonic()
        if self.read:
            missing = expected.difference(self.ids)
            if all(now - self._misses.get(id_, -PATIENCE) < PATIENCE for id_ in missing):
                return
        await asyncio.to_thread(self.renew)
        self._misses = dict.fromkeys(expected.difference(self.ids), now)

    def __repr__(self) -> str:
        return f"Keyring({', '.join(place.name for place in self._places)})"

    # --- sealing and opening ---

    def seal(self, value: Value) -> Value:
        """Return the same Value, sealed with the first key; as it is where that sealed it, or it comes from outside.

        SecretError if there is no key, or where it is sealed with one that is not here.
        """
        if value.source is not None:
            return value
        first = self._first(value)
        if value.sealed and sealed_by(value.sealed) == first.id:
            self.open(value)
            return value
        data = self.open(value)
        try:
            text = seal(data, first, value)
        except ImportError:
            raise _without_extra(value) from None
        return msgspec.structs.replace(value, data=None, sealed=text, secret=True)

    def open(self, value: Value) -> Any:
        """Return the data of a Value, sealed or plain; SecretError names the Value and the key that is missing."""
        if value.source is not None:
            actual = f'the Value "{value.label}" comes from {value.source.name}, not from the store'
            raise wrong(value, "from", "missing-source", actual)
        if not value.sealed:
            return value.data
        id_ = sealed_by(value.sealed)
        key = next((each.key for each in self.held if each.key.id == id_), None)
        if key is None:
            raise self._without_key(value, id_)
        try:
            return unseal(value.sealed, key, value)
        except ImportError:
            raise _without_extra(value) from None
        except ValueError:
            actual = f'the Value "{value.label}" does not open with the key {id_}'
            hint = (
                "It was changed since, or sealed under another name or namespace: seal it anew "
                f"with heddle value set {value.label}"
            )
            raise wrong(value, "sealed", "wrong-seal", actual, hint=hint) from None

    def _first(self, value: Value) -> Key:
        held = self.held
        if held:
            return held[0].key
        actual = f'the Value "{value.label}" cannot be sealed: there is no key'
        hint = f"{_HINT}; heddle key new makes one"
        raise wrong(value, "data", "missing-key", actual + self._why(), hint=hint)

    def _without_key(self, value: Value, id_: str) -> SecretError:
        here = f" (here: {', '.join(self.ids)})" if self.ids else ""
        actual = f'the Value "{value.label}" is sealed with the key {id_}, which is not here{here}'
        return wrong(value, "sealed", "missing-key", actual + self._why(), hint=_HINT)

    def _why(self) -> str:
        return f"; {'; '.join(self._failures)}" if self._failures else ""


_HINT = f"Give the key with {VARIABLE}, or by key_file or key_command in [secrets] of heddle.toml"


def keys_in(text: str) -> list[Key]:
    """Return the keys that a text holds, in order; ValueError tells the line that is none, and not what it says."""
    keys: list[Key] = []
    for number, line in enumerate(text.splitlines(), 1):
        for word in line.partition("#")[0].replace(",", " ").split():
            try:
                keys.append(key_of(word))
            except ValueError as error:
                raise ValueError(f"line {number} is {error}") from None
    if not keys:
        raise ValueError("it holds no key")
    return keys


def exposed(path: str) -> str:
    """Return what is wrong with the permissions of a file of keys; empty if nothing is."""
    try:
        mode = stat.S_IMODE(FilePath(path).stat().st_mode)
    except OSError:
        return ""
    if os.name == "nt" or not mode & (stat.S_IRWXG | stat.S_IRWXO):
        return ""
    return f"the key file {path} can be read by others (mode {mode:04o}). Try chmod 600 {path}"


def wrong(
    value: Value, field: str, code: str, actual: str, expected: str = "", hint: str = ""
) -> SecretError:
    """Return the error of a Value that cannot be opened or sealed."""
    problem = Problem(
        code=code,
        found=actual,
        expected=expected,
        hint=hint,
        place=value.place((field,)),
        path=f"{value.label}.{field}",
    )
    return SecretError([problem])


def _without_extra(value: Value) -> SecretError:
    return wrong(
        value,
        "sealed" if value.sealed else "data",
        "missing-extra",
        "what seals and opens is not installed",
        f"the extra {EXTRA}",
        f"pip install 'heddle-runtime[{EXTRA}]'",
    )
