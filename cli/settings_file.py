"""Reading `heddle.toml`: what stands in it, by the names of Settings, or everything that is wrong."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from heddle.cli.exit_codes import CommandError
from heddle.cli.settings_fields import SettingsFile, SettingType
from heddle.schemas.field import Fields, read_field
from heddle.schemas.problem import Place, Problem
from heddle.schemas.sentences import lower_first
from heddle.schemas.shape import Field, fields_of
from heddle.schemas.suggestion import did_you_mean
from heddle.specs.model.names import NAMESPACE_RULE, legal_namespace

FILE = "heddle.toml"


def nearest_file(start: Path) -> str:
    """Return the nearest heddle.toml from here upwards; empty if there is none."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            path = folder / FILE
            return str(path.relative_to(start)) if folder == start else str(path)
    return ""


def read_settings_file(file: str) -> dict[str, Any]:
    """Return what a file says, by the names of Settings. CommandError lists everything that is wrong."""
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
        raise CommandError(f"{_where(file, text, str(error))} (expected: TOML 1.0)") from error
    except (ValueError, RecursionError) as error:
        # A number of thousands of digits, or brackets inside brackets without end.
        raise CommandError(f"{file}: the settings cannot be read: {error}") from error
    reader = _TableReader(file, text)
    given = reader.table(data, SettingsFile, ())
    if reader.problems:
        raise CommandError("\n".join(str(problem) for problem in reader.problems))
    return given


def read_setting(path: str, value: Any) -> tuple[str, Any]:
    """Return the name and the value of one setting, by its key (`log.level`).

    ValueError if the value does not fit; its text says what is expected.
    """
    *tables, key = path.split(".")
    table: type[msgspec.Struct] = SettingsFile
    above = ""
    for name in tables:
        field = _field(table, name)
        table, above = field.shape.bare, _name(field) or name
    field = _field(table, key)
    try:
        return _setting_name(field, above), convert(field, value)
    except ValueError as error:
        raise ValueError(expected(field)) from error


def convert(field: Field, value: Any) -> Any:
    """Return a value as Settings have it; raise ValueError if it does not fit."""
    if isinstance(value, list):
        value = tuple(value)
    try:
        given = msgspec.convert(value, field.shape.type, dec_hook=read_field)
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from error
    return given.plain() if isinstance(given, SettingType) else given


def expected(field: Field) -> str:
    """Return what may stand at a key, in words."""
    words = (field.shape.limit("extra") or {}).get("expected", "")
    if field.shape.form != "object" or words:
        return str(words)
    names = [each.name for each in fields_of(field.shape.bare)]
    listed = " and ".join(names) if len(names) < 3 else ", ".join(names)
    return f"a table with {listed}"


def _field(table: type[msgspec.Struct], name: str) -> Field:
    return next(field for field in fields_of(table) if field.name == name)


def _name(field: Field) -> str:
    """Return the name that a key or a table says itself; empty if it says none."""
    return str((field.shape.limit("extra") or {}).get("name", ""))


def _setting_name(field: Field, above: str) -> str:
    """Return the name that Settings have for a key in a table with this prefix."""
    return _name(field) or "_".join(filter(None, (above, field.name)))


def _where(file: str, text: str, error: str) -> str:
    """Return `heddle.toml:3:7: invalid value`: the message of the parser, with its place in front."""
    message, _, place = error.rpartition(" (at ")
    numbers = [
        int(word) for word in place.replace(",", " ").replace(")", " ").split() if word.isdigit()
    ]
    line, column = numbers if len(numbers) == 2 else (text.count("\n") + 1, 0)
    message = message or error
    return f"{Place(file, line, column)}: {lower_first(message)}"


class _TableReader:
    """Reads the tables of one file and collects what is wrong."""

    def __init__(self, file: str, text: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._lines = text.splitlines()

    def table(
        self,
        data: Mapping[str, Any],
        declared: type[msgspec.Struct],
        above: tuple[str, ...],
        prefix: str = "",
    ) -> dict[str, Any]:
        """Return what a table says, by the names of Settings."""
        known = {field.name: field for field in fields_of(declared)}
        given: dict[str, Any] = {}
        for name, value in data.items():
            field = known.get(name)
            if field is None:
                hint = did_you_mean(name, list(known))
                names = ", ".join(known)
                self._reject((*above, name), "unknown-key", f'unknown key "{name}"', names, hint)
            elif field.shape.form == "object" and isinstance(value, dict):
                below = _name(field) or name
                given |= self.table(value, field.shape.bare, (*above, name), below)
            elif field.shape.form == "mapping" and isinstance(value, dict):
                tables = self._tables(value, field.shape.items[1].bare, (*above, name))
                given[_setting_name(field, prefix)] = tables
            else:
                try:
                    given[_setting_name(field, prefix)] = convert(field, value)
                except ValueError:
                    self._reject((*above, name), "type", _shown(value), expected(field))
        return given

    def _tables(
        self, data: Mapping[str, Any], declared: type[Fields], above: tuple[str, ...]
    ) -> dict[str, dict[str, Any]]:
        """Return tables of which each has a name that was chosen by its author."""
        given: dict[str, dict[str, Any]] = {}
        for name, value in data.items():
            if not legal_namespace(name):
                self._reject((*above, name), "name", f'the name "{name}"', NAMESPACE_RULE)
            elif not isinstance(value, dict):
                self._reject((*above, name), "type", _shown(value), "a table")
            else:
                given[name] = self.table(value, declared, (*above, name))
        return given

    def _reject(
        self, path: tuple[str, ...], code: str, actual: str, expected: str, hint: str = ""
    ) -> None:
        place = Place(self._file, self._line(path))
        self.problems.append(
            Problem(
                code=code,
                found=actual,
                expected=expected,
                hint=hint,
                place=place,
                path=".".join(path),
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


def _shown(value: Any) -> str:
    """Return a value as a person would say it."""
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    return f'the text "{value}"' if isinstance(value, str) else str(value)
