"""Two sides are merged by node, field, port and link; what they disagree about is told, never guessed."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.schemas.link import Link
from heddle.specs.merge.merge import MergeConflict, MergeResult, merge, merge_one
from heddle.specs.model.difference import ABSENT
from heddle.specs.model.index import key_of
from heddle.specs.model.names import named_id, new_id
from heddle.specs.model.spec import Binding, Spec
from heddle.specs.model.store import Resource
from heddle.specs.model.value import ValueSource
from heddle.specs.stores.contract_story import spec, value


def fields(merged: MergeResult) -> dict[str, Any]:
    """Return the own fields of the only Spec that comes of a merge without conflicts."""
    assert merged.conflicts == ()
    (one,) = merged.resources
    assert isinstance(one, Spec)
    return dict(one.fields)


def links(merged: MergeResult, name: str, port: str = "out") -> list[str]:
    (one,) = [each for each in merged.resources if each.name == name]
    assert isinstance(one, Spec)
    return [link.target for link in one.ports.get(port, ())]


def conflict(merged: MergeResult) -> MergeConflict:
    (one,) = merged.conflicts
    return one


def node(**own: Any) -> Spec:
    return spec("a", fields=own)


def linked(*targets: str, name: str = "a", port: str = "out") -> Spec:
    return spec(name, ports={port: tuple(Link(each) for each in targets)})


# --- what merges ---


def test_different_fields_of_one_node_merge() -> None:
    merged = merge_one(node(a=1, b=1, c=1), node(a=2, b=1), node(a=1, b=3, c=1, d=4))
    assert fields(merged) == {"a": 2, "b": 3, "d": 4}


def test_two_may_add_links_to_the_same_port() -> None:
    merged = merge_one(linked("x"), linked("x", "ours"), linked("x", "theirs"))
    assert merged.conflicts == ()
    assert links(merged, "a") == ["x", "ours", "theirs"]


def test_a_link_that_one_removes_goes_and_one_that_other_adds_comes() -> None:
    merged = merge_one(linked("x", "y"), linked("y"), linked("x", "y", "z"))
    assert merged.conflicts == ()
    assert links(merged, "a") == ["y", "z"]


def test_a_port_that_one_unlinks_keeps_only_what_the_other_adds() -> None:
    merged = merge_one(linked("x"), spec("a"), linked("x", "z"))
    assert merged.conflicts == ()
    assert links(merged, "a") == ["z"]
    gone = merge_one(linked("x"), spec("a"), linked("x"))
    assert gone.resources == (spec("a"),)


def test_an_order_that_one_changes_is_kept_with_what_the_other_adds() -> None:
    merged = merge_one(linked("x", "y"), linked("x", "n", "y"), linked("y", "x"))
    assert merged.conflicts == ()
    assert links(merged, "a") == ["y", "x", "n"]


def test_ports_env_and_annotations_that_were_not_there_merge_by_key() -> None:
    ours = spec("a", ports={"out": (Link("x"),)}, env={"A": Binding(data=1)}, annotations={"a": ""})
    theirs = spec(
        "a", ports={"no": (Link("x"),)}, env={"B": Binding(data=1)}, annotations={"b": ""}
    )
    merged = merge_one(spec("a"), ours, theirs)
    assert merged.conflicts == ()
    (one,) = merged.resources
    assert isinstance(one, Spec)
    assert (set(one.ports), set(one.env), set(one.annotations)) == (
        {"out", "no"},
        {"A", "B"},
        {"a", "b"},
    )


def test_nested_mappings_and_items_of_lists_merge() -> None:
    base = node(deep={"a": 1, "b": {"c": 1}}, routes=[{"path": "/a"}, {"path": "/b"}])
    ours = node(deep={"a": 2, "b": {"c": 1}}, routes=[{"path": "/A"}, {"path": "/b"}])
    theirs = node(deep={"a": 1, "b": {"c": 1, "d": 1}}, routes=[{"path": "/a"}, {"path": "/B"}])
    assert fields(merge_one(base, ours, theirs)) == {
        "deep": {"a": 2, "b": {"c": 1, "d": 1}},
        "routes": [{"path": "/A"}, {"path": "/B"}],
    }


def test_lists_merge_where_the_changes_lie_apart() -> None:
    merged = merge_one(node(x=[1, 2, 3, 4]), node(x=[0, 1, 2, 3, 4]), node(x=[1, 2, 4, 5]))
    assert fields(merged) == {"x": [0, 1, 2, 4, 5]}


def test_nodes_inside_a_node_merge_by_their_names() -> None:
    base = node(specs=[{"kind": "nop", "name": "in"}])
    ours = node(specs=[{"kind": "nop", "name": "in", "x": 1}, {"kind": "nop", "name": "ours"}])
    theirs = node(specs=[{"kind": "nop", "name": "theirs"}, {"kind": "nop", "name": "in", "y": 1}])
    assert fields(merge_one(base, ours, theirs)) == {
        "specs": [
            {"kind": "nop", "name": "theirs"},
            {"kind": "nop", "name": "in", "x": 1, "y": 1},
            {"kind": "nop", "name": "ours"},
        ]
    }


def test_different_lines_of_one_text_merge() -> None:
    merged = merge_one(
        node(code="a\nb\nc\nd\n"), node(code="a\nB\nc\nd\n"), node(code="a\nb\nc\nd\ne\n")
    )
    assert fields(merged) == {"code": "a\nB\nc\nd\ne\n"}


def test_nodes_that_each_side_adds_or_removes_merge() -> None:
    base: list[Resource] = [spec("a"), spec("b"), value("v", 1)]
    merged = merge(base, [spec("a"), spec("b"), spec("x")], [spec("b"), spec("y"), value("v", 1)])
    assert merged.conflicts == ()
    assert [each.name for each in merged.resources] == ["b", "x", "y"]


def test_what_both_do_alike_is_done_once() -> None:
    merged = merge([linked("x")], [linked("x", "y"), spec("n")], [linked("x", "y"), spec("n")])
    assert merged.conflicts == ()
    assert merged.resources == (linked("x", "y"), spec("n"))


def test_the_result_knows_its_line_and_its_revision() -> None:
    ours = spec("a", fields={"x": 2}, revision=7)
    merged = merge_one(node(x=1, y=1), ours, node(x=1, y=1, z=1))
    (one,) = merged.resources
    assert one.revision == 7


# --- what does not ---


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "path"),
    [
        (node(x=1), node(x=2), node(x=3), "a.x"),
        (node(x=1), node(x=True), node(x=1.0), "a.x"),
        (node(x={"y": 1}), node(), node(x={"y": 2}), "a.x"),
        (node(), node(x={"a": 1}), node(x={"b": 1}), "a.x"),
        (node(x=[1]), node(x=[1, 2]), node(x=[1, 3]), "a.x"),
        (node(x=["a", {"b": 1}]), node(x=["a", {"b": 2}]), node(x=["a", {"b": 3}]), "a.x[1].b"),
        (node(code="a\nb\n"), node(code="a\nc\n"), node(code="a\nd\n"), "a.code"),
        (spec("a"), spec("a", "if"), spec("a", "for"), "a"),
        (spec("a"), spec("a", "if"), node(x=1), "a"),
        (None, spec("a", "if"), spec("a", "for"), "a.kind"),
        (node(x=1), None, node(x=2), "a"),
        (
            spec("a", env={"X": Binding(name="v")}),
            spec("a", env={"X": Binding(name="w")}),
            spec("a", env={"X": Binding(name="v", data="{{ . }}")}),
            "a.env.X",
        ),
        (linked("x", "y", "z"), linked("y", "x", "z"), linked("x", "z", "y"), "a.ports.out"),
        (value("a", 1), value("a", 2), value("a", 3), "a.data"),
    ],
)
def test_what_both_changed_otherwise_is_a_conflict_at_its_place(
    base: Resource | None, ours: Resource | None, theirs: Resource | None, path: str
) -> None:
    for one, other in ((ours, theirs), (theirs, ours)):
        told = merge_one(base, one, other).conflicts
        assert [each.at for each in told] == [path]
    assert merge_one(base, ours, theirs).resources == ((ours,) if ours is not None else ())


def test_a_conflict_says_what_stands_on_each_side() -> None:
    told = conflict(merge_one(node(x=1), node(x=2), node()))
    assert (told.base, told.ours, told.theirs) == (1, 2, ABSENT)
    assert (
        str(told) == "a.x: theirs removes it, ours changes it (base: 1; ours: 2; theirs: nothing)"
    )


@pytest.mark.parametrize("favor", ["ours", "theirs"])
def test_how_a_value_says_its_data_is_one_thing(favor: Any) -> None:
    sides = {
        "ours": value("v", source=ValueSource(env="OURS"), secret=True),
        "theirs": value("v", 2, annotations={"a": "b"}),
    }
    told = merge([value("v", 1)], [sides["ours"]], [sides["theirs"]], favor=favor)
    assert conflict(told).at == "v.data"
    kept = sides[favor]
    want = {"source": kept.source, "secret": kept.secret, "annotations": {"a": "b"}}
    assert told.resources == (value("v", kept.data, **want),)
    renewed = value("v", source=ValueSource(file="f"), annotations={"a": "b"})
    merged = merge_one(value("v", 1), value("v", source=ValueSource(file="f")), sides["theirs"])
    assert conflict(merged).path == ("data",)
    assert merge_one(
        value("v", 2), value("v", source=ValueSource(file="f")), sides["theirs"]
    ) == MergeResult(resources=(renewed,))


def test_a_secret_is_not_told() -> None:
    sides = [value("key", each, secret=True) for each in ("hunter1", "hunter2", "hunter3")]
    told = conflict(merge_one(*sides))
    assert told.secret
    assert "hunter" not in str(told)


@pytest.mark.parametrize("favor", ["ours", "theirs", "base"])
def test_the_favored_side_has_its_word_in_a_conflict_and_only_there(favor: Any) -> None:
    base, ours, theirs = node(x="base", y=1), node(x="ours", y=2), node(x="theirs", y=1, z=3)
    merged = merge([base, spec("b")], [ours, spec("b")], [theirs], favor=favor)
    assert merged.resources == (node(x=favor, y=2, z=3),)
    both = merge([], [spec("n", fields={"x": 1})], [spec("n", fields={"x": 2})], favor=favor)
    assert [dict(each.fields) for each in both.resources if isinstance(each, Spec)] == {
        "ours": [{"x": 1}],
        "theirs": [{"x": 2}],
        "base": [],
    }[favor]


def test_a_node_that_other_side_now_leads_to_is_not_silently_lost() -> None:
    base = [spec("a"), spec("pong")]
    told = merge(base, [spec("a")], [linked("pong"), spec("pong")])
    assert str(conflict(told)) == "pong: ours removes it, theirs now leads to it from a.ports.out"
    assert [each.name for each in told.resources] == ["a"]
    kept = merge(base, [spec("a")], [linked("pong"), spec("pong")], favor="theirs")
    assert {each.name for each in kept.resources} == {"a", "pong"}


def test_a_known_link_that_one_side_leaves_out_is_removed() -> None:
    merged = merge([linked("pong"), spec("pong")], [linked("pong")], [linked("pong"), spec("pong")])
    assert merged.conflicts == ()
    assert merged.resources == (linked("pong"),)


def test_a_value_that_other_side_now_asks_for_is_not_silently_lost() -> None:
    asking = spec("a", env={"X": Binding(name="v")})
    told = merge([spec("a"), value("v", 1)], [spec("a")], [asking, value("v", 1)])
    assert conflict(told).label == "v"


def test_a_node_that_is_called_otherwise_while_other_side_leads_to_it() -> None:
    id_ = new_id()
    old, new = spec("pong", id=id_), spec("reply", id=id_)
    told = merge([spec("a"), old], [spec("a"), new], [linked("pong"), old])
    assert 'ours calls it "reply"' in conflict(told).reason


def test_two_nodes_never_end_up_with_one_name() -> None:
    one, two = new_id(), new_id()
    base = [spec("a", id=one), spec("b", id=two)]
    ours = [spec("c", id=one), spec("b", id=two)]
    theirs = [spec("a", id=one), spec("c", id=two)]
    told = merge(base, ours, theirs)
    assert conflict(told).at == "c.name"
    assert [each.id for each in told.resources] == [one]
    assert [each.id for each in merge(base, ours, theirs, favor="theirs").resources] == [two]


# --- laws ---

_SCALARS = (
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "a\nb\nc\n", "a\nb\n"])
)
_DATA = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
        | st.lists(
            st.fixed_dictionaries({"name": st.sampled_from("xyz"), "v": inner}),
            max_size=3,
            unique_by=lambda item: str(item["name"]),
        )
    ),
    max_leaves=6,
)
_LINKS = st.lists(st.sampled_from("abc").map(Link), max_size=3).map(tuple)
_SPEC_PARTS = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["nop", "if"]),
        "fields": st.dictionaries(st.sampled_from(["x", "y"]), _DATA, max_size=2),
        "ports": st.dictionaries(st.sampled_from(["out", "error"]), _LINKS, max_size=2),
        "env": st.dictionaries(
            st.sampled_from("AB"), st.sampled_from("vw").map(lambda n: Binding(name=n)), max_size=2
        ),
        "annotations": st.dictionaries(st.sampled_from("kl"), st.sampled_from("12"), max_size=2),
    }
)
_FIXED = [named_id("spec", "default", f"fixed {number}") for number in range(2)]
_SPECS = st.builds(
    lambda name, parts: Spec(id=named_id("spec", "default", name), name=name, **parts),
    st.sampled_from("abc"),
    _SPEC_PARTS,
) | st.builds(
    lambda id_, name, parts: Spec(id=id_, name=name, **parts),
    st.sampled_from(_FIXED),
    st.sampled_from(["d", "e", None]),
    _SPEC_PARTS,
)
_VALUES = st.builds(
    lambda name, data, secret: value(name, data, secret=secret),
    st.sampled_from("vw"),
    _DATA,
    st.booleans(),
)


def _fitting(resources: Sequence[Resource]) -> list[Resource]:
    names: set[tuple[type, str]] = set()
    kept: list[Resource] = []
    for each in resources:
        if each.name is None or (type(each), each.name) not in names:
            names.add((type(each), each.name or str(each.id)))
            kept.append(each)
    return kept


SETS = st.lists(_SPECS | _VALUES, max_size=5, unique_by=key_of).map(_fitting)


def unordered(data: Any) -> Any:
    """Return the data with what has names sorted by them: of what both sides add, ours comes first."""
    if isinstance(data, dict):
        return {key: unordered(item) for key, item in data.items()}
    if not isinstance(data, list):
        return data
    items = [unordered(item) for item in data]
    named = all(isinstance(item, dict) and "name" in item for item in items)
    return sorted(items, key=lambda item: str(item["name"])) if named else items


def as_set(resources: Sequence[Resource]) -> dict[Any, Any]:
    """Return what they say, whatever their order, and that of what both sides added."""
    said: dict[Any, Any] = {}
    for each in resources:
        ports = each.ports if isinstance(each, Spec) else {}
        plain = {port: sorted(str(link.target) for link in found) for port, found in ports.items()}
        rest = (
            Spec(
                id=each.id,
                kind=each.kind,
                name=each.name,
                fields=unordered(each.fields),
                env=each.env,
                annotations=each.annotations,
            )
            if isinstance(each, Spec)
            else value(each.name, unordered(each.data), secret=each.secret)
        )
        said[key_of(each)] = (rest, plain)
    return said


@given(SETS, SETS)
def test_what_one_side_alone_did_is_done(base: list[Resource], changed: list[Resource]) -> None:
    assert merge(base, base, changed) == MergeResult(resources=tuple(changed))
    assert merge(base, changed, base) == MergeResult(resources=tuple(changed))
    assert merge(base, changed, changed) == MergeResult(resources=tuple(changed))


@given(SETS, SETS, SETS)
def test_the_sides_may_be_exchanged(
    base: list[Resource], ours: list[Resource], theirs: list[Resource]
) -> None:
    one = merge(base, ours, theirs)
    assert bool(one.conflicts) == bool(merge(base, theirs, ours).conflicts)
    # Whoever is favored: the same word is kept, from whichever side it comes.
    other = merge(base, theirs, ours, favor="theirs")
    assert {(each.key, each.path) for each in one.conflicts} == {
        (each.key, each.path) for each in other.conflicts
    }
    assert as_set(one.resources) == as_set(other.resources)


@given(SETS, SETS, SETS)
def test_what_comes_of_a_merge_can_be_merged_again(
    base: list[Resource], ours: list[Resource], theirs: list[Resource]
) -> None:
    merged = merge(base, ours, theirs)
    again = merge(ours, merged.resources, ours)
    assert again.conflicts == ()
    assert again.resources == merged.resources
    names = [(type(each), each.name) for each in merged.resources if each.name is not None]
    assert len(set(names)) == len(names)


@given(SETS, st.data())
def test_changes_of_different_resources_always_merge(base: list[Resource], data: Any) -> None:
    mine = data.draw(st.sets(st.sampled_from([key_of(each) for each in base]))) if base else set()
    other = data.draw(SETS)
    changes = {key_of(each): each for each in other}

    def with_changes(which: bool) -> list[Resource]:
        # Links are left as they are: a link to what the other side takes away is a conflict of its own.
        found = []
        for each in base:
            new = changes.get(key_of(each))
            if (key_of(each) in mine) != which or new is None:
                found.append(each)
            elif isinstance(each, Spec) and isinstance(new, Spec):
                found.append(
                    Spec(
                        id=each.id,
                        kind=new.kind,
                        name=each.name,
                        fields=new.fields,
                        annotations=new.annotations,
                        ports=each.ports,
                        env=each.env,
                    )
                )
            else:
                found.append(new)
        return found

    ours, theirs = with_changes(True), with_changes(False)
    merged = merge(base, ours, theirs)
    assert merged.conflicts == ()
    sides = {True: {key_of(x): x for x in ours}, False: {key_of(x): x for x in theirs}}
    assert merged.resources == tuple(sides[key_of(x) in mine][key_of(x)] for x in base)


@given(
    st.dictionaries(st.sampled_from("abcdef"), _SCALARS, max_size=6),
    st.dictionaries(st.sampled_from("abcdef"), _SCALARS, max_size=6),
    st.sets(st.sampled_from("abcdef")),
)
def test_changes_of_different_fields_always_merge(
    base: dict[str, Any], changed: dict[str, Any], mine: set[str]
) -> None:
    def side(which: bool) -> dict[str, Any]:
        keys = dict.fromkeys((*base, *changed))
        picked = {key: changed if (key in mine) == which else base for key in keys}
        return {key: source[key] for key, source in picked.items() if key in source}

    assert fields(merge_one(node(**base), node(**side(True)), node(**side(False)))) == changed
