"""Mermaid text shows the names as they are, whatever is in them."""

import html
import re

import pytest

from heddle.extensions.drawing import Picture, draw
from heddle.extensions.drawing.mermaid import mermaid, quoted
from heddle.specs.model.spec import Spec
from tests.extensions.drawing import flows

NODE = re.compile(r' +n(\d+)\("<b>([^"]*)</b><br>([^"]*)"\):::(\w+)')
EDGE = re.compile(r' +n(\d+) (-->|-\.->)\|"([^"]*)"\| n(\d+)')


def read(text: str) -> str:
    """Return what a reader sees of a label."""
    plain = re.sub(r"#(\d+);", lambda found: f"&#{found[1]};", text.replace("<br>", "\n"))
    return html.unescape(plain).replace("\u2060", "")


@pytest.mark.parametrize("name", [name for name in flows.NASTY if "\x01" not in name])
def test_a_nasty_name_comes_out_as_it_went_in(name: str) -> None:
    text = quoted(name)
    assert read(text[1:-1]) == name
    assert not set(text[1:-1].replace("<br>", "")) & set('"<>`*$%|~\\:')


def test_control_characters_do_not_pass() -> None:
    assert quoted("a\x01b\x00") == '"a\ufffdb\ufffd"'


def test_nothing_looks_like_a_list_a_formula_or_an_icon() -> None:
    assert quoted("1. item") == '"1#46; item"'
    assert quoted("- item") == '"#45; item"'
    assert quoted("$$x$$") == '"#36;#8288;#36;x#36;#8288;#36;"'
    assert quoted("fa:fa-car") == '"fa#58;#8288;fa-car"'
    assert quoted("plain-name_1 [0].x") == '"plain-name_1 [0].x"'


@pytest.mark.parametrize("flow", [flows.shop(), flows.nasty(), flows.fan(9)])
def test_every_node_and_edge_is_there_once(flow: list[Spec]) -> None:
    picture = Picture.of(flow)
    lines = mermaid(picture).splitlines()
    assert lines[0] == "flowchart LR"
    nodes = [found for line in lines if (found := NODE.fullmatch(line))]
    edges = [found for line in lines if (found := EDGE.fullmatch(line))]
    assert [int(found[1]) for found in nodes] == list(range(len(picture.nodes)))
    assert [(int(found[1]), int(found[4])) for found in edges] == [
        (edge.source, edge.target) for edge in picture.edges
    ]
    rest = [line for line in lines[1:] if not NODE.fullmatch(line) and not EDGE.fullmatch(line)]
    assert all(line.startswith(("    classDef ", "    linkStyle ")) for line in rest)


def test_ping_reads_as_one_would_write_it() -> None:
    assert draw(Picture.of(flows.ping()), "mermaid", "down").splitlines()[:6] == [
        "flowchart TB",
        '    n0("<b>listener</b><br>listener"):::net',
        '    n1("<b>router</b><br>router"):::control',
        '    n2("<b>pong</b><br>snippet"):::code',
        '    n0 -->|"out"| n1',
        '    n1 -->|"out[0]"| n2',
    ]


def test_errors_lifecycle_and_what_is_missing_look_different() -> None:
    picture = Picture.of(flows.shop())
    text = mermaid(picture)
    errors = [str(n) for n, edge in enumerate(picture.edges) if edge.strand == "error"]
    assert f"linkStyle {','.join(errors)} stroke:" in text
    assert '-.->|"init"|' in text
    assert '("<b>later</b><br>waiting"):::waiting' in text
    assert "stroke-dasharray" in text


def test_in_ports_are_named_where_they_are_not_the_usual_one() -> None:
    assert '|"out → in[0]"|' in mermaid(Picture.of(flows.shop()))


def test_namespaces_are_subgraphs() -> None:
    specs = [flows.within(f'a "{n % 2}"', flows.spec(n, f"n{n}")) for n in range(4)]
    lines = [line.strip() for line in mermaid(Picture.of(specs)).splitlines()]
    assert lines.count("end") == 2
    assert 'subgraph s1["a #34;1#34;"]' in lines
