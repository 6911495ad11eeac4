"""A matcher searches a text for a pattern, in time that grows with the text and never faster."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from heddle.extensions.languages.cel.charset import WORD, Charset, holds
from heddle.extensions.languages.cel.errors import CelError


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of a set."""

    charset: Charset


@dataclass(frozen=True, slots=True)
class Anchor:
    """A place between characters: `start`, `end`, `line start`, `word edge`, …"""

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

MAX_STATES: Final = 2_000
"""How many states the automaton remembers before it starts over."""

MAX_ALPHABET: Final = 256
"""How many different characters a state remembers."""

_TRIES: Final = 200_000
"""How many steps backtracking may need at worst before the automaton takes over."""


def matcher(tree: Tree) -> Matcher:
    """Tells of a text whether the pattern occurs in it; Fault if the pattern is too large.

    Python's own engine is quick but may backtrack without end, so it gets only the texts that are
    short enough for the worst case of the pattern; the automaton takes the others.
    """
    automaton = _Automaton(tree)
    degree, factor = _effort(tree)
    if degree < 0:
        return automaton.search
    find = re.compile(_python(tree)).search
    limit = int((_TRIES / factor) ** (1 / (degree + 1)))

    def search(text: str) -> bool:
        if len(text) <= limit:
            return find(text) is not None
        return automaton.search(text)

    return search


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
    "start": r"\A",
    "end": r"\Z",
    "line start": "(?m:^)",
    "line end": "(?m:$)",
    "word edge": r"(?a:\b)",
    "no word edge": r"(?:(?a:\B)|\A\Z)",
}


def _python(tree: Tree) -> str:
    """Return the same pattern in Python's notation."""
    if isinstance(tree, Chars):
        if len(tree.charset) == 1 and tree.charset[0][0] == tree.charset[0][1]:
            return re.escape(chr(tree.charset[0][0]))
        ranges = "".join(f"\\U{low:08x}-\\U{high:08x}" for low, high in tree.charset)
        return f"[{ranges}]" if ranges else "(?!)"
    if isinstance(tree, Anchor):
        return _EDGES[tree.name]
    if isinstance(tree, Sequence):
        return "".join(map(_python, tree.parts)) if tree.parts else "(?:)"
    if isinstance(tree, Alternation):
        return f"(?:{'|'.join(map(_python, tree.options))})"
    high = "" if tree.high is None else tree.high
    return f"(?:{_python(tree.part)}){{{tree.low},{high}}}"


_ACCEPT: Final = -1
_Step: TypeAlias = tuple[str, object, int, int]


class _State(dict[str, "_State"]):
    """Where the automaton stands: for each next character, where it stands then."""

    __slots__ = ("automaton", "before", "steps")

    def __init__(self, automaton: "_Automaton", steps: frozenset[int], before: str) -> None:
        self.automaton = automaton
        self.steps = steps
        self.before = before

    def __missing__(self, char: str) -> "_State":
        next_state = self.automaton.after(self, char)
        if len(self) < MAX_ALPHABET:
            self[char] = next_state
        return next_state


class _Automaton:
    """The steps of a pattern, walked all at once; what was worked out once is remembered."""

    def __init__(self, tree: Tree) -> None:
        self._steps: list[_Step] = []
        self._start = self._build(tree, _ACCEPT)
        self._states: dict[tuple[frozenset[int], str], _State] = {}
        self._hit = _State(self, frozenset(), "")

    def search(self, text: str) -> bool:
        """Return whether the pattern occurs in the text."""
        if len(self._states) > MAX_STATES:
            self._states.clear()
        state = self._state(frozenset((self._start,)), "")
        hit = self._hit
        for char in text:
            state = state[char]
            if state is hit:
                return True
        return _ACCEPT in self._reach(state, "")

    def after(self, state: _State, char: str) -> _State:
        """Return the state once that character is read; `_hit` when a match ends before it."""
        reached = self._reach(state, char)
        if _ACCEPT in reached:
            return self._hit
        code = ord(char)
        following = {self._start}
        for number in reached:
            kind, value, after, _ = self._steps[number]
            if kind == "chars" and holds(value, code):  # type: ignore[arg-type]
                following.add(after)
        before = "w" if holds(WORD, code) else "n" if char == "\n" else "o"
        return self._state(frozenset(following), before)

    def _state(self, steps: frozenset[int], before: str) -> _State:
        key = (steps, before)
        state = self._states.get(key)
        if state is None:
            if len(self._states) > MAX_STATES:
                # Forget, and let the walk go on: its own state keeps what it needs.
                self._states.clear()
            state = self._states[key] = _State(self, steps, before)
        return state

    def _reach(self, state: _State, char: str) -> set[int]:
        """Return every step that can be stood on without reading, with `char` next (empty: the end)."""
        reached: set[int] = set()
        waiting = list(state.steps)
        while waiting:
            number = waiting.pop()
            if number in reached:
                continue
            reached.add(number)
            if number == _ACCEPT:
                continue
            kind, value, first, second = self._steps[number]
            if kind == "split":
                waiting += (first, second)
            elif kind == "edge" and _is_edge(str(value), state.before, char):
                waiting.append(first)
        return reached

    def _add(self, step: _Step) -> int:
        if len(self._steps) >= MAX_STEPS:
            raise CelError("the pattern is too large once its repetitions are written out")
        self._steps.append(step)
        return len(self._steps) - 1

    def _build(self, tree: Tree, after: int) -> int:
        """Add the steps of a part that leads on to `after`; gives its first step."""
        if isinstance(tree, Chars):
            return self._add(("chars", tree.charset, after, 0))
        if isinstance(tree, Anchor):
            return self._add(("edge", tree.name, after, 0))
        if isinstance(tree, Sequence):
            for part in reversed(tree.parts):
                after = self._build(part, after)
            return after
        if isinstance(tree, Alternation):
            first = self._build(tree.options[-1], after)
            for option in reversed(tree.options[:-1]):
                first = self._add(("split", None, self._build(option, after), first))
            return first
        return self._repeat(tree, after)

    def _repeat(self, tree: Repeat, after: int) -> int:
        if tree.high is None:
            loop = self._add(("split", None, after, after))
            body = self._build(tree.part, loop)
            self._steps[loop] = ("split", None, body, after)
            first = loop
        else:
            first = after
            for _ in range(tree.high - tree.low):
                first = self._add(("split", None, self._build(tree.part, first), after))
        for _ in range(tree.low):
            first = self._build(tree.part, first)
        return first


def _is_edge(name: str, before: str, char: str) -> bool:
    """Return whether that edge lies here; `before` is the kind of the character before, empty at the start."""
    if name == "start":
        return not before
    if name == "end":
        return not char
    if name == "line start":
        return before in ("", "n")
    if name == "line end":
        return char in ("", "\n")
    inside = before == "w"
    ahead = bool(char) and holds(WORD, ord(char))
    return (inside != ahead) == (name == "word edge")
