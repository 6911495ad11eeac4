"""DOT text shows the names as they are, whatever is in them."""

import html
import re
import shutil
import subprocess
from xml.etree import ElementTree

import pytest

from heddle.extensions.drawing import Picture, draw
from heddle.extensions.drawing.dot import dot, quoted
from heddle.specs.model.spec import Spec
from tests.extensions.drawing import flows

STRING = r'"((?:[^"\\]|\\.)*)"'
NODE = re.compile(rf" +n(\d+) \[label={STRING}, style=.*\]")
EDGE = re.compile(rf" +n(\d+) -> n(\d+) \[label={STRING}, tooltip={STRING}.*\]")
READABLE = [name for name in flows.NASTY if "\x01" not in name]


def read(label: str) -> str:
    """Return what a reader sees of a label."""
    breaks = re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], label)
    return html.unescape(breaks)


@pytest.mark.parametrize("name", READABLE)
def test_a_nasty_name_comes_out_as_it_went_in(name: str) -> None:
    text = quoted(name)
    assert re.fullmatch(STRING, text)
    assert read(text[1:-1]) == name


def test_control_characters_do_not_pass() -> None:
    assert quoted("a\x01b\x00\r\n") == '"a\ufffdb\ufffd\\n"'


@pytest.mark.parametrize("flow", [flows.shop(), flows.nasty(), flows.fan(9)])
def test_every_node_and_edge_is_there_once(flow: list[Spec]) -> None:
    picture = Picture.of(flow)
    lines = dot(picture).splitlines()
    nodes = [found for line in lines if (found := NODE.fullmatch(line))]
    edges = [found for line in lines if (found := EDGE.fullmatch(line))]
    assert [int(found[1]) for found in nodes] == list(range(len(picture.nodes)))
    assert [(int(found[1]), int(found[2])) for found in edges] == [
        (edge.source, edge.target) for edge in picture.edges
    ]
    assert len(lines) == len(nodes) + len(edges) + 6


def test_direction_errors_lifecycle_and_what_is_missing() -> None:
    text = draw(Picture.of(flows.shop()), "dot", "down")
    assert "rankdir=TB" in text
    assert re.search(r'label="error".*color="#d1344b"', text)
    assert re.search(r'label="init".*style=dotted', text)
    assert re.search(r'label="later\\nwaiting", style="rounded,filled,dashed"', text)


def test_namespaces_are_clusters() -> None:
    specs = [flows.within(f"s{n % 2}", flows.spec(n, f"n{n}")) for n in range(4)]
    text = dot(Picture.of(specs))
    assert 'subgraph cluster_1 {\n        label="s1";' in text
    assert text.count("{") == text.count("}") == 3


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_shows_every_name() -> None:
    specs = [flows.spec(n, name, "k") for n, name in enumerate(READABLE)]
    text = draw(Picture.of(specs), "dot")
    done = subprocess.run(["dot", "-Tsvg"], input=text.encode(), capture_output=True, check=True)
    space = "{http://www.w3.org/2000/svg}"
    shown = {}
    for group in ElementTree.fromstring(done.stdout).iter(f"{space}g"):
        if group.get("class") == "node":
            rows = [element.text or "" for element in group.iter(f"{space}text")]
            shown[group.findtext(f"{space}title")] = "\n".join(rows)
    assert shown == {f"n{n}": f"{name}\nk" for n, name in enumerate(READABLE)}
