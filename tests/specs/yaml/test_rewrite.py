"""A changed entry is changed if it stands; every other line stays as it was, byte for byte."""

import difflib
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.schemas.link import Link
from heddle.specs.model.index import key_of
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource
from heddle.specs.stores.contract_story import AWKWARD, spec
from heddle.specs.yaml.document import read_text
from heddle.specs.yaml.rewrite import Edit, pinned, rewrite

FLOW = """\
# yaml-language-server: $schema=heddle.json

# The way in.
- kind: listener   # http
  name: listener
  protocol: http
  port: '{{ .PORT }}'
  env:
    PORT: {data: "{{ .PORT }}"}   # from outside
  ports:
    out:
      - {name: router, port: in}

# Who gets what.
- kind: router
  name: router
  routes:
    - {method: GET,   path: /ping,      port: 'out[0]'}   # alive?
    - {method: GET,   path: /users/:id, port: 'out[1]'}
  ports:
    out[0]: {name: pong}

- kind: snippet
  name: pong
  language: text
  code: |
    hello

      world
- kind: nop
- kind: nop
  x: 2

# the end
"""


def entries_of(text: str) -> list[Resource]:
    reading = read_text(text, file="f.yaml")
    assert not reading.problems
    return [*reading.specs, *reading.values]


def resources(text: str) -> dict[str, Resource]:
    return {each.label: each for each in entries_of(text)}


def rewritten(text: str, *edits: Edit, is_json: bool = False) -> str:
    entries = list(resources(text).values())
    wanted = {key_of(each): each for each in entries}
    for edit in edits:
        if edit.old is not None:
            del wanted[key_of(edit.old)]
    wanted.update({key_of(edit.new): edit.new for edit in edits if edit.new is not None})

    def check(candidate: str) -> bool:
        if read_text(candidate, file="f.yaml").problems:
            return False
        return {key_of(each): each for each in entries_of(candidate)} == wanted

    result = rewrite(
        text, pinned(edits, entries), check=check, namespace="default", is_json=is_json
    )
    assert result is not None
    return result


def changed(text: str, name: str, **fields: Any) -> Edit:
    old = resources(text)[name]
    return Edit(old, msgspec.structs.replace(old, **fields))


def diff(old: str, new: str) -> list[str]:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


def test_a_changed_field_changes_its_line() -> None:
    listener = resources(FLOW)["listener"]
    assert isinstance(listener, Spec)
    fields = {**listener.fields, "port": 8080}
    assert diff(FLOW, rewritten(FLOW, changed(FLOW, "listener", fields=fields))) == [
        "-  port: '{{ .PORT }}'",
        "+  port: 8080",
    ]


def test_a_new_and_a_removed_field() -> None:
    new = rewritten(
        FLOW, changed(FLOW, "pong", fields={"language": "text", "code": "hi", "limit": 1})
    )
    assert diff(FLOW, new) == [
        "-  code: |",
        "-    hello",
        "-",
        "-      world",
        "+  code: |-",
        "+    hi",
        "+  limit: 1",
    ]


@pytest.mark.parametrize(
    ("before", "links", "after"),
    [
        ("b", [Link("c")], "c"),
        ("b", [Link("b", None, "in[1]")], "b.in[1]"),
        ("[b, c]", [Link("b"), Link("d"), Link("c")], "[b, d, c]"),
        ("[b, c]", [Link("c")], "[c]"),
        ("[b, {name: c}]", [Link("b"), Link("d")], "[b, {name: d}]"),
        ("{name: b, port: in}", [Link("c")], "{name: c, port: in}"),
        ("b", [Link("b"), Link("d")], "[b, d]"),
    ],
)
def test_a_short_link_stays_short(before: str, links: list[Link], after: str) -> None:
    text = "- kind: nop\n  name: a\n  ports:\n    out: %s  # why\n"
    new = rewritten(text % before, changed(text % before, "a", ports={"out": tuple(links)}))
    assert new == text % after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{out: b}", "{out: b, error: c, 'out[1]': [b, d]}"),
        ("{out: {name: b}}", "{out: {name: b}, error: [{name: c, port: in}], 'out[1]': "),
        ("\n    out: b", "\n    out: b\n    error: c\n    out[1]: [b, d]\n"),
        ("\n    out: [b]", "\n    out: [b]\n    error: c\n    out[1]: [b, d]\n"),
    ],
)
def test_a_new_port_is_linked_as_its_neighbours_are(before: str, after: str) -> None:
    text = f"- kind: nop\n  name: a\n  ports: {before}\n".replace(": \n", ":\n")
    ports = {"out": (Link("b"),), "error": (Link("c"),), "out[1]": (Link("b"), Link("d"))}
    new = rewritten(text, changed(text, "a", ports=ports))
    assert f"ports: {after}".replace(": \n", ":\n") in new


def test_what_is_new_in_json_stands_on_one_line_beside_such() -> None:
    text = """\
[
  {
    "kind": "nop",
    "name": "a",
    "methods": ["GET"],
    "ports": {
      "out": [
        {"name": "b", "port": "in"}
      ]
    }
  }
]
"""
    ports = {"out": (Link("b"), Link("d")), "error": (Link("e"),)}
    new = rewritten(text, changed(text, "a", fields={"methods": ["GET"], "x": [1, 2]}, ports=ports))
    assert diff(text, new) == [
        '+    "x": [1, 2],',
        '-        {"name": "b", "port": "in"}',
        '+        {"name": "b", "port": "in"},',
        '+        {"name": "d", "port": "in"}',
        "+      ],",
        '+      "error": [',
        '+        {"name": "e", "port": "in"}',
    ]


def test_an_alias_in_the_same_entry_keeps_what_it_had() -> None:
    text = """\
- kind: nop   # kind
  name: a
  # above
  one: &x   {a: 1,   b: [2]}   # one
  two: *x   # two
  ports: {out: &y [b, c],
    error: *y}   # end
"""
    one = changed(text, "a", fields={"one": {"a": 3, "b": [2]}, "two": {"a": 1, "b": [2]}})
    assert diff(text, rewritten(text, one)) == [
        "-  one: &x   {a: 1,   b: [2]}   # one",
        "-  two: *x   # two",
        "+  one: &x   {a: 3,   b: [2]}   # one",
        "+  two: {a: 1, b: [2]}   # two",
    ]
    ports = {"out": (Link("b"), Link("d")), "error": (Link("b"), Link("c"))}
    assert diff(text, rewritten(text, changed(text, "a", ports=ports))) == [
        "-  ports: {out: &y [b, c],",
        "-    error: *y}   # end",
        "+  ports: {out: &y [b, d],",
        "+    error: [b, c]}   # end",
    ]


def test_the_first_links_of_an_entry_are_short() -> None:
    text = "- kind: nop\n  name: a\n"
    new = rewritten(text, changed(text, "a", ports={"out": (Link("b"), Link("c"))}))
    assert new == f"{text}  ports:\n    out: [b, c]\n"


def test_the_links_of_a_new_entry_are_short() -> None:
    new = rewritten(FLOW, Edit(None, spec("fresh", "nop", ports={"out": (Link("pong"),)})))
    assert diff(FLOW, new)[-2:] == ["+  ports:", "+    out: pong"]


def test_an_item_of_a_list_and_a_port() -> None:
    router = resources(FLOW)["router"]
    assert isinstance(router, Spec)
    routes = [*router.fields["routes"], {"method": "POST", "path": "/x", "port": "out[2]"}]
    ports = {**router.ports, "out[2]": (Link("pong"),)}
    new = rewritten(FLOW, changed(FLOW, "router", fields={"routes": routes}, ports=ports))
    assert diff(FLOW, new) == [
        "+    - {method: POST, path: /x, port: 'out[2]'}",
        "+    out[2]:",
        "+      - {name: pong, port: in}",
    ]


def test_a_removed_entry_takes_its_comment_along() -> None:
    new = rewritten(FLOW, Edit(resources(FLOW)["router"], None))
    assert diff(FLOW, new) == ["-" + line for line in FLOW.splitlines()[13:22]]
    first = rewritten(FLOW, Edit(resources(FLOW)["listener"], None))
    assert first.startswith("# yaml-language-server: $schema=heddle.json\n\n")
    assert "The way in" not in first


def test_a_new_entry_goes_to_the_end() -> None:
    new = rewritten(FLOW, Edit(None, spec("fresh", "if", fields={"when": "a\nb\n"})))
    assert diff(FLOW, new) == ["+- kind: if", "+  name: fresh", "+  when: |", "+    a", "+    b"]


def test_removing_a_nameless_entry_pins_the_ids_of_the_others() -> None:
    first, second = (each for each in resources(FLOW).values() if each.name is None)
    new = rewritten(FLOW, Edit(first, None))
    assert diff(FLOW, new) == ["-- kind: nop", f"+  id: {second.id}"]


@pytest.mark.parametrize(
    "text",
    [
        "kind: nop\nname: a   # me\nx: 1\n---\n# two\nkind: nop\nname: b\n",
        "- kind: nop\n  name: a\n- kind: nop\n  name: b",
        "  - kind: nop\n    name: a\n  # between\n  - kind: nop\n    name: b\n",
        "[{kind: nop, name: a}, {kind: nop, name: b}]\n",
        "- &base\n  kind: nop\n  name: a\n- <<: *base\n  name: b\n",
        "-\n  kind: nop\n  name: a\n-\n  # inside\n  name: b\n  kind: nop\n",
        "- kind: nop\r\n  name: a\r\n- kind: nop\r\n  name: b\r\n",
    ],
)
def test_every_form_of_a_document_can_be_written_to(text: str) -> None:
    new = rewritten(text, changed(text, "a", fields={"x": {"y": [1, 2]}}), Edit(None, spec("c")))
    assert [each.name for each in resources(new).values()] == ["a", "b", "c"]
    assert [each for each in text.splitlines() if "#" in each and each not in new] == []
    rest = rewritten(new, Edit(resources(new)["a"], None), changed(new, "c", fields={"z": 1}))
    assert set(resources(rest)) == {"b", "c"}


def test_json_stays_json() -> None:
    text = '[\n    {"kind": "nop", "name": "a"}\n]\n'
    new = rewritten(text, changed(text, "a", fields={"x": "ü"}), is_json=True)
    assert new == '[\n    {"kind": "nop", "name": "a", "x": "ü"}\n]\n'


def test_a_key_that_comes_from_anchor_can_be_changed_in_one_place() -> None:
    text = "- kind: nop\n  name: a\n  x: &x {deep: 1}\n- kind: nop\n  name: b\n  x: *x\n"
    new = rewritten(text, changed(text, "b", fields={"x": {"deep": 2}}))
    found = resources(new)
    assert [each.fields["x"] for each in found.values() if isinstance(each, Spec)] == [
        {"deep": 1},
        {"deep": 2},
    ]


# --- properties ---

VALUES = st.sampled_from(
    [*AWKWARD.values(), *AWKWARD["texts"], *AWKWARD["signs"], *AWKWARD["spaces"]]
)
NEW_FIELDS = st.dictionaries(
    st.sampled_from(["port", "protocol", "routes", "code", "language", "new", "x", "true", "1"]),
    VALUES
    | st.lists(VALUES, max_size=3)
    | st.dictionaries(st.sampled_from("ab"), VALUES, max_size=2),
    max_size=4,
)


@given(st.sampled_from(["listener", "router", "pong"]), NEW_FIELDS)
def test_no_other_entry_loses_a_byte(name: str, fields: dict[str, Any]) -> None:
    new = rewritten(FLOW, changed(FLOW, name, fields=fields))
    for block in re.split(r"(?m)(?=^- kind|^#|^$)", FLOW):
        if f"name: {name}" not in block and "world" not in block:
            assert block in new
    if name == "listener":
        assert "# http" in new
    assert new.startswith("# yaml-language-server: $schema=heddle.json\n")


@given(NEW_FIELDS, NEW_FIELDS)
def test_changing_there_and_back_says_the_same(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    text = rewritten(FLOW, changed(FLOW, "router", fields=first))
    text = rewritten(
        text, changed(text, "router", fields=second), changed(text, "pong", fields=first)
    )
    router = resources(FLOW)["router"]
    assert isinstance(router, Spec)
    back = rewritten(text, changed(text, "router", fields=router.fields))
    assert resources(back)["router"] == router


# --- what files look like ---


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        ("# top\r\n- kind: nop   # k\r\n  name: a\r\n  x: 1\r\n", "x: 1", "x: 2"),
        ("\ufeff- kind: nop\n  name: a\n  x: 1\n", "x: 1", "x: 2"),
        (
            "- kind: nop\n  name: a\n  x: 1\n  # tail\n\n# about b\n- kind: nop\n  name: b\n# end\n",
            "x: 1",
            "x: 2",
        ),
        (
            "# one\nkind: nop\nname: b\n---\n# two\nkind: nop\nname: a # n\nx: 1 # x\n# end\n...\n",
            "x: 1",
            "x: 2",
        ),
        (
            "- kind: nop\n  name: b\n  x: &x {deep: 1}\n- kind: nop\n  name: a\n  x: *x\n",
            "x: *x",
            "x: 2",
        ),
        (
            "- kind: nop\n  name: a\n  x: &x 1\n- kind: nop\n  name: b\n  x: *x\n",
            "x: &x 1\n",
            "x: 2\n",
        ),
        ("- &b\n  kind: nop\n  name: b\n  y: 1\n- <<: *b\n  name: a\n  x: 1\n", "x: 1", "x: 2"),
        (
            "  - kind: nop\n    name: b\n    x: &x 1\n  - kind: nop\n    name: a\n    x: *x\n",
            "x: *x",
            "x: 2",
        ),
        (
            "- kind: nop\n  name: a\n  code: |+\n    a\n\n  x: 1\n- kind: nop\n  name: b\n",
            "x: 1",
            "x: 2",
        ),
        ("- {kind: nop, name: a, x: 1} # beside\n- {kind: nop}\n", "x: 1", "x: 2"),
        ("- kind: nop\n  name: a\n  x: 1\n  y: 'Grüße 🧵' # ü\n  z: \"\\u2028\"\n", "x: 1", "x: 2"),
        ("- kind: nop\t# c\n  name: a\t\n  x: 1\n", "x: 1", "x: 2"),
        ("- kind: nop\n  name: a\n  x: 1", "x: 1", "x: 2"),
        ("- kind: nop\n  name: a\n  nothing:\n  x: 1\n", "x: 1", "x: 2"),
    ],
)
def test_a_file_of_any_make_keeps_it(text: str, old: str, new: str) -> None:
    result = rewritten(text, changed(text, "a", fields={**fields(text, "a"), "x": 2}))
    if "&x 1\n- kind" in text:
        # Who leads to what is changed gets it instead.
        assert result == text.replace(old, new).replace("*x", "&x 1")
    else:
        assert result == text.replace(old, new)


def fields(text: str, name: str) -> dict[str, Any]:
    one = resources(text)[name]
    assert isinstance(one, Spec)
    return dict(one.fields)


def test_a_new_entry_has_the_line_ends_of_its_file() -> None:
    text = "- kind: nop\r\n  name: a\r\n"
    assert rewritten(text, Edit(None, spec("b"))) == text + "- kind: nop\r\n  name: b\r\n"


def test_an_anchor_that_goes_is_written_where_it_is_needed_first() -> None:
    text = "- kind: nop\n  name: a\n  x: &x 1\n- kind: nop\n  name: b\n  x: *x\n"
    assert (
        rewritten(text, Edit(resources(text)["a"], None)) == "- kind: nop\n  name: b\n  x: &x 1\n"
    )


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ('{"kind":"nop","name":"a","x":1}', '{"kind":"nop","name":"a","x":2}'),
        ('[{"kind": "nop", "name": "a", "x": 1}]\n', '[{"kind": "nop", "name": "a", "x": 2}]\n'),
        (
            '[\r\n\t{\r\n\t\t"kind": "nop",\r\n\t\t"y": [1, 2],\r\n\t\t"name": "a",\r\n\t\t"x": 1\r\n\t}\r\n]',
            '[\r\n\t{\r\n\t\t"kind": "nop",\r\n\t\t"y": [1, 2],\r\n\t\t"name": "a",\r\n\t\t"x": 2\r\n\t}\r\n]',
        ),
        (
            '[\n  {"kind": "nop", "name": "b", "y": 1.50},\n  {\n    "kind": "nop",\n    "name": "a",\n    "x": 1\n  }\n]\n',
            '[\n  {"kind": "nop", "name": "b", "y": 1.50},\n  {\n    "kind": "nop",\n    "name": "a",\n    "x": 2\n  }\n]\n',
        ),
    ],
)
def test_json_keeps_its_style(text: str, new: str) -> None:
    edit = changed(text, "a", fields={**fields(text, "a"), "x": 2})
    assert rewritten(text, edit, is_json=True) == new
