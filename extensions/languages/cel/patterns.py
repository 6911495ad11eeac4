"""The patterns of `matches` are RE2's: read here into a tree, with a reason if RE2 says no."""

from functools import lru_cache
from typing import Final, TypeAlias

from heddle.extensions.languages.cel.charset import (
    DIGIT,
    EVERYTHING,
    POSIX,
    SPACE,
    WORD,
    Charset,
    category,
    folded,
    negated,
    union,
)
from heddle.extensions.languages.cel.errors import CelError
from heddle.extensions.languages.cel.matching import (
    Alternation,
    Anchor,
    Chars,
    Matcher,
    Repeat,
    Sequence,
    Tree,
    matcher,
)

MAX_LENGTH: Final = 10_000
MAX_REPEAT: Final = 1000
MAX_DEPTH: Final = 100

_CLASSES: Final = {"d": DIGIT, "s": SPACE, "w": WORD}
_CONTROLS: Final = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}
_NEWLINE: Final[Charset] = ((10, 10),)
_LOOKAROUND: Final = ("(?=", "(?!", "(?<=", "(?<!")
_Flags: TypeAlias = frozenset[str]


@lru_cache(maxsize=256)
def search(pattern: str) -> Matcher:
    """Tells of a text whether the pattern matches anywhere in it; Fault for a bad pattern.

    The time it takes grows with the length of the text and never faster.
    """
    if len(pattern) > MAX_LENGTH:
        raise CelError(f"the pattern is {len(pattern)} characters long (at most {MAX_LENGTH})")
    return matcher(_Reader(pattern).read())


class _Reader:
    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._depth = 0

    def read(self) -> Tree:
        tree, _ = self._choice(frozenset())
        if self._at < len(self._text):
            raise self._fault('")" without "("')
        return tree

    def _fault(self, subject: str) -> CelError:
        shown = self._text if len(self._text) <= 80 else f"{self._text[:80]}…"
        return CelError(f'bad pattern "{shown}": {subject} (at character {self._at + 1})')

    def _peek(self, text: str) -> bool:
        return self._text.startswith(text, self._at)

    def _accept(self, text: str) -> bool:
        if self._peek(text):
            self._at += len(text)
            return True
        return False

    def _take(self, subject: str) -> str:
        if self._at >= len(self._text):
            raise self._fault(subject)
        self._at += 1
        return self._text[self._at - 1]

    def _choice(self, flags: _Flags) -> tuple[Tree, _Flags]:
        """Alternatives up to a closing bracket; flags set inside last until that bracket."""
        options: list[Tree] = []
        while True:
            option, flags = self._sequence(flags)
            options.append(option)
            if not self._accept("|"):
                return (options[0] if len(options) == 1 else Alternation(tuple(options))), flags

    def _sequence(self, flags: _Flags) -> tuple[Tree, _Flags]:
        parts: list[Tree] = []
        while self._at < len(self._text) and not self._peek("|") and not self._peek(")"):
            if self._accept("\\Q"):
                parts += self._quoted(flags)
                continue
            if self._peek("(?") and (changed := self._flags_alone(flags)) is not None:
                flags = changed
                continue
            part = self._atom(flags)
            parts.append(self._repeated(part))
        return (parts[0] if len(parts) == 1 else Sequence(tuple(parts))), flags

    def _quoted(self, flags: _Flags) -> list[Tree]:
        """Return the characters up to `\\E` or the end; a repetition behind it is for the last one."""
        end = self._text.find("\\E", self._at)
        end = len(self._text) if end < 0 else end
        chars: list[Tree] = [self._char(ord(char), flags) for char in self._text[self._at : end]]
        self._at = min(end + 2, len(self._text))
        if chars:
            chars[-1] = self._repeated(chars[-1])
        return chars

    def _flags_alone(self, flags: _Flags) -> _Flags | None:
        """Return the flags after `(?i)`; None, and nothing read, where a group starts instead."""
        end = self._at + 2
        while end < len(self._text) and self._text[end] in "imsU-":
            end += 1
        if self._text[end : end + 1] != ")":
            return None
        letters = self._text[self._at + 2 : end]
        changed = self._changed(flags, letters)
        self._at = end + 1
        return changed

    def _changed(self, flags: _Flags, letters: str) -> _Flags:
        on, dash, off = letters.partition("-")
        if "-" in off or (dash and not off) or not letters:
            raise self._fault("flags are written as in (?i) or (?i-s)")
        return (flags | frozenset(on)) - frozenset(off)

    def _atom(self, flags: _Flags) -> Tree:
        char = self._take("a character is missing")
        if char == "(":
            return self._group(flags)
        if char == "[":
            return Chars(self._class(flags))
        if char == ".":
            return Chars(EVERYTHING if "s" in flags else negated(_NEWLINE))
        if char == "^":
            return Anchor("line start" if "m" in flags else "start")
        if char == "$":
            return Anchor("line end" if "m" in flags else "end")
        if char == "\\":
            return self._escape(flags)
        if char in "*+?":
            self._at -= 1
            raise self._fault(f'"{char}" has nothing to repeat')
        return self._char(ord(char), flags)

    def _char(self, code: int, flags: _Flags) -> Chars:
        entry: Charset = ((code, code),)
        return Chars(folded(entry) if "i" in flags else entry)

    def _group(self, flags: _Flags) -> Tree:
        self._at -= 1
        if any(map(self._peek, _LOOKAROUND)):
            raise self._fault("looking ahead or behind is not part of RE2")
        self._at += 1
        if self._accept("?P<") or self._accept("?<"):
            self._group_name()
        elif self._accept("?"):
            start = self._at
            while self._at < len(self._text) and self._text[self._at] in "imsU-":
                self._at += 1
            letters = self._text[start : self._at]
            if not self._accept(":"):
                raise self._fault("this kind of group is not part of RE2")
            flags = self._changed(flags, letters) if letters else flags
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._fault(f"groups nest more than {MAX_DEPTH} deep")
        tree, _ = self._choice(flags)
        self._depth -= 1
        if not self._accept(")"):
            raise self._fault('a ")" is missing')
        return tree

    def _group_name(self) -> None:
        end = self._text.find(">", self._at)
        name = self._text[self._at : end]
        if end < 0 or not name.replace("_", "a").isalnum():
            raise self._fault("the name of a group is letters, digits and _")
        self._at = end + 1

    def _repeated(self, part: Tree) -> Tree:
        bounds = self._bounds()
        if bounds is None:
            return part
        self._accept("?")
        again = self._at
        if self._bounds() is not None:
            self._at = again
            raise self._fault("a repetition cannot be repeated (possessive forms are not RE2)")
        return Repeat(part, *bounds)

    def _bounds(self) -> tuple[int, int | None] | None:
        if self._accept("*"):
            return 0, None
        if self._accept("+"):
            return 1, None
        if self._accept("?"):
            return 0, 1
        return self._counts() if self._peek("{") else None

    def _counts(self) -> tuple[int, int | None] | None:
        """`{2}`, `{2,}` or `{2,5}`; None if the brace stands for itself."""
        end = self._text.find("}", self._at)
        first, comma, last = self._text[self._at + 1 : max(end, 0)].partition(",")
        if end < 0 or not _digits(first) or (last and not _digits(last)):
            return None
        low = int(first[:5])
        high = low if not comma else int(last[:5]) if last else None
        if low > MAX_REPEAT or (high is not None and not low <= high <= MAX_REPEAT):
            raise self._fault(f"a repetition is at most {MAX_REPEAT}, and its bounds ascend")
        self._at = end + 1
        return low, high

    def _escape(self, flags: _Flags) -> Tree:
        char = self._take("a pattern cannot end in a backslash")
        if char == "A":
            return Anchor("start")
        if char == "z":
            return Anchor("end")
        if char == "b":
            return Anchor("word edge")
        if char == "B":
            return Anchor("no word edge")
        if char in "123456789" and not self._text[self._at : self._at + 1].isdigit():
            self._at -= 2
            raise self._fault("backreferences are not part of RE2")
        charset = self._escaped_class(char)
        if charset is not None:
            return Chars(folded(charset) if "i" in flags else charset)
        return self._char(self._escaped_code(char), flags)

    def _escaped_class(self, char: str) -> Charset | None:
        if char.lower() in _CLASSES:
            charset = _CLASSES[char.lower()]
            return negated(charset) if char.isupper() else charset
        if char not in ("p", "P"):
            return None
        name = self._take("a class name is missing")
        if name == "{":
            end = self._text.find("}", self._at)
            if end < 0:
                raise self._fault('a "}" is missing')
            name = self._text[self._at : end]
            self._at = end + 1
        inverse = (char == "P") != name.startswith("^")
        entry = category(name.removeprefix("^")) if name.isascii() and len(name) < 5 else None
        if not name or entry is None:
            raise self._fault(f'unknown class "{name}" (expected: a Unicode category, as in \\pL)')
        return negated(entry) if inverse else entry

    def _escaped_code(self, char: str) -> int:
        if char in _CONTROLS:
            return _CONTROLS[char]
        if char == "x":
            return self._hexadecimal()
        if char in "01234567":
            digits = char
            while len(digits) < 3 and self._text[self._at : self._at + 1] in tuple("01234567"):
                digits += self._take("")
            return int(digits, 8)
        if char.isascii() and not char.isalnum() and char != "_":
            return ord(char)
        self._at -= 2
        raise self._fault(f'"\\{char}" is not an escape of RE2')

    def _hexadecimal(self) -> int:
        if self._accept("{"):
            end = self._text.find("}", self._at)
            digits = self._text[self._at : max(end, 0)]
            self._at = end + 1
        else:
            digits = self._text[self._at : self._at + 2]
            self._at += 2
            digits = digits if len(digits) == 2 else ""
        if not digits or len(digits) > 6 or digits.strip("0123456789abcdefABCDEF"):
            raise self._fault("\\x wants two digits, or \\x{…}")
        code = int(digits, 16)
        if code > 0x10FFFF:
            raise self._fault("there is no such character")
        return code

    def _class(self, flags: _Flags) -> Charset:
        inverse = self._accept("^")
        parts: list[tuple[int, int]] = []
        first = True
        while first or not self._peek("]"):
            first = False
            if self._at >= len(self._text):
                raise self._fault('a "]" is missing')
            parts += self._class_part()
        self._at += 1
        charset = union(parts)
        charset = folded(charset) if "i" in flags else charset
        return negated(charset) if inverse else charset

    def _class_part(self) -> Charset:
        if self._peek("[:") and ":]" in self._text[self._at + 2 :]:
            return self._posix()
        low = self._class_char()
        if isinstance(low, tuple):
            return low
        if self._peek("-") and not self._peek("-]"):
            self._at += 1
            if self._at >= len(self._text):
                raise self._fault('a "]" is missing')
            high = self._class_char()
            if isinstance(high, tuple) or high < low:
                raise self._fault("a range goes from one character up to another")
            return ((low, high),)
        return ((low, low),)

    def _class_char(self) -> int | Charset:
        char = self._take('a "]" is missing')
        if char != "\\":
            return ord(char)
        char = self._take("a pattern cannot end in a backslash")
        charset = self._escaped_class(char)
        if charset is not None:
            return charset
        if char in "123456789" and not self._text[self._at : self._at + 1].isdigit():
            raise self._fault("backreferences are not part of RE2")
        return self._escaped_code(char)

    def _posix(self) -> Charset:
        end = self._text.index(":]", self._at)
        name = self._text[self._at + 2 : end]
        charset = POSIX.get(name.removeprefix("^"))
        if charset is None:
            raise self._fault(f'unknown class "[:{name[:20]}:]"')
        self._at = end + 2
        return negated(charset) if name.startswith("^") else charset


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()
