"""A walk through the trees of a text: anchors, merge keys, tags, every mistake, and where it all stands."""

import json
import re
from base64 import b64decode
from binascii import Error as BinasciiError
from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from heddle.schemas.path import Path
from heddle.schemas.problem import DEFECT, REPORT_IT, defect_of
from heddle.specs.model.limits import limits
from heddle.specs.yaml.json_tree import json_tree
from heddle.specs.yaml.parsed import NodePlace, ParsedText, TextProblem, resolve, too_many
from heddle.specs.yaml.tree import Tree, TreeStream
from heddle.specs.yaml.tree_reader import build, parsers

_TAG = "tag:yaml.org,2002:"
# Where the C parser is known to refuse good YAML 1.2, and a text is short enough to ask the
# slow parser about it, that one decides.
_SLOW_LIMIT = 200_000
_FLOWS = ("flow sequence", "flow mapping", "flow node")
_BRACKETED = re.compile(r"[{,]\s*([\w-]+\[\d+\])\s*:")
_FIRST_KEY = re.compile(r" +[\w.-]+(?:\[\d+\])? *:")
_INDEXED = re.compile(r"[\w.-]+(?:\[[\w.-]*\])+")
_MARKER = re.compile(r"^<{7,} .*\n(?:.*\n)*?={7,}\n(?:.*\n)*?>{7,} ", re.MULTILINE)
_C_MISTAKES = ("unexpected ':'", "unknown escape character", "incompatible YAML document")


def thorough(text: str) -> ParsedText:
    """Return the documents of a text, their positions and every fault; never raises for what it says."""
    if not _clean(text):
        actual = "half of a character pair, which cannot be written as UTF-8"
        return ParsedText([], [TextProblem(code="syntax", found=actual)], [], whole=False)
    known = as_json(text)
    if known is not None and not known.whole:
        return known
    tree = json_tree(text) if known is not None else None
    if known is None or tree is None:
        return known if known is not None else _as_yaml(text)
    parsed = _TreeWalk().run(tree)
    # What JSON says is said by its own reader: escaped character pairs are one character.
    return ParsedText(known.documents, parsed.faults, parsed.where, whole=parsed.whole)


def plain_data(tree: Tree) -> Any:
    """Return what a node of a sound text says."""
    return _TreeWalk().node(tree, ())[0]


def _as_yaml(text: str) -> ParsedText:
    first: ParsedText | None = None
    for make in parsers():
        if first is not None and len(text) >= _SLOW_LIMIT and not _may_be_c(first):
            break
        parsed = _TreeWalk().run(build(text, make))
        if parsed.whole or parsed.faults[-1].code not in ("syntax", DEFECT):
            return parsed
        # The C parser is strict if YAML 1.2 is not: `{path: /users/:id, port: x}`.
        if first is None or first.faults[-1].code == DEFECT:
            first = parsed
    if first is None:
        raise RuntimeError("there is no parser")
    return _explained(first, text)


def _clean(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _may_be_c(parsed: ParsedText) -> bool:
    return any(word in fault.found for fault in parsed.faults for word in _C_MISTAKES)


class _StopError(Exception):
    """Nothing after this point can be read."""


class _TreeWalk:
    """One walk through the trees of a text: what each node says, and where it stands."""

    def __init__(self) -> None:
        self.faults: list[TextProblem] = []
        self.known: dict[int, tuple[Any, NodePlace, int] | None] = {}
        self.nodes = 0
        self.most = limits().nodes
        self.deepest = limits().depth

    def run(self, stream: TreeStream) -> ParsedText:
        """Everything up to the end, or up to the first thing that cannot be read over."""
        documents: list[Any] = []
        where: list[NodePlace] = []
        try:
            for document in stream.documents:
                value, place = None, NodePlace(1, 1)
                if document.root is not None:
                    value, place = self.node(document.root, (len(documents),))
                documents.append(value)
                where.append(place)
        except _StopError:
            return ParsedText(documents, self.faults, where, whole=False)
        if stream.many is not None:
            self.too_many(stream.many, (len(documents),))
        if stream.deep is not None:
            actual = f"more than {self.deepest} levels of nesting"
            self.fault(stream.deep, (len(documents),), "too-deep", actual)
        if stream.error is not None:
            self.faults.append(_fault_of(stream.error))
        return ParsedText(documents, self.faults, where, whole=stream.whole)

    def fault(
        self, tree: Tree, path: Path, code: str, actual: str, expected: str = "", hint: str = ""
    ) -> None:
        """Note one thing wrong at this node."""
        self.faults.append(
            TextProblem(
                code=code,
                found=actual,
                expected=expected,
                hint=hint,
                line=tree.line + 1,
                column=tree.column + 1,
                path=path,
            )
        )

    def too_many(self, tree: Tree, path: Path) -> None:
        """Note that a text has more nodes than a text may have."""
        self.faults.append(too_many(tree.line + 1, tree.column + 1, path))

    def node(self, tree: Tree, path: Path) -> tuple[Any, NodePlace]:
        """Return what a node says, and where it stands."""
        self.nodes += 1
        if self.nodes > self.most:
            self.too_many(tree, path[:1])
            raise _StopError
        if tree.sort == "alias":
            return self.alias(tree, path)
        before = self.nodes
        if tree.anchor:
            self.known[id(tree)] = None
        where = NodePlace(tree.line + 1, tree.column + 1)
        value: Any
        if tree.sort == "scalar":
            where.style = tree.style
            value = self.scalar(tree, path)
        elif tree.sort == "mapping":
            value = self.mapping(tree, path, where)
        else:
            value = self.sequence(tree, path, where)
        if tree.anchor:
            self.known[id(tree)] = (value, where, self.nodes - before + 1)
        return value, where

    def alias(self, tree: Tree, path: Path) -> tuple[Any, NodePlace]:
        """Return what the alias stands for; a Fault where it stands for nothing."""
        where = NodePlace(tree.line + 1, tree.column + 1)
        target = tree.target
        if target is not None and id(target) not in self.known:
            # It stands in another part of the text, which was not walked through.
            self.node(target, ())
        known = self.known.get(id(target)) if target is not None else None
        if known is None:
            actual = f"the alias *{tree.anchor} " + (
                "has no anchor before it" if target is None else "stands inside what it means"
            )
            self.fault(tree, path, "alias", actual, f"&{tree.anchor} earlier in this document")
            return None, where
        value, place, size = known
        self.nodes += size - 1
        where.children = place.children
        where.style = "*"
        return value, where

    def sequence(self, tree: Tree, path: Path, where: NodePlace) -> list[Any]:
        """Return the items of a list."""
        self.check_tag(tree, path, "seq")
        items: list[Any] = []
        for number, entry in enumerate(tree.entries):
            value, place = self.node(entry.value, (*path, number))
            items.append(value)
            where.children[number] = (place.line, place.column, place)
        return items

    def mapping(self, tree: Tree, path: Path, where: NodePlace) -> dict[str, Any]:
        """Return the entries of a mapping; keys are text as it is written, merged ones come last."""
        self.check_tag(tree, path, "map")
        record: dict[str, Any] = {}
        merges: list[tuple[Any, NodePlace, Tree]] = []
        for entry in tree.entries:
            start = entry.key
            if start is None:
                continue
            key = self.key(start, path)
            if key == "<<" and start.implicit and start.sort == "scalar":
                merges.append((*self.node(entry.value, (*path, key)), start))
                continue
            value, place = self.node(entry.value, path if key is None else (*path, key))
            if key is None:
                continue
            if key in record:
                line, column, _ = where.children[key]
                self.fault(
                    start,
                    (*path, key),
                    "duplicate-key",
                    f'"{key}" is written twice, first at {line}:{column}',
                    hint="Keep one of them",
                )
                continue
            record[key] = value
            where.children[key] = (start.line + 1, start.column + 1, place)
        for value, place, start in merges:
            self.merge(record, where, value, place, start, path)
        return record

    def key(self, tree: Tree, path: Path) -> str | None:
        """Return the text of a key; None, with a Fault, if it is not a scalar."""
        if tree.sort == "scalar":
            if tree.anchor:
                self.known[id(tree)] = (tree.text, NodePlace(0, 0), 1)
            return tree.text
        value, _ = self.node(tree, path)
        if tree.sort == "alias" and isinstance(value, str):
            return value
        self.fault(
            tree,
            path,
            "type",
            "a mapping or a list as a key",
            "text as a key",
            'Blanks such as {{ .NAME }} stand in quotes: "{{ .NAME }}"',
        )
        return None

    def merge(
        self,
        record: dict[str, Any],
        where: NodePlace,
        value: Any,
        place: NodePlace,
        start: Tree,
        path: Path,
    ) -> None:
        """Add the entries that `<<` brings; what is written out wins, then the earlier one."""
        parts = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        for number, part in parts:
            if not isinstance(part, dict):
                self.fault(
                    start, path, "type", "<< with something else", "a mapping, or a list of them"
                )
                continue
            children = place.children if number is None else place.children[number][2].children
            for key, entry in part.items():
                if key not in record:
                    record[key] = entry
                    where.children[key] = children[key]

    def check_tag(self, tree: Tree, path: Path, expected: str) -> None:
        """Refuse tags that make something else of a mapping or a list."""
        if tree.ctag and tree.ctag not in (_TAG + expected, "!"):
            self.unknown_tag(tree, path)

    def scalar(self, tree: Tree, path: Path) -> Any:
        """Return what a scalar means by its style and tag."""
        text = tree.text
        if not text.isascii():
            text = self.paired(tree, text, path)
        if tree.implicit:
            return resolve(text)
        tag = tree.ctag if tree.tag else ""
        if not tag or tag in ("!", _TAG + "str"):
            return text
        reader = _TAGS.get(tag.removeprefix(_TAG)) if tag.startswith(_TAG) else None
        if reader is None:
            self.unknown_tag(tree, path)
            return text
        try:
            return reader(text)
        except (ValueError, BinasciiError):
            self.fault(
                tree, path, "type", f"{_short(tag)} {text!r}", f"what {_short(tag)} can read"
            )
            return text

    def paired(self, tree: Tree, text: str, path: Path) -> str:
        """Return the text with character pairs that were escaped one by one put together."""
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            self.fault(tree, path, "syntax", "half of a character pair in an escape")
            return text.encode("utf-8", "replace").decode()

    def unknown_tag(self, tree: Tree, path: Path) -> None:
        """Note a tag that we do not know."""
        known = "!!str, !!int, !!float, !!bool, !!null, !!binary, !!map, !!seq"
        self.fault(tree, path, "unknown-tag", f"the tag {_short(tree.ctag)}", known)


def _short(tag: str) -> str:
    return "!!" + tag.removeprefix(_TAG) if tag.startswith(_TAG) else tag


def _word(kind: type) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = resolve(text)
        if type(value) is not kind:
            raise ValueError(text)
        return value

    return read


def _binary(text: str) -> bytes:
    return b64decode("".join(text.split()), validate=True)


def _float(text: str) -> float:
    value = resolve(text)
    if type(value) not in (int, float):
        raise ValueError(text)
    return float(value)


_TAGS: dict[str, Callable[[str], Any]] = {
    "int": _word(int),
    "float": _float,
    "bool": _word(bool),
    "null": _word(type(None)),
    "binary": _binary,
}


# --- errors of the parser, in our words ---------------------------------------------------------


def _fault_of(error: Exception) -> TextProblem:
    from ruamel.yaml.error import YAMLError

    if not isinstance(error, YAMLError | UnicodeError):
        return _failed(error)
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    context = getattr(error, "context", None)
    message = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    character = getattr(error, "character", None)
    if isinstance(character, int):
        message = f"the character U+{character:04X}, which YAML does not allow"
    return TextProblem(
        code="syntax",
        found=f"{message} {context}" if context and "context" not in str(context) else str(message),
        line=mark.line + 1 if mark is not None else 0,
        column=mark.column + 1 if mark is not None else 0,
    )


def _failed(error: Exception) -> TextProblem:
    """Return the Fault of a parser that raised what it does not document."""
    return TextProblem(code=DEFECT, found=defect_of(error), hint=REPORT_IT)


def _explained(parsed: ParsedText, text: str) -> ParsedText:
    """Add what to try to a fault of the parser, if the line shows it."""
    marker = _MARKER.search(text)
    if marker is not None:
        # Whatever else the parser makes of it follows from this.
        line = text.count("\n", 0, marker.start()) + 1
        return ParsedText(parsed.documents, [_conflict(line)], parsed.where, parsed.whole)
    faults = [_hinted(fault, text) if fault.code == "syntax" else fault for fault in parsed.faults]
    return ParsedText(parsed.documents, faults, parsed.where, parsed.whole)


def _conflict(line: int) -> TextProblem:
    return TextProblem(
        code="syntax",
        found="a conflict marker: here two versions were not brought together",
        hint="Keep what is to stay, and remove the lines that begin with <<<<<<<, |||||||, ======= and >>>>>>>",
        line=line,
        column=1,
    )


def _hinted(fault: TextProblem, text: str) -> TextProblem:
    lines = text.splitlines()
    if fault.line > len(text.rstrip().splitlines()) > 0:
        # What is missing is missing at the end of what stands there: that line can be shown.
        last = text.rstrip().splitlines()
        fault = msgspec.structs.replace(fault, line=len(last), column=len(last[-1]) + 1)
    line = lines[fault.line - 1] if 0 < fault.line <= len(lines) else ""
    blank = line[: len(line) - len(line.lstrip())]
    hint = ""
    if "\t" in blank:
        hint = "Indent with spaces; YAML does not take tabs there"
    elif "quoted scalar" in fault.found:
        hint = "Is a quote missing at an end?"
    elif "mapping values are not allowed" in fault.found:
        hint = 'Put text that holds ": " in quotes'
        if _FIRST_KEY.fullmatch(line[: fault.column]) is not None:
            # The line goes on with the text above it.
            hint = (
                "Look at the indentation: entries of one list or mapping start in one column. "
                'Text over several lines that holds ": " stands in quotes'
            )
    elif "cannot start any token" in fault.found:
        hint = "Put text that starts with this character in quotes"
    elif "block mapping" in fault.found or "block collection" in fault.found:
        hint = "Look at the indentation: entries of one list or mapping start in one column"
    elif any(text in fault.found for text in _FLOWS) and (text := _indexed_before(line, fault)):
        hint = f"Put text with brackets in quotes between braces: '{text}'"
    elif "flow mapping" in fault.found and (key := _BRACKETED.search(line)) is not None:
        hint = f"Put a key with brackets in quotes between braces: '{key[1]}'"
    elif line.startswith("%"):
        hint = (
            "A directive stands before `---`. If one text ends and another begins, as in two files "
            "put one behind the other, write a line `...`"
        )
    elif any(text in fault.found for text in _FLOWS):
        hint = "Is a closing bracket missing?"
    return msgspec.structs.replace(fault, hint=hint)


def _indexed_before(line: str, fault: TextProblem) -> str:
    """Return the text such as `out[0]` that a fault stands in or behind, or an empty text."""
    near = [
        text for text in _INDEXED.finditer(line) if text.start() < fault.column <= text.end() + 2
    ]
    return near[0][0] if near else ""


# --- JSON that is not YAML -----------------------------------------------------------------------


def as_json(text: str) -> ParsedText | None:
    """Return the document of a JSON text, as JSON has it; None if the text is not JSON.

    YAML differs in tabs, in halves of character pairs, and in what some escapes mean.
    """
    if text.lstrip()[:1] not in ("{", "["):
        return None
    twice: list[str] = []

    def record(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(pairs)
        if len(result) != len(pairs):
            count = Counter(key for key, _ in pairs)
            twice.extend(key for key, number in count.items() if number > 1)
        return result

    try:
        document = json.loads(text, object_pairs_hook=record)
        msgspec.json.encode(document)  # rejects halves of character pairs
    except (ValueError, RecursionError):
        return None
    if _too_deep(document):
        return None
    if _nodes(document, limits().nodes) < 0:
        return ParsedText([], [too_many()], [], whole=False)
    faults = [
        TextProblem(
            code="duplicate-key",
            found=f'"{key}" is written twice',
            hint="Keep one of them",
            path=(0,),
        )
        for key in twice
    ]
    return ParsedText([document], faults)


def _too_deep(document: Any) -> bool:
    level = [document]
    for _ in range(limits().depth + 1):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


def _nodes(document: Any, most: int) -> int:
    """Return how many more nodes a text with this document might have; negative if it has too many."""
    waiting = [document]
    while waiting and most >= 0:
        each = waiting.pop()
        most -= 1
        if isinstance(each, dict):
            waiting.extend(each.values())
        elif isinstance(each, list):
            waiting.extend(each)
    return most - len(waiting)
