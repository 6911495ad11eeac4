"""The canonical form of a text of Specs: one order of keys, one way to write each thing, comments in their places.

What a text says is never changed: the result is read again, and has to say the same.
"""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from heddle.schemas.errors import SpecError
from heddle.schemas.link import LinkStyle
from heddle.schemas.problem import Place, Problem
from heddle.specs.model.entry import Order, no_order, ordered
from heddle.specs.yaml.comments import comments_of, hang_comments
from heddle.specs.yaml.document import ReadText, decode, read_text
from heddle.specs.yaml.link_form import arrange_links, arranged_links, is_anchored, is_plain
from heddle.specs.yaml.parsed import resolve
from heddle.specs.yaml.scalar import is_bare, quoted
from heddle.specs.yaml.tree import Entry, Tree, TreeDocument, TreeError, TreeStream, nodes
from heddle.specs.yaml.tree_reader import read_tree

WIDTH = 130
"""Columns that what is written in braces may reach; what is longer goes over several lines."""

_ROUNDS = 4
"""How often a text is written before it has to stay as it is."""


def formatted(
    data: str | bytes,
    *,
    file: str = "",
    order: Order = no_order,
    is_json: bool = False,
    links: LinkStyle = "short",
) -> str:
    """Return the text in canonical form; SpecError with every Problem if it cannot be read."""
    text = data if isinstance(data, str) else decode(data)
    if text is None:
        raise SpecError(read_text(data, file=file).problems)
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    reading = _read(text, file)
    if reading.problems:
        raise SpecError(reading.problems)
    try:
        result = _settled(text, order, links, is_json)
        if _content(_read(result, file)) != _content(reading):
            raise TreeError("something that would read differently")
        if not is_json and _kept(result) != _kept(text):
            raise TreeError("comments in places that they cannot keep")
    except TreeError as error:
        problem = Problem(
            code="format",
            found=f"cannot be brought into canonical form: it has {error}",
            hint="It is left as it is",
            place=Place(file),
        )
        raise SpecError([problem]) from None
    return result


def _settled(text: str, order: Order, links: LinkStyle, is_json: bool) -> str:
    """Return the form that does not change when it is brought into this form once more."""
    form = _json if is_json else _yaml
    result = form(text, order, links)
    for _ in range(_ROUNDS):
        again = form(result, order, links)
        if again == result:
            return result
        result = again
    raise TreeError("comments that move each time")


def _read(text: str, file: str) -> ReadText:
    return read_text(text, file=file, key=file or "-")


def _content(reading: ReadText) -> tuple[Any, ...]:
    problems = tuple(problem.code for problem in reading.problems)
    return reading.specs, reading.values, problems, reading.whole


def _kept(text: str) -> Counter[str]:
    """Return the comments and the anchors of a text: none of them may be lost."""
    stream = _tree(text)
    roots = [each.root for each in stream.documents if each.root is not None]
    kept = Counter(comment for _, comment in comments_of(stream))
    kept.update(f"&{each.anchor}" for root in roots for each in nodes(root) if each.anchor)
    return kept


def _tree(text: str) -> TreeStream:
    return read_tree(text) if text.strip() else TreeStream(text, [])


# --- the order of keys --------------------------------------------------------------------------


def _arrange(tree: Tree, order: Order, links: LinkStyle, *, inner: bool = False) -> None:
    """Bring the keys of an entry, and what is in them, into canonical order.

    The links of a Spec inside another stay as they are: there they are fields like others.
    """
    if tree.sort != "mapping" or any(entry.key is None or entry.key.tag for entry in tree.entries):
        return
    keys = {entry.key.text: entry for entry in tree.entries if entry.key is not None}
    kind = keys["kind"].value.text if "kind" in keys else None
    tree.entries[0].blank = False
    if not is_anchored(tree):
        tree.entries = [keys[name] for name in ordered(keys, kind, order)]
    if kind is None:
        return
    for port in keys["ports"].value.entries if "ports" in keys and not inner else ():
        arrange_links(port, links)
    for item in keys["specs"].value.entries if "specs" in keys else ():
        if any(entry.key is not None and entry.key.text == "kind" for entry in item.value.entries):
            _arrange(item.value, order, links, inner=True)


# --- YAML ---------------------------------------------------------------------------------------


def _yaml(text: str, order: Order, links: LinkStyle) -> str:
    documents = _folded(hang_comments(_tree(text)))
    lines: list[str] = []
    end = 0
    for number, document in enumerate(documents):
        directives = _directives(document, text, end)
        end = document.root.end if document.root is not None else end
        if directives:
            # Directives need the end of the document above; comments above them stay there.
            lines += ["..."] if number else _cut_head(document, text)
            lines += directives
        if directives or number:
            lines.append("---")
        root = document.root
        entries = root.entries if root is not None and root.sort == "sequence" else []
        for each in [entry.value for entry in entries] if entries else [root]:
            if each is not None:
                _arrange(each, order, links)
        lines += _document(document, text)
    return "".join(f"{line}\n" for line in lines)


def _directives(document: TreeDocument, text: str, end: int) -> list[str]:
    """Return the directives of a document: the lines above its mark that begin with a percent sign.

    `end` is where the document above it ends.
    """
    above = text[end : document.mark] if document.mark >= 0 else ""
    return [line.rstrip() for line in above.split("\n") if line.startswith("%")]


def _cut_head(document: TreeDocument, text: str) -> list[str]:
    """Take the comments above the directives of the first document out of its head; return them."""
    above = text[: document.mark].partition("\n%")[0] if text[:1] != "%" else ""
    left = sum(line.lstrip().startswith("#") for line in above.split("\n"))
    at = 0
    while left > 0 and at < len(document.head):
        left -= bool(document.head[at])
        at += 1
    taken, rest = document.head[:at], document.head[at:]
    document.head = rest[1:] if rest and not rest[0] else rest
    return taken


def _folded(documents: list[TreeDocument]) -> list[TreeDocument]:
    """Return the documents without the empty ones; comments of those go to the one that follows."""
    kept: list[TreeDocument] = []
    waiting: list[str] = []
    for document in documents:
        if document.root is not None:
            document.head[:0] = waiting
            kept.append(document)
            waiting = []
            continue
        for comments in (document.head, document.tail):
            waiting += [*[""] * bool(waiting and comments and comments[0]), *comments]
    if not kept:
        return [TreeDocument(None, head=waiting)]
    kept[-1].tail += waiting
    return kept


def _document(document: TreeDocument, text: str) -> list[str]:
    writer = _CanonicalWriter(text)
    lines = list(document.head)
    root = document.root
    if root is not None:
        decor = " ".join(each for each in (writer.anchor(root), root.tag) if each)
        if root.sort == "sequence" and root.entries:
            body = writer.specs(root)
        elif root.entries:
            body = writer.block(root, 0)
        elif root.tail:
            # A comment between empty braces stands above them.
            body = [*(each for each in root.tail if each), writer.inline(root)]
        else:
            body = writer.block_scalar(root) or [writer.inline(root)]
        if decor and root.entries:
            body = [decor, *body]
        if lines and body and lines[-1] and _gap_below(document, text):
            lines.append("")
        lines += body
    return _followed(lines, document.tail)


def _followed(lines: list[str], tail: Sequence[str]) -> list[str]:
    """Lines with those behind them, and never two blank ones: a text may count those at its end."""
    return [*lines, *(tail[1:] if tail and not tail[0] and lines and not lines[-1] else tail)]


def _gap_below(document: TreeDocument, text: str) -> bool:
    """Return whether a blank line stands between the comment that opens a document and what follows."""
    root = document.root
    if root is None:
        return False
    above = text[: text.rfind("\n", 0, root.head) + 1]
    return above.endswith("\n\n") or above.rsplit("\n", 2)[-2:-1] == [""]


class _CanonicalWriter:
    """Writes trees in canonical form."""

    def __init__(self, text: str) -> None:
        self.source = text

    def specs(self, root: Tree) -> list[str]:
        """Return the list of a document: a blank line around each entry that takes several lines."""
        lines: list[str] = []
        long = False
        for number, entry in enumerate(root.entries):
            body = self.entry(entry, 0)
            several = len(body) > 1 or bool(entry.before)
            if number and (long or several or entry.blank) and lines[-1]:
                lines.append("")
            lines += body
            long = len(body) > 1
        return _followed(lines, root.tail)

    def block_scalar(self, tree: Tree) -> list[str]:
        """Return a document that is one block scalar; empty if it is none."""
        if tree.sort != "scalar" or tree.style not in ("|", ">"):
            return []
        header, body = self.literal(tree, 2)
        return [" ".join(each for each in (self.anchor(tree), tree.tag, header) if each), *body]

    def block(self, tree: Tree, indent: int) -> list[str]:
        """Return a mapping or a list, one entry a line."""
        lines: list[str] = []
        for number, entry in enumerate(tree.entries):
            if number and entry.blank and lines[-1]:
                lines.append("")
            lines += self.entry(entry, indent)
        margin = " " * indent
        return _followed(lines, [margin + each if each else "" for each in tree.tail])

    def entry(self, entry: Entry, indent: int) -> list[str]:
        """Return an entry with its comments."""
        margin = " " * indent
        value = entry.value
        before = list(entry.before)
        if entry.key is None and value.sort == "mapping" and value.entries and not value.flow:
            # What stands above the first key of an item stands above its dash.
            first = value.entries[0]
            if first.before and not (value.anchor or value.tag):
                before, first.before = [*before, *first.before], []
        lines = [margin + each if each else "" for each in before]
        beside = f"  {entry.beside}" if entry.beside else ""
        lead = "-" if entry.key is None else f"{self.key(entry.key)}:"
        decor = "".join(f" {each}" for each in (self.anchor(value), value.tag) if each)
        if value.sort == "scalar" and value.style in ("|", ">"):
            header, body = self.literal(value, indent + 2)
            return [*lines, f"{margin}{lead}{decor} {header}{beside}", *body]
        inline = self.inline(value) if self.fits(value, indent + len(lead) + 1) else None
        if inline is not None:
            return [*lines, f"{margin}{lead} {inline}{beside}"]
        inner = self.block(value, indent + 2)
        if entry.key is None and not decor and not beside and inner:
            return [*lines, f"{margin}- {inner[0].lstrip()}", *inner[1:]]
        if entry.key is None and beside and not decor:
            # The comment beside a bare dash stands above it.
            return [*lines, f"{margin}{entry.beside}", f"{margin}- {inner[0].lstrip()}", *inner[1:]]
        return [*lines, f"{margin}{lead}{decor}{beside}", *inner]

    def fits(self, tree: Tree, column: int) -> bool:
        """Return whether a node is written on the line on which it begins."""
        if tree.sort in ("scalar", "alias") or not tree.entries:
            return not tree.tail
        if not tree.flow or "\n" in self.source[tree.start : tree.end] or not is_plain(tree):
            return False
        return column + len(self.inline(tree)) <= WIDTH

    def inline(self, tree: Tree) -> str:
        """Return a node on one line."""
        if tree.sort == "alias":
            return self.source[tree.start : tree.end].strip()
        decor = "".join(f"{each} " for each in (self.anchor(tree), tree.tag) if each)
        if tree.sort == "scalar":
            return (decor + self.scalar(tree)).rstrip(" ") if decor else self.scalar(tree)
        if tree.sort == "sequence":
            return f"{decor}[{', '.join(self.inline_item(each.value) for each in tree.entries)}]"
        pairs = (
            f"{self.key(each.key, flow=True)}: {self.inline_item(each.value)}"
            for each in tree.entries
            if each.key is not None
        )
        return f"{decor}{{{', '.join(pairs)}}}"

    def inline_item(self, tree: Tree) -> str:
        """Return a node inside braces."""
        if tree.sort != "scalar":
            return self.inline(tree)
        decor = "".join(f"{each} " for each in (self.anchor(tree), tree.tag) if each)
        return decor + self.scalar(tree, flow=True)

    def key(self, tree: Tree, *, flow: bool = False) -> str:
        """Return a key with its anchor."""
        if tree.sort == "alias":
            # Without the blank the colon would belong to the name.
            return f"{self.source[tree.start : tree.end].strip()} "
        if tree.sort != "scalar":
            raise TreeError("keys that are not text")
        anchor = f"{self.anchor(tree)} " if tree.anchor else ""
        return anchor + self.scalar(tree, key=True, flow=flow)

    def anchor(self, tree: Tree) -> str:
        """Return the anchor as it is written."""
        return f"&{tree.anchor}" if tree.anchor and tree.sort != "alias" else ""

    def literal(self, tree: Tree, indent: int) -> tuple[str, list[str]]:
        """Return the header and the lines of a block scalar."""
        source = self.source
        start = source.index("\n", tree.start) + 1 if "\n" in source[tree.start :] else len(source)
        raw = source[start : tree.end].split("\n")
        texts = tree.text.split("\n")
        first = next((line for line in raw if line.strip()), "")
        lead = next((line for line in texts if line.strip()), "")
        depth = len(first) - len(first.lstrip(" ")) - (len(lead) - len(lead.lstrip(" ")))
        body = [line[depth:] for line in raw] if lead else []
        while body and not body[-1]:
            body.pop()
        ends = len(tree.text) - len(tree.text.rstrip("\n"))
        if not body or (ends > 1 and tree.style == ">"):
            return quoted(tree.text), []
        chomp = "-" if not ends else "+" if ends > 1 else ""
        body += [""] * (ends - 1)
        digit = "2" if lead.startswith(" ") else ""
        margin = " " * indent
        return f"{tree.style}{digit}{chomp}", [margin + line if line else "" for line in body]

    def scalar(self, tree: Tree, *, key: bool = False, flow: bool = False) -> str:
        """Return a scalar on one line, in quotes only if it needs them."""
        text = tree.text
        if tree.tag:
            return quoted(text) if tree.style or "\n" in text else text
        if not tree.style and "\n" not in text:
            if key:
                return text
            meaning = resolve(text)
            if meaning is None or meaning is True or meaning is False:
                return {None: "null", True: "true", False: "false"}[meaning]
            if tree.end > tree.start:
                # A text that stood without quotes can go on so, and a number stays as it is spelled.
                return text
        return text if is_bare(text, flow) else quoted(text)


# --- JSON ---------------------------------------------------------------------------------------


class _NumberToken(str):
    """A number as it is spelled."""

    __slots__ = ()


def _json(text: str, order: Order, links: LinkStyle) -> str:
    if not text.strip():
        return text.strip()
    try:
        data = json.loads(
            text, parse_float=_NumberToken, parse_int=_NumberToken, parse_constant=_NumberToken
        )
    except ValueError:
        raise TreeError("no JSON in it, though its name says so") from None
    single = isinstance(data, dict)
    entries = [_arranged(each, order, links) for each in ([data] if single else data)]
    return _written(entries[0] if single else entries, "") + "\n"


def _arranged(entry: Any, order: Order, style: LinkStyle, *, inner: bool = False) -> Any:
    """Return an entry of JSON with its keys, and those of its links, in order."""
    if not isinstance(entry, dict):
        return entry
    kind = entry.get("kind")
    result = {key: entry[key] for key in ordered(entry, kind, order)}
    if kind is None:
        return result
    ports = result.get("ports")
    if isinstance(ports, dict) and not inner:
        result["ports"] = {port: arranged_links(links, style) for port, links in ports.items()}
    if isinstance(result.get("specs"), list):
        result["specs"] = [
            _arranged(each, order, style, inner=True)
            if isinstance(each, dict) and "kind" in each
            else each
            for each in result["specs"]
        ]
    return result


def _written(data: Any, margin: str) -> str:
    inner = f"{margin}  "
    if isinstance(data, dict) and data:
        pairs = [
            f"{inner}{json.dumps(key, ensure_ascii=False)}: {_written(value, inner)}"
            for key, value in data.items()
        ]
        return "{\n" + ",\n".join(pairs) + f"\n{margin}}}"
    if isinstance(data, list) and data:
        return "[\n" + ",\n".join(inner + _written(each, inner) for each in data) + f"\n{margin}]"
    return str(data) if isinstance(data, _NumberToken) else json.dumps(data, ensure_ascii=False)
