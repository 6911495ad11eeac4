"""An SVG stands by itself, shows everything once, and can be read by everyone."""

import re
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest

from heddle.extensions.drawing import Picture
from heddle.extensions.drawing.svg import svg
from heddle.extensions.drawing.text import legal
from heddle.specs.model.spec import Spec
from tests.extensions.drawing import flows

NS = "{http://www.w3.org/2000/svg}"
DOCS = Path(__file__).parents[3] / "docs"


def groups(text: str, name: str) -> list[ElementTree.Element]:
    found = ElementTree.fromstring(text).iter(f"{NS}g")
    return [group for group in found if (group.get("class") or "").split()[0] == name]


def titles(text: str, name: str) -> list[str]:
    return [group.findtext(f"{NS}title") or "" for group in groups(text, name)]


@pytest.mark.parametrize("direction", ["right", "down"])
@pytest.mark.parametrize("flow", [flows.shop, flows.nasty, flows.ping, list])
def test_every_node_and_edge_is_there_once(flow: type[list[Spec]], direction: str) -> None:
    picture = Picture.of(flow())
    text = svg(picture, "down" if direction == "down" else "right")
    assert titles(text, "node") == [legal(f"{n.label} ({n.kind})") for n in picture.nodes]
    assert titles(text, "edge") == [legal(picture.edge_text(edge)) for edge in picture.edges]


def test_names_are_text_and_never_markup() -> None:
    text = svg(Picture.of(flows.nasty()))
    root = ElementTree.fromstring(text)
    tags = {element.tag.removeprefix(NS) for element in root.iter()}
    assert tags == {"svg", "title", "desc", "style", "rect", "g", "path", "circle", "text"}
    shown = {element.text for element in root.iter(f"{NS}text")}
    assert {'say "hi"', "a[b]{c}(d)", "]]>", "日本語の名前"} <= shown


def test_it_asks_for_nothing_from_elsewhere() -> None:
    text = svg(Picture.of(flows.nasty()))
    markup = re.sub(r">[^<]*<", "><", text).replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"http|href|url\(|@import|<script|\son\w+=", markup)


def test_it_has_colours_for_light_and_for_dark() -> None:
    style = ElementTree.fromstring(svg(Picture.of(flows.shop()))).findtext(f"{NS}style") or ""
    light, dark = style.split("@media (prefers-color-scheme:dark)")
    for family in ("net", "control", "data", "waiting"):
        assert f".heddle .{family} .card" in light
        assert f".heddle .{family} .card" in dark
    assert ".tasks" not in style
    selectors = re.findall(r"([^{}]+)\{[^{}]*\}", style)
    assert all(name.strip().startswith(".heddle ") for s in selectors for name in s.split(","))


def test_who_cannot_see_it_is_told_what_it_shows() -> None:
    root = ElementTree.fromstring(svg(Picture.of([*flows.ping(), flows.spec(9, "alone")])))
    named = {element.get("id"): element.text for element in root}
    assert root.get("role") == "img"
    title, description = (named[key] for key in (root.get("aria-labelledby") or "").split())
    assert title == "4 nodes, 2 links"
    assert description == ("listener.out → router.in; router.out[0] → pong.in; alone stands alone")


def test_errors_lifecycle_and_what_is_missing_look_different() -> None:
    text = svg(Picture.of(flows.shop()))
    kinds = {
        title: (group.get("class") or "").split()[1:]
        for group, title in zip(groups(text, "edge"), titles(text, "edge"), strict=True)
    }
    assert kinds["guard.out → router.in"] == ["plain"]
    assert kinds["guard.error → oops.in"] == ["error"]
    assert kinds["list.init → warm-up.in"] == ["lifecycle"]
    assert kinds["join.out → later.in"] == ["plain", "late"]
    waiting = [g for g in groups(text, "node") if "waiting" in (g.get("class") or "")]
    assert [group.findtext(f"{NS}title") for group in waiting] == ["later (waiting)"]


def test_an_out_port_that_leads_nowhere_is_named_on_its_card() -> None:
    text = svg(Picture.of(flows.ping(), lambda spec: ("error",) if spec.name == "router" else ()))
    loose = [
        (group.findtext(f"{NS}title"), element.text)
        for group in groups(text, "node")
        for element in group.iter(f"{NS}text")
        if element.get("class") == "loose"
    ]
    assert loose == [("router (router)", "error")]


def test_port_labels_stand_once_at_each_port() -> None:
    specs = [flows.spec(1, "a", out=["b", "c:in[1]"]), flows.spec(2, "b"), flows.spec(3, "c")]
    labels = [
        element.text
        for group in groups(svg(Picture.of(specs)), "port")
        for element in group.iter(f"{NS}text")
    ]
    assert sorted(filter(None, labels)) == ["in[1]", "out"]


def test_namespaces_stand_on_their_own_ground() -> None:
    specs = [flows.within(f"space <{n % 2}>", flows.spec(n, f"n{n}", out=["n1"])) for n in range(4)]
    names = [group.findtext(f"{NS}text") for group in groups(svg(Picture.of(specs)), "frame")]
    assert names == ["space <0>", "space <1>"]
    assert not groups(svg(Picture.of(flows.shop())), "frame")


def test_two_thousand_nodes_take_no_more_than_a_few_seconds() -> None:
    for specs in (flows.tangle(2000, 3000, seed=1), flows.chain(2000, oops=True), flows.fan(1998)):
        picture = Picture.of(specs)
        start = time.process_time()
        text = svg(picture)
        assert time.process_time() - start < 8
        assert len(groups(text, "edge")) == len(picture.edges)
