"""The languages text, json and yaml: the code is the result, whatever the payload."""

import re
import warnings
from typing import Any, Final

import msgspec

from heddle.runtime.assembly.language import CompileError, Language, Program
from heddle.schemas.problem import defect_of
from heddle.specs.model.json_text import decode as decode_json

MAX_VALUES: Final = 1_000_000
"""How many values a YAML text may stand for once its aliases are written out."""


def _always(value: Any) -> Program:
    def program(payload: Any) -> Any:
        return value

    return program


def _text(code: str) -> Program:
    # A field's value is a kind of str; a payload is a str and nothing more.
    return _always(str(code))


def _json(code: str) -> Program:
    code = str(code)  # msgspec takes no kinds of str.
    try:
        return _always(decode_json(code))
    except msgspec.DecodeError as error:
        message = str(error)
        if "nested" in message:
            raise CompileError(message) from None
        byte = re.search(r" \(byte (\d+)\)", message)
        data = code.encode(errors="surrogatepass")
        at = int(byte[1]) if byte else len(data)
        before = data[:at].decode(errors="ignore")
        line, column = _place(before.removeprefix("\ufeff"))
        text = message.replace(byte[0], "") if byte else message
        raise CompileError(text, line=line, column=column) from None
    except (RecursionError, UnicodeEncodeError) as error:
        raise CompileError(f"JSON cannot be read: {error}") from None


def _place(before: str) -> tuple[int, int]:
    """Line and column right behind the text."""
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _yaml(code: str) -> Program:
    # Reading YAML takes a while to import, and most runtimes hold no YAML constant.
    from ruamel.yaml import YAML
    from ruamel.yaml.constructor import SafeConstructor
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        with warnings.catch_warnings():
            # A float without a point is good YAML 1.2.
            warnings.simplefilter("ignore")
            documents = list(_reader(YAML, SafeConstructor).load_all(str(code)))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise CompileError(
            " ".join(str(error.problem or error.context).split()),
            line=mark.line + 1 if mark else 0,
            column=mark.column + 1 if mark else 0,
        ) from None
    except YAMLError as error:
        raise CompileError(f"YAML cannot be read: {error}") from None
    except Exception as error:
        # ruamel.yaml fails in many ways: IndexError for `!!float ""`, AttributeError for odd tags.
        raise CompileError(f"YAML {defect_of(error)}") from None
    if len(documents) > 1:
        raise CompileError(
            f"the text holds {len(documents)} documents",
            hint='Make one list of them, without "---"',
        )
    value = documents[0] if documents else None
    _Check().count(value, "the value")
    return _always(value)


def _reader(make: Any, constructor: Any) -> Any:
    class Plain(constructor):  # type: ignore[misc]
        """Leaves a date the text that was written: YAML 1.2 and payloads know no dates."""

    Plain.add_constructor("tag:yaml.org,2002:timestamp", constructor.construct_yaml_str)
    reader = make(typ="safe", pure=True)
    reader.version = (1, 2)
    reader.Constructor = Plain
    return reader


class _Check:
    """Refuses what is not plain data, and aliases that make much out of little."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}
        self._open: set[int] = set()

    def count(self, value: Any, where: str) -> int:
        """How many values there are, with every alias written out."""
        if value is None or type(value) in (bool, int, float, str, bytes):
            return 1
        if type(value) not in (list, dict):
            raise CompileError(
                f"{where} is {type(value).__name__}, which is not plain data",
                hint="Put it in quotes",
            )
        if id(value) in self._open:
            raise CompileError(f"{where} holds itself")
        if id(value) not in self._known:
            self._open.add(id(value))
            items = value if type(value) is list else [*value.keys(), *value.values()]
            self._known[id(value)] = 1 + sum(self.count(item, where) for item in items)
            self._open.discard(id(value))
        if self._known[id(value)] > MAX_VALUES:
            raise CompileError(f"the aliases stand for more than {MAX_VALUES:,} values")
        return self._known[id(value)]


TEXT: Final = Language(
    name="text", summary="the code itself, as text", compile=_text, constant=True
)
JSON: Final = Language(
    name="json", summary="the value that the JSON stands for", compile=_json, constant=True
)
YAML: Final = Language(
    name="yaml", summary="the value that the YAML 1.2 stands for", compile=_yaml, constant=True
)
