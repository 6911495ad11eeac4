"""A blank is `{{ .NAME }}` in a text; filling it puts what the name stands for in its place.

A blank that is the whole text keeps the type of its value; inside a longer text it becomes text,
spelled as in JSON. What stands between braces is a blank when it starts

* with a dot and a name: `{{ .PORT }}`, `{{ .DB.url }}`, `{{ .PORT | default(8000) }}`;
* with a name that the scope has, or any name in capitals: `{{ port }}`, `{{ PORT + 1 }}`;
* and ends there, or goes on with `.`, `[`, a filter or an operator.

All other braces belong to somebody else (`{{#if x}}`, `{{ user.name }}`, `f({{a: 1}})`) and stay as
they are. To keep what looks like a blank: `{% raw %}…{% endraw %}`, or `{{ "{{ .NAME }}" }}`.

The expressions are those of MiniJinja, without statements, files, or any way into Python.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from heddle.schemas.errors import without_frames
from heddle.schemas.problem import defect_of
from heddle.schemas.suggestion import did_you_mean

if TYPE_CHECKING:
    from minijinja import Environment

_FUEL = 100_000


class BlankError(Exception):
    """A blank cannot be filled. `quiet` when the reason was told already, elsewhere."""

    def __init__(
        self, blank: str, actual: str, expected: str = "", hint: str = "", *, quiet: bool = False
    ) -> None:
        super().__init__(actual)
        self.blank = blank
        self.found = actual
        self.expected = expected
        self.hint = hint
        self.quiet = quiet


class BlankScope(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The meanings of the names inside blanks.

    `whole` is what a lone dot means; `failed` are names whose value could not be had, `hidden` those
    whose value is secret, and `owner` says whose names they are: "env", "the environment", "the
    Value database".
    """

    names: Mapping[str, Any]
    owner: str
    whole: Any = msgspec.UNSET
    failed: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    advice: str = ""

    @property
    def known(self) -> frozenset[str]:
        """Every name that counts as one of this scope."""
        return frozenset(self.names) | self.failed


class Blank(msgspec.Struct, frozen=True):
    """One blank: as written, as an expression for MiniJinja, and the paths that feed it.

    `bare` blanks are one path and nothing else.
    """

    text: str
    expression: str
    paths: tuple[tuple[str | int, ...], ...]
    bare: bool


Part: TypeAlias = str | Blank


def has_braces(text: str) -> bool:
    """Return whether the text could hold a blank, or a mark that keeps one from being filled."""
    return "{{" in text or "{%" in text


def fill(text: str, scope: BlankScope) -> Any:
    """Return the text with its blanks filled; BlankError for the first that cannot be."""
    parts = _split(text, scope.known, scope.whole is not msgspec.UNSET)
    if len(parts) == 1:
        part = parts[0]
        return part if isinstance(part, str) else _value(part, scope)
    return "".join(part if isinstance(part, str) else _spelled(part, scope) for part in parts)


def derived(text: str, scope: BlankScope) -> list[Any]:
    """Return what the blanks of a text that was filled have made of hidden names: `{{ PASSWORD | upper }}`."""
    return [
        _value(part, scope)
        for part in _split(text, scope.known, scope.whole is not msgspec.UNSET)
        if isinstance(part, Blank) and not part.bare
        if any(path and path[0] in scope.hidden for path in part.paths)
    ]


def failures(text: str, scope: BlankScope) -> list[BlankError]:
    """Return every reason why the blanks of the text cannot be filled, but the quiet ones."""
    try:
        parts = _split(text, scope.known, scope.whole is not msgspec.UNSET)
    except BlankError as error:
        return [without_frames(error)]
    errors: list[BlankError] = []
    for part in parts:
        if not isinstance(part, str):
            try:
                _spelled(part, scope)
            except BlankError as error:
                errors.append(without_frames(error))
    return [error for error in errors if not error.quiet]


def blanks(text: str, names: frozenset[str] = frozenset()) -> tuple[str, ...]:
    """Return the blanks of a text as they are written; `names` are those that count without a dot."""
    return tuple(part.text for part in _split(text, names, False) if isinstance(part, Blank))


# --- finding blanks -----------------------------------------------------------------------------

_OPEN = re.compile(r"\{\{(?!\{)|\{%-?\s*raw\s*-?%\}")
_END_RAW = re.compile(r"\{%-?\s*endraw\s*-?%\}")
_TRIM = re.compile(r"-(?=\s)")
_AFTER = r"(?=\s*(?:\}\}|-\}\}|[.|\[~+*/%<>=!-]|(?:if|and|or|in|is|not)\b))"
_DOTTED = re.compile(r"\s*\.[^\W\d]\w*")
_LONE = re.compile(r"\s*\.(?=\s*(?:\}\}|-\}\}|\||\[))")
_NAMED = re.compile(r"\s*([^\W\d]\w*)" + _AFTER)
_CAPITALS = re.compile(r"[A-Z][A-Z0-9_]*")
_LITERAL = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')\s*-?\}\}""", re.DOTALL)
_STRING = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'""", re.DOTALL)


@lru_cache(maxsize=2048)
def _split(text: str, names: frozenset[str], lone: bool) -> tuple[Part, ...]:
    """Return the text as literal pieces and blanks, in order."""
    parts: list[Part] = []
    literal: list[str] = []
    at = 0
    while (match := _OPEN.search(text, at)) is not None:
        start = match.start()
        if match.group().startswith("{%"):
            end = _END_RAW.search(text, match.end())
            if end is None:
                break
            literal += [text[at:start], text[match.end() : end.start()]]
            at = end.end()
            continue
        trim = _TRIM.match(text, match.end())
        inner = trim.end() if trim is not None else match.end()
        if not _is_blank(text, inner, names, lone):
            literal.append(text[at : start + 2])
            at = start + 2
            continue
        before = text[at:start]
        literal.append(before.rstrip() if trim is not None else before)
        stop, at = _close(text, inner)
        if any(literal):
            parts.append("".join(literal))
        literal = []
        parts.append(_blank(text[start:at], text[inner:stop]))
        if text[stop : stop + 1] == "-":
            at += len(text[at:]) - len(text[at:].lstrip())
    literal.append(text[at:])
    if any(literal) or not parts:
        parts.append("".join(literal))
    return tuple(parts)


def _is_blank(text: str, inner: int, names: frozenset[str], lone: bool) -> bool:
    if _DOTTED.match(text, inner) or (lone and _LONE.match(text, inner)):
        return True
    named = _NAMED.match(text, inner)
    if named is not None:
        name = named.group(1)
        return name in names or _CAPITALS.fullmatch(name) is not None
    quoted = _LITERAL.match(text, inner)
    return quoted is not None and any(mark in quoted.group(1) for mark in ("{{", "}}", "{%"))


def _close(text: str, inner: int) -> tuple[int, int]:
    """Return where the expression that starts here ends, and where its braces end."""
    at, depth = inner, 0
    while at < len(text):
        character = text[at]
        if character in "\"'":
            string = _STRING.match(text, at)
            if string is None:
                break
            at = string.end()
            continue
        if character == "{":
            depth += 1
        elif character == "}" and depth:
            depth -= 1
        elif text.startswith("}}", at):
            trimmed = text[at - 1] == "-" and at - 1 > inner and text[at - 2].isspace()
            return at - trimmed, at + 2
        at += 1
    shown = text[inner - 2 : inner + 20].split("\n")[0]
    raise BlankError(shown, "a blank that does not end", "}} after it")


# --- reading the expression ---------------------------------------------------------------------

_WORD = re.compile(r"[^\W\d]\w*")
_STEP = re.compile(r"""\.([^\W\d]\w*)|\[\s*(?:(\d+)|"([^"\\]*)"|'([^'\\]*)')\s*\]""")


def _blank(text: str, expression: str) -> Blank:
    expression = expression.strip()
    if _WORD.match(expression):
        # `{{ PORT }}` means `{{ .PORT }}`.
        expression = f".{expression}"
    result: list[str] = []
    paths: list[tuple[str | int, ...]] = []
    at = 0
    while at < len(expression):
        string = _STRING.match(expression, at)
        if string is not None:
            result.append(string.group())
            at = string.end()
        elif expression[at] == "." and _starts_path(expression, at):
            path, at = _path(expression, at)
            result.append(f" __{len(paths)} ")
            paths.append(path)
        else:
            result.append(expression[at])
            at += 1
    joined = "".join(result)
    return Blank(text, joined, tuple(paths), joined.strip() == "__0")


def _starts_path(expression: str, at: int) -> bool:
    before = expression[:at].rstrip()[-1:]
    if expression[at + 1 : at + 2].isdigit():
        return False
    attached = at > 0 and not expression[at - 1].isspace()
    return not (attached and (before.isalnum() or before in "_)]}\"'"))


def _path(expression: str, at: int) -> tuple[tuple[str | int, ...], int]:
    """Return the names after a dot, as far as they are written out, and where they end."""
    steps: list[str | int] = []
    end = at + 1
    word = _WORD.match(expression, end)
    if word is not None:
        steps.append(word.group())
        end = word.end()
    while (step := _STEP.match(expression, end)) is not None:
        if step.group(1) is not None and expression[step.end() :].lstrip().startswith("("):
            break
        name, number, double, single = step.groups()
        steps.append(int(number) if number is not None else name or double or single or "")
        end = step.end()
    return tuple(steps), end


# --- filling ------------------------------------------------------------------------------------


def _value(blank: Blank, scope: BlankScope) -> Any:
    given: dict[str, Any] = {}
    missing: tuple[str | int, ...] | None = None
    for number, path in enumerate(blank.paths):
        try:
            given[f"__{number}"] = _look_up(path, scope, blank.text)
        except BlankError as error:
            if error.quiet or blank.bare:
                raise
            missing = path if missing is None else missing
    if blank.bare:
        return given["__0"]
    result = _evaluate(blank, {**scope.names, **given}, missing is not None)
    if result is _LACKING and missing is not None:
        # An error that were kept until now would hold this frame, and this frame the error.
        return _look_up(missing, scope, blank.text)
    return result


def _look_up(path: tuple[str | int, ...], scope: BlankScope, text: str) -> Any:
    if not path:
        if scope.whole is msgspec.UNSET:
            raise BlankError(text, "a lone dot", "a name after the dot")
        return scope.whole
    first = path[0]
    if first in scope.failed:
        raise BlankError(text, "", quiet=True)
    if first not in scope.names:
        raise _missing(text, str(first), scope)
    value = scope.names[str(first)]
    for number, step in enumerate(path[1:], 1):
        if isinstance(value, dict) and str(step) in value:
            value = value[str(step)]
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            known = list(value) if isinstance(value, dict) else []
            way = ".".join(str(part) for part in path[:number])
            has = f'"{way}" has no "{step}"'
            if not isinstance(value, dict | list):
                has += ": it is not a mapping"
            expected = f"one of: {', '.join(known)}" if known else ""
            raise BlankError(text, has, expected, did_you_mean(str(step), known))
    return value


def _missing(text: str, name: str, scope: BlankScope) -> BlankError:
    known = list(scope.names)
    near = did_you_mean(name, known)
    has = f" (it has: {', '.join(sorted(known)[:8])})" if known else ""
    advice = scope.advice.replace("NAME", name)
    hint = f"{near} {advice}".strip()
    return BlankError(text, f'{scope.owner} has no "{name}"{has}', "", hint)


_LISTS = re.compile(
    r"\b(?:range|list|split|lines|batch|slice|sort|unique|map|select|selectattr|reject|rejectattr|items"
    r"|dictsort|groupby|keys|values|zip|chain|reverse)\b|\["
)
_INDENTED = re.compile(r"\btojson\s*\(\s*(?!(?:indent\s*=\s*)?(?:\d{1,2}|true|false)?\s*\))")


def _check_size(blank: Blank, given: Mapping[str, Any]) -> None:
    """Raise BlankError for what MiniJinja would make without end: its fuel pays for steps alone."""
    text = blank.expression
    if "*" in text:
        bare = _STRING.sub("", text)
        listed = any(isinstance(given.get(word), list) for word in _WORD.findall(bare))
        if listed or _LISTS.search(bare):
            raise BlankError(blank.text, "a product with a list in it", "numbers", _RULES)
    if "tojson" in text and _INDENTED.search(text):
        raise BlankError(blank.text, "tojson() with an indent that is not a small number")


_LACKING: Final = object()
"""A blank that cannot do without a name that is not there."""


def _evaluate(blank: Blank, given: Mapping[str, Any], lacks: bool) -> Any:
    """Return what a blank makes; _LACKING if it needs a name that is not there, as `lacks` says."""
    from minijinja import TemplateError

    if not lacks:
        _check_size(blank, given)
    try:
        result = _machine().eval_expr(blank.expression, **given)
        if result is None and _machine().eval_expr(f"({blank.expression}) is undefined", **given):
            if lacks:
                return _LACKING
            raise BlankError(blank.text, "nothing: it is undefined")
    except UnicodeError:
        raise BlankError(blank.text, "half of a character pair", "text") from None
    except TemplateError as error:
        if lacks and error.kind in ("UndefinedError", "InvalidOperation"):
            return _LACKING
        detail = (error.detail or str(error.kind)).replace("__0", "the value")
        raise BlankError(blank.text, detail, "an expression", _RULES) from None
    except BlankError:
        raise
    except BaseException as error:
        # A panic of the engine comes as an exception that is not an Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise BlankError(blank.text, defect_of(error), "an expression", _RULES) from None
    return _plain(result)


_RULES = "See «Blanks» in docs/specs.md; {% raw %}…{% endraw %} keeps text as it is"


@cache
def _machine() -> "Environment":
    from minijinja import Environment

    return Environment(undefined_behavior="strict", fuel=_FUEL)


def _plain(value: Any) -> Any:
    """Plain data of whatever the expression made."""
    if value is None or type(value) in (bool, int, float, bytes):
        return value
    if isinstance(value, str):
        return str(value) if type(value) is not str else value
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value]


def _spelled(blank: Blank, scope: BlankScope) -> str:
    """Return what a blank is inside a longer text."""
    value = _value(blank, scope)
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise BlankError(blank.text, "binary data inside a text", "text") from None
    return msgspec.json.encode(value).decode()
