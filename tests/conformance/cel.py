"""The simple tests of the CEL specification: what is asked, what is wanted, and what is not promised."""

import re
from pathlib import Path
from typing import Any, Final, NamedTuple

from heddle.extensions.languages.cel.values import CelDuration, Timestamp, Type, Uint
from tests.conformance.textproto import parse

FILES: Final = {
    "block_ext": "cel.block and cel.index are for code that other programs make",
    "enums": "payloads have no enums",
    "proto2": "payloads have no protobuf messages",
    "proto2_ext": "payloads have no protobuf messages",
    "proto3": "payloads have no protobuf messages",
    "type_deduction": "nothing is typed before it runs",
    "unknowns": "a payload is known as a whole",
    "dynamic": "payloads have no protobuf messages",
    "wrappers": "payloads have no protobuf messages",
}
"""Files of which the page promises nothing, and why."""

DIFFERENCES: Final = {
    "basic/functions/unbound_is_runtime_error": "unknown functions are rejected while compiling",
    "parse/receiver_function_names/": "unknown functions are rejected while compiling",
    "math_ext/ceil/dyn_error": "math.ceil takes whole numbers",
    "math_ext/floor/dyn_error": "math.floor takes whole numbers",
    "math_ext/round/dyn_error": "math.round takes whole numbers",
    "math_ext/trunc/dyn_error": "math.trunc takes whole numbers",
    "string_ext/format/map support (all key types)": "1 and true are one key",
    "string_ext/value_errors/indexof_out_of_range": "indexOf from beyond the end is -1",
    "string_ext/value_errors/lastindexof_out_of_range": "lastIndexOf from beyond the end is -1",
}
"""Tests of which the page says that it is otherwise here, and how."""


class Case(NamedTuple):
    """One test: `wanted` is what it gives, or the class Exception if it fails."""

    name: str
    code: str
    payload: dict[str, Any]
    wanted: Any


class Unpromised(Exception):  # noqa: N818 - a reason, not a mistake
    """Why a test asks for something that the page does not promise."""


def cases(file: Path) -> list[tuple[str, dict[str, list[Any]]]]:
    """Return the tests of a file by their names."""
    found: list[tuple[str, dict[str, list[Any]]]] = []
    for section in parse(file.read_text(encoding="utf-8")).get("section", []):
        for test in section.get("test", []):
            name = f"{file.stem}/{_text(section, 'name')}/{_text(test, 'name')}"
            found.append((name, test))
    return found


def case_of(name: str, test: dict[str, list[Any]]) -> Case:
    """Return what a test asks and wants; Unpromised says why it is left out."""
    for prefix, reason in DIFFERENCES.items():
        if name.startswith(prefix):
            raise Unpromised(reason)
    code = _text(test, "expr")
    for pattern, reason in _NOT_PROMISED:
        if re.search(pattern, code):
            raise Unpromised(reason)
    if "check_only" in test or "typed_result" in test:
        raise Unpromised("nothing is typed before it runs")
    if "unknown" in test or "any_unknowns" in test:
        raise Unpromised("a payload is known as a whole")
    payload: dict[str, Any] = {}
    for binding in test.get("bindings", []):
        held = binding["value"][0].get("value")
        if held is None:
            raise Unpromised("a payload is known as a whole")
        key = _text(binding, "key")
        if "." in key:
            raise Unpromised("a name of the payload is one word: there are no containers")
        payload[key] = value_of(held[0])
    if "eval_error" in test or "any_eval_errors" in test:
        return Case(name, code, payload, Exception)
    return Case(name, code, payload, value_of(test["value"][0]) if "value" in test else True)


_NOT_PROMISED: Final = (
    (
        r"\bTest(All|Required)?\w*\{|TestAllTypes|NestedTestAllTypes|GlobalEnum|NestedEnum",
        "payloads have no protobuf messages",
    ),
    (r"google\.protobuf\.\w+\s*\{", "messages are rejected: payloads have none"),
    (r"\bcel\.(block|index|iterVar)\b", "no macros of that name"),
)


def value_of(value: dict[str, list[Any]]) -> Any:
    """Return a value of a test as ours; Unpromised for messages."""
    [(sort, [held, *_])] = value.items()
    match sort:
        case "int64_value":
            return int(held, 0)
        case "uint64_value":
            return Uint(int(held, 0))
        case "double_value":
            return float(held)
        case "bool_value":
            return held == "true"
        case "string_value":
            return held.decode()
        case "bytes_value":
            return held
        case "null_value":
            return None
        case "type_value":
            return Type(held.decode())
        case "list_value":
            return [value_of(item) for item in held.get("values", [])]
        case "map_value":
            return {
                value_of(entry["key"][0]): value_of(entry["value"][0])
                for entry in held.get("entries", [])
            }
        case "object_value":
            return _object(held)
        case _:
            raise Unpromised("payloads have no enums")


def _object(held: dict[str, list[Any]]) -> Any:
    [(url, [fields, *_])] = held.items()
    nanos = 0
    if url.endswith((".Duration", ".Timestamp")):
        seconds = int(fields.get("seconds", ["0"])[0])
        nanos = seconds * 1_000_000_000 + int(fields.get("nanos", ["0"])[0])
        return CelDuration(nanos) if url.endswith("Duration") else Timestamp(nanos)
    raise Unpromised("payloads have no protobuf messages")


def _text(message: dict[str, list[Any]], field: str) -> str:
    return b"".join(message.get(field, [b""])).decode()
