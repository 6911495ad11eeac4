"""A matcher searches a text for a pattern, in time that grows with the text and never faster."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from heddle.extensions.languages.cel.charset import Charset
from heddle.extensions.languages.cel.errors import CelError


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of a set."""

    charset: Charset


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place between characters: `start`, `end`, `line start`, `word edge`, …."""

    name: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """One part after the other; without parts it is empty text."""

    parts: "tuple[Tree, ...]"


@dataclass(frozen=True, slots=True)
class Alternation:
    """Any one of the options."""

    options: "tuple[Tree, ...]"


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part so many times; no `high` means any number."""

    part: "Tree"
    low: int
    high: int | None


Tree: TypeAlias = Chars | Anchor | Sequence | Alternation | Repeat
Matcher: TypeAlias = Callable[[str], bool]

MAX_STEPS: Final = 5_000
"""How large a pattern may become once its repetitions are written out."""

MAX_REPEATS: Final = 1_000
"""How often a part may be repeated in all, by repetitions of repetitions: the limit of RE2."""

_TOO_LARGE: Final = "the pattern is too large once its repetitions are written out"

_TRIES: Final = 200_000
"""How many steps backtracking may need at worst before RE2 takes over."""


def matcher(tree: Tree) -> Matcher:
    """Return a function that tells whether a pattern occurs in a text; raise CelError if it is too large.

    Python's own engine is quick but may backtrack without end, so it gets only the texts that are
    short enough for the worst case of the pattern. RE2 takes the others: a call costs it 12 µs, and
    then its time grows with the text and never faster. Both get the same tree, written out in code
    points, so that a class of Unicode means the same for a short text and for a long one.
    """
    if _size(tree) > MAX_STEPS or _repeats(tree) > MAX_REPEATS:
        raise CelError(_TOO_LARGE)
    degree, factor = _effort(tree)
    if degree < 0:
        return _linear(tree)
    find = re.compile(_written(tree, _PYTHON)).search
    limit = int((_TRIES / factor) ** (1 / (degree + 1)))
    # What RE2 may find too large has to be known now, and not when a long text comes.
    linear = _linear(tree) if _weight(tree) > MAX_STEPS else None

    def search(text: str) -> bool:
        nonlocal linear
        if len(text) <= limit:
            return find(text) is not None
        if linear is None:
            linear = _linear(tree)
        return linear(text)

    return search


def _linear(tree: Tree) -> Matcher:
    """Return the matcher of RE2."""
    # Imported late: most patterns never need it.
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        find = re2.compile(_written(tree, _RE2), options=options).search
    except re2.error as error:
        raise CelError(_TOO_LARGE) from error

    def search(text: str) -> bool:
        try:
            return find(text) is not None
        except UnicodeEncodeError:
            # Half of a surrogate pair is a character to Python, and none to RE2.
            whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            return find(whole) is not None

    return search


def _size(tree: Tree, weigh: Callable[[Chars | Anchor], int] = lambda _: 1) -> int:
    """Return how many steps a pattern has once its repetitions are written out."""
    if isinstance(tree, Sequence):
        return sum(_size(part, weigh) for part in tree.parts)
    if isinstance(tree, Alternation):
        return sum(_size(option, weigh) for option in tree.options) + len(tree.options) - 1
    if isinstance(tree, Repeat):
        size = _size(tree.part, weigh)
        more = 1 if tree.high is None else tree.high - tree.low
        return tree.low * size + more * (size + 1)
    return weigh(tree)


def _weight(tree: Tree) -> int:
    """Return how large a pattern is with all ranges of its classes."""
    return _size(tree, lambda part: len(part.charset) if isinstance(part, Chars) else 1)


def _repeats(tree: Tree) -> int:
    """Return how often a part is repeated at most."""
    if isinstance(tree, Sequence):
        return max(map(_repeats, tree.parts), default=1)
    if isinstance(tree, Alternation):
        return max(map(_repeats, tree.options))
    if isinstance(tree, Repeat):
        return max(tree.high or tree.low, 1) * _repeats(tree.part)
    return 1


def _effort(tree: Tree) -> tuple[int, int]:
    """Bounds the ways to match at one place by factor * n ** degree; degree -1: no such bound."""
    if isinstance(tree, Sequence):
        degree, factor = 0, 1
        for more, times in map(_effort, tree.parts):
            degree = -1 if more < 0 or degree < 0 else degree + more
            factor *= times
    elif isinstance(tree, Alternation):
        efforts = [_effort(option) for option in tree.options]
        degree = -1 if any(d < 0 for d, _ in efforts) else max(d for d, _ in efforts)
        factor = sum(times for _, times in efforts)
    elif isinstance(tree, Repeat):
        degree, factor = _repeated_effort(tree)
    else:
        degree, factor = 0, 1
    return (-1, 1) if degree < 0 or factor > _TRIES else (degree, factor)


def _repeated_effort(tree: Repeat) -> tuple[int, int]:
    degree, factor = _effort(tree.part)
    simple = isinstance(tree.part, Chars)
    if tree.high is None:
        return (1, 1) if simple else (-1, 1)
    counts = tree.high - tree.low + 1
    if simple:
        return 0, counts
    if degree < 0 or (factor > 1 and tree.high > 20):
        return -1, 1
    return degree * tree.high, factor**tree.high * counts


_EDGES: Final = {
    "start": (r"\A", r"\A"),
    "end": (r"\Z", r"\z"),
    "line start": ("(?m:^)", "(?m:^)"),
    "line end": ("(?m:$)", "(?m:$)"),
    "word edge": (r"(?a:\b)", r"\b"),
    "no word edge": (r"(?:(?a:\B)|\A\Z)", r"\B"),
}
"""Each anchor as Python writes it, and as RE2 does."""

_PYTHON: Final = 0
_RE2: Final = 1
_CODE: Final = ("\\U{:08x}", "\\x{{{:x}}}")
_NEVER: Final = ("(?!)", r"[^\x{0}-\x{10ffff}]")


def _written(tree: Tree, engine: int) -> str:
    """Return the pattern in the notation of an engine."""
    if isinstance(tree, Chars):
        if engine == _PYTHON and len(tree.charset) == 1 and len(set(tree.charset[0])) == 1:
            # A text of its own is found by its first characters.
            return re.escape(chr(tree.charset[0][0]))
        code = _CODE[engine]
        ranges = [f"{code.format(low)}-{code.format(high)}" for low, high in tree.charset]
        return f"[{''.join(ranges)}]" if ranges else _NEVER[engine]
    if isinstance(tree, Anchor):
        return _EDGES[tree.name][engine]
    if isinstance(tree, Sequence):
        return "".join(_written(part, engine) for part in tree.parts) if tree.parts else "(?:)"
    if isinstance(tree, Alternation):
        return f"(?:{'|'.join(_written(option, engine) for option in tree.options)})"
    part = _written(tree.part, engine)
    high = "" if tree.high is None else tree.high
    return f"(?:{part}){{{tree.low},{high}}}"
