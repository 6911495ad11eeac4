"""A Picture as Graphviz DOT."""

from heddle.extensions.drawing.family import KindFamily, family_of
from heddle.extensions.drawing.picture import Picture, PictureEdge
from heddle.extensions.drawing.text import lines

_STYLES = {
    "plain": "",
    "error": ', color="#d1344b", fontcolor="#d1344b"',
    "lifecycle": ', style=dotted, color="#8a7fb5", fontcolor="#8a7fb5"',
}

_HEAD = (
    '    graph [fontname="Helvetica,Arial,sans-serif", fontsize=12, nodesep=0.35, ranksep=0.8]',
    '    node [shape=box, fontname="Helvetica,Arial,sans-serif", fontsize=12, margin="0.18,0.1"]',
    '    edge [fontname="Courier New,monospace", fontsize=10, color="#7b8798", arrowsize=0.8]',
)


def dot(picture: Picture, direction: str = "right") -> str:
    """Return the text of a digraph; node ids are `n0`, `n1`, … in the order of the Picture."""
    rows = ["digraph heddle {", f"    rankdir={'TB' if direction == 'down' else 'LR'}", *_HEAD]
    rows += _nodes(picture)
    rows += [_edge(picture, edge) for edge in picture.edges]
    return "\n".join([*rows, "}"]) + "\n"


def quoted(text: str) -> str:
    """Return the text as a quoted label that shows exactly it; line breaks become `\\n`."""
    text = "\n".join(lines(text))
    # Graphviz reads HTML entities in plain labels too, hence the ampersand.
    for char, safe in (("\\", "\\\\"), ('"', '\\"'), ("&", "&amp;"), ("\n", "\\n")):
        text = text.replace(char, safe)
    return f'"{text}"'


def _nodes(picture: Picture) -> list[str]:
    spaces = picture.namespaces
    if len(spaces) < 2:
        return [f"    {_node(picture, index)}" for index in range(len(picture.nodes))]
    rows = []
    for number, space in enumerate(spaces):
        rows.append(f"    subgraph cluster_{number} {{")
        rows.append(f'        label={quoted(space)}; style=rounded; color="#c3ccd9"')
        rows += [f"        {_node(picture, index)}" for index in picture.within(space)]
        rows.append("    }")
    return rows


def _node(picture: Picture, index: int) -> str:
    node = picture.nodes[index]
    label = quoted(node.label + "\n" + node.kind)
    return f"n{index} [label={label}, {_look(family_of(node))}]"


def _look(family: KindFamily) -> str:
    shade = family.light
    dashed = ",dashed" if family.name == "waiting" else ""
    return (
        f'style="rounded,filled{dashed}", color="{shade.line}", '
        f'fillcolor="{shade.wash}", fontcolor="{shade.ink}"'
    )


def _edge(picture: Picture, edge: PictureEdge) -> str:
    label = picture.edge_label(edge)
    return (
        f"    n{edge.source} -> n{edge.target} "
        f"[label={quoted(label)}, tooltip={quoted(picture.edge_text(edge))}{_STYLES[edge.strand]}]"
    )
