"""A Picture shows every Spec and every Link once, and what is missing."""

from uuid import UUID

import msgspec

from heddle.extensions.drawing.picture import Picture, in_order
from heddle.schemas.link import Link
from heddle.specs.model.spec import Spec
from tests.extensions.drawing import flows


def test_every_spec_is_a_node_and_every_link_edge_in_their_order() -> None:
    specs = flows.shop()
    picture = Picture.of(specs)
    assert [node.label for node in picture.nodes[: len(specs)]] == [s.label for s in specs]
    links = [link for s in specs for port in in_order(s.ports) for link in s.ports[port]]
    assert [picture.nodes[edge.target].label for edge in picture.edges] == [
        link.name for link in links
    ]


def test_a_missing_target_is_one_waiting_node_however_often_it_is_linked() -> None:
    specs = [flows.spec(1, "a", out=["later"]), flows.spec(2, "b", out=["later:in[1]"])]
    picture = Picture.of(specs)
    waiting = [node for node in picture.nodes if node.waiting]
    assert [(node.label, node.kind, node.ins) for node in waiting] == [
        ("later", "waiting", ("in", "in[1]"))
    ]


def test_a_link_finds_its_target_by_id_even_if_it_names_another() -> None:
    aim = Link(id=UUID(int=2 << 96), name="b")
    specs = [
        msgspec.structs.replace(flows.spec(1, "a"), ports={"out": (aim,)}),
        flows.spec(2, None),
        flows.spec(3, "b"),
    ]
    picture = Picture.of(specs)
    assert [edge.target for edge in picture.edges] == [1]
    assert not picture.nodes[1].named


def test_a_missing_id_waits_under_the_name_it_was_given() -> None:
    with_name = Link(id=UUID(int=9), name="friend")
    bare = Link(id=UUID(int=10))
    specs = [msgspec.structs.replace(flows.spec(1, "a"), ports={"out": (with_name, bare)})]
    assert [node.label for node in Picture.of(specs).nodes[1:]] == ["friend", str(UUID(int=10))]


def test_links_do_not_leave_their_namespace() -> None:
    specs = [
        flows.within("one", flows.spec(1, "a", out=["b"])),
        flows.within("two", flows.spec(2, "b")),
    ]
    picture = Picture.of(specs)
    assert picture.namespaces == ("one", "two")
    assert picture.nodes[picture.edges[0].target].waiting
    assert picture.nodes[picture.edges[0].target].namespace == "one"


def test_two_specs_of_one_name_are_both_shown() -> None:
    specs = [flows.spec(1, "a"), flows.spec(1, "a"), flows.spec(2, "b", out=["a"])]
    picture = Picture.of(specs)
    assert len(picture.nodes) == 3
    assert [edge.target for edge in picture.edges] == [0]


def test_ports_are_counted_as_people_count() -> None:
    ports = ["deinit", "error", "out[10]", "out[2]", "init", "out", "error[0]"]
    assert in_order(ports) == ("out", "out[2]", "out[10]", "error", "error[0]", "init", "deinit")
    assert in_order(["out[" + "9" * 5000 + "]", "out"])[0] == "out"


def test_ports_that_the_schema_knows_are_shown_too() -> None:
    def ports(spec: Spec) -> tuple[str, ...]:
        return ("out[0]", "error") if spec.kind == "router" else ()

    nodes = Picture.of(flows.ping(), ports).nodes
    assert [node.outs for node in nodes] == [("out",), ("out[0]", "error"), ()]


def test_what_an_edge_carries_is_told_by_its_port() -> None:
    specs = [flows.spec(1, "a", out=["a"], error=["a"], init=["a"], deactive=["a"])]
    assert [edge.strand for edge in Picture.of(specs).edges] == [
        "plain",
        "error",
        "lifecycle",
        "lifecycle",
    ]


def test_nothing_makes_an_empty_picture() -> None:
    assert Picture.of([]) == Picture()
