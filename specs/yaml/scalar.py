"""Scalars as they are written: unquoted, in quotes, or as a block, whichever reads back as the same."""

import json
import re
from base64 import b64encode
from typing import Any

from heddle.specs.yaml.parsed import resolve

_BREAKS = frozenset("\x85\u2028\u2029\ufeff")
_BARE = re.compile(r"[A-Za-z_/.$](?:[\w ./$@+~=()%*\[\]-]|:(?! |$))*")
_UNSURE = frozenset(("yes", "no", "on", "off", "y", "n"))
_FIRST = frozenset("-?:,[]{}#&*!|>'\"%@`")
_MARKS = ("---", "...")


def is_bare(text: str, flow: bool) -> bool:
    """Return whether a text may stand without quotes, in this reader and in every other one."""
    return (
        bool(text)
        and text.isascii()
        and _BARE.fullmatch(text) is not None
        and text[-1] not in " :"
        and resolve(text) is text
        and text.lower() not in _UNSURE
        and not (flow and not {"[", "]"}.isdisjoint(text))
        and not (flow and ":" in text)
        and text != "<<"
        and not text.startswith(_MARKS)
    )


def is_plain(text: str, flow: bool, *, colons: bool = False, key: bool = False) -> bool:
    """Return whether a text reads back as the same without quotes.

    With `colons` a colon inside of a word is taken between braces too, as its neighbours have it.
    A key is always text, whatever other readers make of `y` and `on`.
    """
    if not text or text != text.strip() or resolve(text) is not text or text == "<<":
        return False
    if len(text) > 1 and text.lower() in _UNSURE and not key:
        return False
    if text.startswith(_MARKS) or text[0] in _FIRST:
        return bool(text) and text[0] == "-" and len(text) > 1 and _dashed(text, flow)
    return _inside(text, flow, colons)


def _dashed(text: str, flow: bool) -> bool:
    """Return whether a text that begins with a dash can stand alone."""
    sound = text[1] not in " -?:," and not text.startswith(_MARKS) and resolve(text) is text
    return sound and _inside(text, flow, False)


def _inside(text: str, flow: bool, colons: bool) -> bool:
    if ": " in text or " #" in text or text[-1] == ":" or not _BREAKS.isdisjoint(text):
        return False
    if not text.isprintable():
        return False
    return not flow or ((colons or ":" not in text) and {"[", "]", "{", "}", ","}.isdisjoint(text))


def quoted(text: str, style: str = "'") -> str:
    """Return a text in these quotes, or in double ones if only they can hold it."""
    holds = all(character.isprintable() and character not in _BREAKS for character in text)
    if style != '"' and holds:
        return "'" + text.replace("'", "''") + "'"
    escaped = json.dumps(text, ensure_ascii=False)
    return "".join(
        character if character.isprintable() and character not in _BREAKS else _escape(character)
        for character in escaped
    )


def _escape(character: str) -> str:
    number = ord(character)
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"


def number_text(data: Any) -> str | None:
    """Return how null, true, false, a number or bytes are written; None for anything else."""
    if data is None:
        return "null"
    if data is True or data is False:
        return "true" if data else "false"
    if isinstance(data, bytes):
        return f'!!binary "{b64encode(data).decode()}"'
    if not isinstance(data, int | float):
        return None
    if data != data:
        return ".nan"
    if data in (float("inf"), float("-inf")):
        return ".inf" if data > 0 else "-.inf"
    return repr(data)


def fits_block(text: str) -> bool:
    """Return whether a new text is best written as a block of lines."""
    lines = text.split("\n")
    return (
        len(lines) > 1
        and bool(lines[0])
        and not lines[0][:1].isspace()
        and all(line == line.rstrip() for line in lines)
        and holds_block(text)
    )


def holds_block(text: str) -> bool:
    """Return whether a block scalar reads back as this text, with the indicators that it needs."""
    signs = all(sign in "\n\t" or (sign.isprintable() and sign not in _BREAKS) for sign in text)
    return bool(text.strip("\n \t")) and signs and text.strip("\n") != ""


def block(text: str, style: str, indent: int) -> tuple[str, list[str]]:
    """Return the header of a block scalar and its lines, indented by this much."""
    body = text.rstrip("\n")
    ends = len(text) - len(body)
    chomp = "-" if not ends else "+" if ends > 1 else ""
    first = next((line for line in body.split("\n") if line), "")
    digit = "" if first[:1] not in (" ", "\t") else "*"
    if style == ">":
        # Breaks before the first word are not folded.
        body = re.sub(r"(?<=[^\n])\n+", lambda breaks: breaks.group() + "\n", body)
    margin = " " * indent
    lines = [margin + line if line else "" for line in body.split("\n")]
    return f"{style}{digit}{chomp}", lines + [""] * (ends - 1)
