"""Does one condition hold wherever another does? Answered for what shows in the text, never guessed."""

import re
from collections.abc import Callable
from operator import eq, ge, gt, le, lt

from heddle.extensions.extension import Expression

_CEL = (None, "cel")
_CONSTANTS = {"true": True, "false": False}
_COMPARED = re.compile(r"([^<>=!?&|]+)(>=|<=|==|>|<)(-?\d+(?:\.\d+)?)", re.ASCII)
_QUOTED = re.compile(r"\"[^\"\\]*\"|'[^'\\]*'")
_SPACE = re.compile(r"\s+")
_HOLDS: dict[str, Callable[[float, float], bool]] = {">": gt, ">=": ge, "<": lt, "<=": le, "==": eq}


def truth(when: Expression) -> bool | None:
    """Return what a condition is for every packet; None if that depends on the packet."""
    return _CONSTANTS.get(when.code.strip()) if when.language in _CEL else None


def implies(narrow: Expression, wide: Expression) -> bool:
    """Return True if every packet that `narrow` holds for is one that `wide` holds for, for sure."""
    if wide.language != narrow.language:
        return False
    if narrow.language not in _CEL:
        # Without a call, the same text is the same condition.
        return narrow.code == wide.code and not re.search(r"[(`\n]", narrow.code)
    if truth(wide):
        return True
    inner, outer = _parts(narrow.code), _parts(wide.code)
    if inner is None or outer is None:
        return False
    return all(any(_follows(condition, each) for condition in inner) for each in outer)


def _parts(code: str) -> list[str] | None:
    """Return the conditions that are joined by `&&`, without spaces; None if they are joined otherwise."""
    bare = _QUOTED.sub('""', code)
    if "\\" in code or "//" in bare or "random" in bare or '""""' in bare:
        # Escapes, comments, quotes of three, and what may be another thing each time.
        return None
    if "||" in bare or "?" in bare:
        return [_squeezed(code)]
    parts: list[str] = []
    depth, start = 0, 0
    for at, character in enumerate(_masked(code)):
        depth += (character in "([{") - (character in ")]}")
        if depth == 0 and code.startswith("&&", at) and character == "&":
            parts.append(_squeezed(code[start:at]))
            start = at + 2
    return [*parts, _squeezed(code[start:])]


def _masked(code: str) -> str:
    """Return the code with what stands in quotes replaced, so that it is as long as before."""
    return _QUOTED.sub(lambda match: "_" * len(match[0]), code)


def _squeezed(code: str) -> str:
    """Return the code without the spaces outside of quotes."""
    quoted = _QUOTED.findall(code)
    pieces = [_SPACE.sub(" ", piece).strip() for piece in _QUOTED.split(code)]
    text = pieces[0] + "".join(map(str.__add__, quoted, pieces[1:]))
    return re.sub(r" ?([><=!]=?|&&|\|\|) ?", r"\1", text)


def _follows(inner: str, outer: str) -> bool:
    """Return True if `outer` holds wherever `inner` does: the same, or the wider of two comparisons."""
    if inner == outer:
        return True
    first, other = _COMPARED.fullmatch(inner), _COMPARED.fullmatch(outer)
    if first is None or other is None or first[1] != other[1]:
        return False
    number, limit = float(first[3]), float(other[3])
    holds = _HOLDS[other[2]]
    if first[2] == "==":
        return holds(number, limit)
    if first[2][0] != other[2][0]:
        return False
    return holds(number, limit) or (first[2] == other[2] and number == limit)
