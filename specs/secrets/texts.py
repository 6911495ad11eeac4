"""Texts hold secrets too: JSON, URLs, forms, lines of headers, and messages that quote them.

{"password": "x"}            JSON, whole or in part, also with its quotes escaped
{"name": "Cookie", "value": "x"}
https://ada:x@host/          the password of a URL, and a name that stands alone before the @
?token=x  password=x         values of a query, of a form, and of a message
Authorization: Bearer x      to the end of the line, for what headers hold
Bearer x                     wherever it stands
"""

import json
import re
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from heddle.specs.model.mask import MASK
from heddle.specs.secrets.words import Words

_JSON = 256 * 1024
"""Characters of a text that is read as JSON; in a longer one secrets are looked for piece by piece."""

_HEADERS = ("authorization", "cookie", "password", "passwd", "apikey")
"""The words that a line may name anywhere in it: no sentence goes on behind such a word and a colon."""

_ENDS = frozenset(",}]\"'")
_SCHEMES = ("bearer", "basic", "negotiate")
_LONG = 16

_WORDS = re.compile(r"[A-Za-z][a-z]*(?:[-/][a-z]+)*\.?")
"""The words that may follow the name of a scheme in a sentence."""

_HEADER = re.compile(r"\s*(?P<scheme>Bearer|Negotiate)\s{1,64}(?P<value>\S+)\s*", re.IGNORECASE)
"""A text that is a whole value of a header, and no sentence."""

_NEAR = 512
"""Characters around the name of an entry in which its value is looked for."""

_KEY_END = re.compile(r"\s{0,64}(?::|=>)")

_SHORT = 120
_KEPT = 2048
"""Texts up to a length that were searched and hold nothing: a log repeats itself."""


class _Patterns(NamedTuple):
    """The expressions that find what names a secret; each looks at every sign a few times at most."""

    quoted: "re.Pattern[str]"
    named: "re.Pattern[str]"
    value: "re.Pattern[str]"
    assigned: "re.Pattern[str]"
    line: "re.Pattern[str]"
    userinfo: "re.Pattern[str]"
    scheme: "re.Pattern[str]"
    element: "re.Pattern[str]"


@cache
def _patterns() -> _Patterns:
    """Return the patterns; they are made when the first text is searched, as most commands never search one."""
    sign = r"""[^\s"'=:&?;,{}()\[\]<>\\]"""
    return _Patterns(
        # A key in quotes, which may be escaped, and what separates it from its value.
        quoted=re.compile(
            r"""(?<!\\)(?P<quote>\\{0,64}["'])(?P<key>[^"'\\]{1,128})(?P=quote)\s{0,64}(?::|=>|=|,)\s{0,64}"""
        ),
        # An entry: what it names, and the keys that hold its value.
        named=re.compile(
            r"""(?<!\\)(?P<quote>\\{0,64}["'])(?:name|key|header|field)(?P=quote)\s{0,64}(?::|=>|=)\s{0,64}"""
            r"""(?P=quote)(?P<key>[^"'\\]{1,128})(?P=quote)""",
            re.IGNORECASE,
        ),
        value=re.compile(
            r"""(?<!\\)(?P<quote>\\{0,64}["'])(?:values?|data|content)(?P=quote)\s{0,64}(?::|=>|=)\s{0,64}""",
            re.IGNORECASE,
        ),
        assigned=re.compile(
            rf"""(?<!{sign})(?P<key>{sign}{{1,128}})="""
            r"""(?P<value>"[^"]*"?|'[^']*'?|[^\s&;,"'<>)\]}]+)"""
        ),
        # Not behind a dot: `listener.tls.password: …` is the place of a mistake.
        line=re.compile(
            r"(?P<start>^[ \t]{0,64}(?:- )?)?(?<![\w.\]-])(?P<key>[A-Za-z][\w-]{0,127})"
            r"[ \t]{0,64}:[ \t]{1,64}(?P<value>[^\s\"'{\[][^\r\n\"]*)",
            re.MULTILINE,
        ),
        userinfo=re.compile(
            r"(?<![A-Za-z0-9+.-])(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,31}://)"
            r"(?P<info>[^\s/?#\"'<>]{0,2048})@"
        ),
        scheme=re.compile(
            r"\b(?P<scheme>Bearer|Basic|Negotiate)\s{1,64}(?P<value>[\w\-.~+/]{6,}=*)",
            re.IGNORECASE,
        ),
        element=re.compile(r"<(?P<key>[\w:.-]{1,128})(?:\s[^<>]{0,512})?>(?P<value>[^<]+)"),
    )


class Texts:
    """Hides in a text what the keys in it name. `walk` hides it in data that a text holds as JSON."""

    def __init__(self, words: Words, walk: Callable[[Any], Any]) -> None:
        self._words = words
        self._walk = walk
        # Most texts name no such key, and are not looked at any further.
        self._hints = (*sorted(words.stems), *_SCHEMES)
        self._clean: set[str] = set()

    def redacted(self, text: str) -> str:
        """Return the text with its secrets hidden; the same object if there are none."""
        if text in self._clean:
            return text
        if (
            ":" in text
            or "=" in text
            or "<" in text
            or ("," in text and ('"' in text or "'" in text))
        ):
            hints = self._hints
        elif " " in text:
            # Nothing stands behind a key here: only a scheme may name what comes after it.
            hints = _SCHEMES
        else:
            return text
        if ("@" in text and "://" in text) or ("%" in text and "=" in text):
            return self._searched(text)
        low = text.lower()
        for hint in hints:
            if hint in low:
                return self._searched(text)
        if len(text) <= _SHORT:
            if len(self._clean) >= _KEPT:
                self._clean.clear()
            self._clean.add(text)
        return text

    def _searched(self, text: str) -> str:
        whole = self._whole(text)
        if whole is not None:
            return whole
        header = _HEADER.fullmatch(text)
        if header is not None:
            return f"{header['scheme']} {MASK}"
        entry = _patterns()
        shown = entry.scheme.sub(_without_credentials, text)
        if "@" in shown:
            shown = entry.userinfo.sub(_without_userinfo, shown)
        shown = self._quoted(self._entries(shown))
        shown = entry.line.sub(self._line, shown)
        if "=" in shown:
            shown = entry.assigned.sub(self._assigned, shown)
        if "<" in shown:
            shown = entry.element.sub(self._element, shown)
        return text if shown == text else shown

    def _whole(self, text: str) -> str | None:
        """Return the text if it is JSON, with its secrets hidden; None if it is not."""
        bare = text.lstrip()
        if bare[:1] not in ("{", "[") or len(text) > _JSON:
            return None
        try:
            data = json.loads(bare)
        except (ValueError, RecursionError):
            return None
        shown = self._walk(data)
        return text if shown is data else json.dumps(shown, ensure_ascii=False)

    def _entries(self, text: str) -> str:
        """Hide the values of entries such as `{name: Cookie, value: a=b}`, whatever their order."""
        kept: list[str] = []
        at = 0
        maps: _Maps | None = None
        for match in _patterns().named.finditer(text):
            if match.start() < at or not self._words.hide(match["key"]):
                continue
            maps = maps or _Maps(text)
            start, end = maps.around(match.start())
            for value in _patterns().value.finditer(text, max(start, at), end):
                if value.start() < at or value["quote"] != match["quote"]:
                    continue
                stop = _end(text, value.end(), value["quote"])
                quote = value["quote"]
                kept += [text[at : value.end()], quote, MASK, quote]
                at = stop
        return "".join([*kept, text[at:]]) if kept else text

    def _quoted(self, text: str) -> str:
        kept: list[str] = []
        at = 0
        for match in _patterns().quoted.finditer(text):
            if match.start() < at or not self._words.hide(match["key"]):
                continue
            stop = _end(text, match.end(), match["quote"])
            if text[match.end() : stop] in ("", "null", "true", "false", "None", "True", "False"):
                continue
            if "," in match[0] and _KEY_END.match(text, stop):
                continue  # not a pair: the next key of a map
            quote = match["quote"]
            kept += [text[at : match.end()], quote, MASK, quote]
            at = stop
        return "".join([*kept, text[at:]]) if kept else text

    def _line(self, match: "re.Match[str]") -> str:
        key, value = match["key"], match["value"]
        plain = key.lower().replace("-", "").replace("_", "")
        if not any(word in plain for word in _HEADERS) and match["start"] is None:
            return match[0]
        if value.strip() in ("true", "false", "null") or not self._words.hide(key):
            return match[0]
        return f"{match[0][: match.start('value') - match.start()]}{MASK}"

    def _element(self, match: "re.Match[str]") -> str:
        if not match["value"].strip() or not self._words.hide(match["key"]):
            return match[0]
        return f"{match[0][: match.start('value') - match.start()]}{MASK}"

    def _assigned(self, match: "re.Match[str]") -> str:
        key = match["key"]
        if not self._words.hide(unquote_plus(key) if "%" in key else key):
            return match[0]
        return f"{key}={MASK}"


class _Maps:
    """The braces of a text: which map a place is in. It is asked of places in order."""

    def __init__(self, text: str) -> None:
        self._length = len(text)
        self._braces = [match.start() for match in re.finditer(r"[{}]", text)]
        self._ends: dict[int, int] = {}
        self._open: list[int] = []
        self._next = 0
        opened: list[int] = []
        for at in self._braces:
            if text[at] == "{":
                opened.append(at)
            elif opened:
                self._ends[opened.pop()] = at
        self._begins = {*self._ends, *opened}

    def around(self, at: int) -> tuple[int, int]:
        """Return where the map of this place begins and ends, or how far it is looked at."""
        while self._next < len(self._braces) and self._braces[self._next] < at:
            brace = self._braces[self._next]
            self._next += 1
            if brace in self._begins:
                self._open.append(brace)
            elif self._open:
                self._open.pop()
        start = self._open[-1] if self._open else 0
        end = self._ends.get(start, self._length)
        return max(start, at - _NEAR), min(end, at + _NEAR)


def _end(text: str, start: int, quote: str) -> int:
    """Return where the value ends that begins here: a text in such quotes, a list, a map, or a plain word."""
    if text.startswith(quote, start):
        return _unquoted(text, start + len(quote), quote)
    if text[start : start + 1] not in ("[", "{"):
        at = start
        while at < len(text) and text[at] not in _ENDS and not text[at].isspace():
            at += 1
        return at
    depth, at = 0, start
    while at < len(text):
        if text.startswith(quote, at):
            at = _unquoted(text, at + len(quote), quote)
            continue
        depth += (text[at] in "[{") - (text[at] in "]}")
        at += 1
        if not depth:
            break
    return at


def _unquoted(text: str, start: int, quote: str) -> int:
    """Return where a text ends whose first quote stands before `start`; a quote that is escaped is a part of it."""
    at = text.find(quote, start)
    while at > 0 and text[at - 1] == "\\":
        at = text.find(quote, at + len(quote))
    return at + len(quote) if at >= 0 else len(text)


def _without_credentials(match: "re.Match[str]") -> str:
    # "bearer tokens" and "basic authentication" are words of a sentence; "Bearer ABCDEF" is none.
    if len(match["value"]) < _LONG and _WORDS.fullmatch(match["value"]):
        return match[0]
    return f"{match['scheme']} {MASK}"


def _without_userinfo(match: "re.Match[str]") -> str:
    name, colon, _ = match["info"].partition(":")
    return f"{match['scheme']}{name}:{MASK}@" if colon else f"{match['scheme']}{MASK}@"
