"""A Picture as a Mermaid flowchart."""

import re

from heddle.extensions.drawing.family import FAMILIES, family_of
from heddle.extensions.drawing.picture import Picture, PictureEdge
from heddle.extensions.drawing.text import lines

_ARROWS = {"plain": "-->", "error": "-->", "lifecycle": "-.->"}
_ERROR_STYLE = "stroke:#d1344b,color:#d1344b"

# Everything else that stands between the quotes may mean something to Mermaid: a quote ends the
# text, `#` starts an entity, `%%` a comment, `$$` a formula, `*` and `` ` `` are Markdown, and
# after the word "style" a `:` changes how the rest of the line is read.
_SAFE = re.compile(r"[A-Za-z0-9 .,/\[\](){}=?!@+\-]|(?<=[^\W_])_(?=[^\W_])|[^\x00-\x7f\u2060]")
# Some pairs mean something even as entities (formulas, a line break, icons, Mermaid's own marks
# for entities): a word joiner, which nobody sees, keeps them apart.
_PAIRS = re.compile(r"(?<=\$)(?=\$)|(?<=\\)(?=n)|(?<=:)(?=fa-)|(?<=ﬂ)(?=°)|(?<=¶)(?=ß)")
_LIST = re.compile(r"(\d+|)([.)+\-])( |\Z)")


def mermaid(picture: Picture, direction: str = "right") -> str:
    """Return the text of a flowchart; node ids are `n0`, `n1`, … in the order of the Picture."""
    rows = [f"flowchart {'TB' if direction == 'down' else 'LR'}"]
    rows += _nodes(picture)
    rows += [_edge(picture, edge) for edge in picture.edges]
    errors = [str(i) for i, edge in enumerate(picture.edges) if edge.strand == "error"]
    if errors:
        rows.append(f"    linkStyle {','.join(errors)} {_ERROR_STYLE}")
    rows += _classes(picture)
    return "\n".join(rows) + "\n"


def quoted(text: str) -> str:
    """Return the text between quotes, so that Mermaid shows exactly it; line breaks become `<br>`."""
    return '"' + "<br>".join(_escaped(line) for line in lines(text)) + '"'


def _escaped(line: str) -> str:
    line = _PAIRS.sub("\u2060", line)
    # "1. " or "- " at the start would be read as a Markdown list, and rejected.
    start = _LIST.match(line)
    mark = start.start(2) if start else -1
    return "".join(
        char if _SAFE.match(line, at) and at != mark else f"#{ord(char)};"
        for at, char in enumerate(line)
    )


def _nodes(picture: Picture) -> list[str]:
    spaces = picture.namespaces
    if len(spaces) < 2:
        return [f"    {_node(picture, index)}" for index in range(len(picture.nodes))]
    rows = []
    for number, space in enumerate(spaces):
        rows.append(f"    subgraph s{number}[{quoted(space)}]")
        rows += [f"        {_node(picture, index)}" for index in picture.within(space)]
        rows.append("    end")
    return rows


def _node(picture: Picture, index: int) -> str:
    node = picture.nodes[index]
    name = quoted(node.label)[1:-1] or " "
    kind = quoted(node.kind)[1:-1]
    return f'n{index}("<b>{name}</b><br>{kind}"):::{family_of(node).name}'


def _edge(picture: Picture, edge: PictureEdge) -> str:
    label = picture.edge_label(edge)
    return f"    n{edge.source} {_ARROWS[edge.strand]}|{quoted(label)}| n{edge.target}"


def _classes(picture: Picture) -> list[str]:
    used = {family_of(node).name for node in picture.nodes}
    return [
        f"    classDef {family.name} fill:{family.light.wash},stroke:{family.light.line},"
        f"color:{family.light.ink}" + (",stroke-dasharray:5 4" if family.name == "waiting" else "")
        for family in FAMILIES
        if family.name in used
    ]
