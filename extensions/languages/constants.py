"""The languages text, json and yaml: the code is the result, whatever the payload."""

import re
from typing import Any, Final

import msgspec

from heddle.runtime.assembly.language import CompileError, Language, Program
from heddle.specs.model.json_text import decode as decode_json


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
    from heddle.specs.yaml.fast import parse

    parsed = parse(str(code).removeprefix("\ufeff"))
    if parsed.faults:
        fault = parsed.faults[0]
        expected = f" (expected: {fault.expected})" if fault.expected else ""
        raise CompileError(
            f"{fault.found}{expected}", line=fault.line, column=fault.column, hint=fault.hint
        )
    documents = parsed.documents
    if len(documents) > 1:
        raise CompileError(
            f"the text holds {len(documents)} documents",
            hint='Make one list of them, without "---"',
        )
    return _always(documents[0] if documents else None)


TEXT: Final = Language(
    name="text", summary="the code itself, as text", compile=_text, constant=True
)
JSON: Final = Language(
    name="json", summary="the value that the JSON stands for", compile=_json, constant=True
)
YAML: Final = Language(
    name="yaml", summary="the value that the YAML 1.2 stands for", compile=_yaml, constant=True
)
