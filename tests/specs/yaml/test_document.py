"""Reading documents: what is right is kept, and everything that is wrong is told with its place."""

import io
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.schemas.link import Link
from heddle.specs.model.entry import data_of
from heddle.specs.model.names import legal_name, named_id
from heddle.specs.stores.contract_story import AWKWARD
from heddle.specs.yaml.document import ReadText, read_data, read_path, read_text
from heddle.specs.yaml.fast import SpecPlaces
from heddle.specs.yaml.layout import entry_text
from heddle.specs.yaml.spec_tree import files_below

PING = """\
- kind: listener
  name: listener
  protocol: http
  port: '{{ .PORT }}'
  env:
    PORT: {data: '{{ .PORT }}'}
  ports:
    out:
      - {name: router, port: in}
- kind: router
  name: router
  routes:
    - {method: GET, path: /ping, port: 'out[0]'}
  ports:
    out[0]: {name: pong}
"""


def told(reading: ReadText) -> list[str]:
    return [str(problem) for problem in reading.problems]


def test_a_list_of_entries_is_read_in_order() -> None:
    reading = read_text(PING, file="ping.yaml")
    assert told(reading) == []
    listener, router = reading.specs
    assert (listener.kind, listener.name, listener.namespace) == ("listener", "listener", "default")
    assert list(listener.fields) == ["protocol", "port"]
    assert listener.ports == {"out": (Link("router", None, "in"),)}
    assert router.ports == {"out[0]": (Link("pong", None, "in"),)}
    assert str(router.place(("routes", 0, "path"))) == "ping.yaml:13:21"


@pytest.mark.parametrize(
    "text",
    [
        "kind: nop\nname: one\n---\nkind: nop\nname: two\n",
        "- {kind: nop, name: one}\n- {kind: nop, name: two}\n",
        "---\n- {kind: nop, name: one}\n---\n---\nkind: nop\nname: two\n...\n",
        '[{"kind": "nop", "name": "one"}, {"kind": "nop", "name": "two"}]',
        "\ufeff- {kind: nop, name: one}\n- {kind: nop, name: two}\n",
    ],
)
def test_all_forms_of_a_document_say_the_same(text: str) -> None:
    for form in (text, text.encode(), text.removeprefix("\ufeff").encode("utf-16")):
        reading = read_text(form)
        assert told(reading) == []
        assert [spec.name for spec in reading.specs] == ["one", "two"]


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "[]", "null"])
def test_nothing_is_nothing(text: str) -> None:
    assert read_text(text) == ReadText()


def test_specs_and_values_may_stand_in_one_file() -> None:
    reading = read_text(
        "- {kind: nop, name: a}\n- {name: a, data: {url: x}, secret: true}\n- {data: null}\n"
    )
    assert told(reading) == []
    assert [spec.name for spec in reading.specs] == ["a"]
    assert [(value.name, value.data, value.secret) for value in reading.values] == [
        ("a", {"url": "x"}, True),
        (None, None, False),
    ]


def test_the_caller_may_want_only_one_sort() -> None:
    text = "- {kind: nop, name: a}\n- {name: b, data: 1}\n"
    only_specs, only_values = read_text(text, only="specs"), read_text(text, only="values")
    assert [problem.place.line for problem in only_specs.problems] == [2]
    assert [problem.place.line for problem in only_values.problems] == [1]
    assert len(only_specs.specs) == len(only_values.values) == 1
    assert read_text("- {name: b}", only="values").problems[0].code == "missing"


def test_every_problem_of_every_document_is_told_and_the_others_survive() -> None:
    text = """\
- kind: listener
  name: bad/name
  id: 5
  env: {PORT: 8000, x-y: {data: 1}, Q: {nam: x}}
  ports:
    out: 5
    error: {name: pong, prot: in}
    more: [{port: in}, {name: 4}]
- {kind: nop, name: good}
- {knd: nop}
- text
---
kind: '{{ .KIND }}'
---
{kind: nop, name: fine, annotations: {a: 1, b: [x]}}
"""
    reading = read_text(text, file="f.yaml")
    assert [(problem.code, problem.place.line, problem.path) for problem in reading.problems] == [
        ("name", 2, "bad/name.name"),
        ("type", 3, "bad/name.id"),
        ("type", 4, "bad/name.env.PORT"),
        ("name", 4, "bad/name.env.x-y"),
        ("unknown-field", 4, "bad/name.env.Q.nam"),
        ("type", 6, "bad/name.ports.out"),
        ("unknown-field", 7, "bad/name.ports.error.prot"),
        ("missing", 8, "bad/name.ports.more[0]"),
        ("type", 8, "bad/name.ports.more[1].name"),
        ("shape", 10, ""),
        ("shape", 11, ""),
        ("blank", 13, "document 2.kind"),
        ("type", 15, "fine.annotations.b"),
    ]
    assert [spec.name for spec in reading.specs] == ["good"]
    assert all(problem.place.file == "f.yaml" for problem in reading.problems)
    assert 'Did you mean "port"?' in told(reading)[6]


def test_a_name_that_looks_like_a_number_is_explained() -> None:
    (problem,) = read_text("{kind: nop, name: 404}").problems
    assert 'Put it in quotes: "404"' in str(problem)


def test_a_key_that_is_written_twice_spoils_only_its_entry() -> None:
    reading = read_text(
        "- {kind: nop, name: a}\n- {kind: nop, name: b, x: 1, x: 2}\n- {kind: nop, name: c}\n"
    )
    assert [spec.name for spec in reading.specs] == ["a", "c"]
    (problem,) = reading.problems
    assert (problem.code, problem.path, problem.place.line) == ("duplicate-key", "b.x", 2)


def test_the_second_use_of_a_name_is_told_with_both_places() -> None:
    reading = read_text("- {kind: nop, name: a}\n- {kind: if, name: a}\n", file="f.yaml")
    (problem,) = reading.problems
    assert problem.code == "duplicate-name"
    assert str(problem.place) == "f.yaml:2:14"
    assert "f.yaml:1:15 has it" in problem.found
    assert [spec.kind for spec in reading.specs] == ["nop"]


def test_the_same_name_in_two_namespaces_is_fine() -> None:
    reading = read_text("- {kind: nop, name: a}\n- {kind: nop, name: a, namespace: other}\n")
    assert told(reading) == []
    assert len({spec.id for spec in reading.specs}) == 2


# --- ids ---


def test_ids_are_the_same_whenever_a_text_is_read() -> None:
    text = "- {kind: nop, name: a}\n- {kind: nop}\n- {kind: nop}\n- {kind: if}\n- {data: 1}\n"
    first, second = read_text(text, file="f.yaml"), read_text(text, file="f.yaml")
    assert [spec.id for spec in first.specs] == [spec.id for spec in second.specs]
    assert len({spec.id for spec in first.specs}) == 4
    assert first.specs[0].id == named_id("spec", "default", "a")
    assert first.values[0].id == second.values[0].id


def test_a_named_entry_does_not_move_the_ids_of_nameless_ones() -> None:
    before = read_text("- {kind: nop}\n- {kind: if}\n", key="f").specs
    after = read_text(
        "- {kind: nop, name: new}\n- {kind: nop, x: 1}\n- {kind: if}\n", key="f"
    ).specs
    assert [spec.id for spec in before] == [spec.id for spec in after[1:]]


def test_without_a_file_nameless_ids_come_from_what_is_said() -> None:
    one, two = read_text("- {kind: nop, x: 1}\n").specs, read_text("- {kind: nop, x: 2}\n").specs
    assert one[0].id != two[0].id
    assert one[0].id == read_text("# again\n- {kind: nop, x: 1}\n").specs[0].id


def test_an_explicit_id_is_kept() -> None:
    (spec,) = read_text("{kind: nop, id: 01890a5d-ac96-774b-bcce-b302099a8057}").specs
    assert str(spec.id) == "01890a5d-ac96-774b-bcce-b302099a8057"


# --- files, folders, standard input ---


def test_a_folder_is_read_with_everything_below_it(tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "a.yaml").write_text("{kind: nop, name: a}")
    (tmp_path / "deep" / "b.yml").write_text("{kind: nop, name: b}")
    (tmp_path / "deep" / "er" / "c.json").write_text('{"kind": "nop", "name": "c"}')
    for ignored in (".hidden.yaml", "a.yaml~", "a.yaml.swp", "#a.yaml", "notes.txt", ".git/d.yaml"):
        (tmp_path / ignored).parent.mkdir(exist_ok=True)
        (tmp_path / ignored).write_text("[broken")
    (tmp_path / "deep" / "circle").symlink_to(tmp_path)
    reading = read_path(tmp_path)
    assert told(reading) == []
    assert [spec.name for spec in reading.specs] == ["a", "b", "c"]


def test_a_name_in_two_files_is_told_with_both(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("{kind: nop, name: x}")
    (tmp_path / "b.yaml").write_text("\n{kind: if, name: x}")
    reading = read_path(tmp_path)
    (problem,) = reading.problems
    assert problem.place.file == str(tmp_path / "b.yaml")
    assert str(tmp_path / "a.yaml") + ":1:13" in problem.found
    assert [spec.kind for spec in reading.specs] == ["nop"]


def test_what_cannot_be_opened_is_a_problem(tmp_path: Path) -> None:
    reading = read_path(tmp_path / "nothing.yaml")
    assert [problem.code for problem in reading.problems] == ["unreadable"]
    assert not reading.whole
    (tmp_path / "binary.yaml").write_bytes(b"\xff\x00\x81")
    (problem,) = read_path(tmp_path / "binary.yaml").problems
    assert "not UTF-8" in problem.found


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(PING.encode())))
    reading = read_path("-")
    assert [spec.name for spec in reading.specs] == ["listener", "router"]
    assert str(reading.specs[0].place()) == "<stdin>:1:3"


def test_a_link_that_leads_to_itself_hides_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("{kind: nop, name: a}")
    (tmp_path / "0").symlink_to("0")
    (tmp_path / "0.yaml").symlink_to("0.yaml")
    reading = read_path(tmp_path)
    assert [spec.name for spec in reading.specs] == ["a"]
    assert [problem.code for problem in reading.problems] == ["unreadable"]


def test_a_pipe_in_a_folder_is_no_spec_file(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("{kind: nop, name: a}")
    os.mkfifo(tmp_path / "b.yaml")
    (tmp_path / "c.yaml").symlink_to("b.yaml")
    (tmp_path / "d.yaml").symlink_to("a.yaml.not")
    assert files_below(str(tmp_path)) == ["a.yaml", "d.yaml"]


# --- plain data ---


def test_data_is_read_like_text() -> None:
    reading = read_data([{"kind": "nop", "name": "a"}, {"name": "v", "data": 1}, {"x": 1}])
    assert [spec.name for spec in reading.specs] == ["a"]
    assert [value.name for value in reading.values] == ["v"]
    assert [problem.code for problem in reading.problems] == ["shape"]


def test_specs_inside_a_field_know_their_line() -> None:
    (outer,) = read_text(
        "kind: block\nname: b\nspecs:\n  - {kind: nop, name: a, id: 1}\n", file="f"
    ).specs
    assert isinstance(outer.places, SpecPlaces)
    inner = read_data(outer.fields["specs"], places=outer.places.below(("specs",)))
    assert [str(problem.place) for problem in inner.problems] == ["f:4:26"]


# --- properties ---

KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
    | st.sampled_from(AWKWARD["texts"] + AWKWARD["signs"] + AWKWARD["spaces"])
)
FIELDS = st.dictionaries(
    KEYS.filter(
        lambda key: key not in ("id", "kind", "namespace", "name", "annotations", "env", "ports")
    ),
    st.recursive(
        LEAVES,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
        max_leaves=8,
    ),
    max_size=5,
)
NAMES = st.none() | st.text(max_size=15).filter(legal_name)
ENTRIES = st.fixed_dictionaries(
    {"kind": st.sampled_from(["nop", "if", "listener"]), "name": NAMES, "fields": FIELDS}
)


@given(ENTRIES)
def test_a_spec_written_and_read_again_says_the_same(entry: dict[str, Any]) -> None:
    data = {"kind": entry["kind"], **entry["fields"]}
    if entry["name"] is not None:
        data["name"] = entry["name"]
    (spec,) = read_data(data).specs
    assert read_data(data_of(spec)).specs == (spec,)
    text = entry_text(data_of(spec))
    again = read_text(text)
    assert told(again) == []
    assert again.specs == (spec,)
    assert list(again.specs[0].fields) == list(spec.fields)


@pytest.mark.parametrize("mark", [":", "?"])
def test_key_with_mark_in_front_is_written_so_that_it_reads_back(mark: str) -> None:
    (spec,) = read_data({"kind": "nop", "0": [{f"{mark}0": None}, {"a": f"{mark}b"}]}).specs
    again = read_text(entry_text(data_of(spec)))
    assert told(again) == []
    assert [one.fields for one in again.specs] == [spec.fields]


@pytest.mark.parametrize("text", ["\x85", "a\u2028b", "\u2029", "a\x85"])
def test_text_with_old_line_break_is_written_so_that_it_reads_back(text: str) -> None:
    (spec,) = read_data({"kind": "nop", "text": text, "list": [{"a": text}]}).specs
    again = read_text(entry_text(data_of(spec)))
    assert [one.fields for one in again.specs] == [spec.fields]


def test_two_files_put_one_behind_other_are_a_problem_with_its_place() -> None:
    reading = read_text("kind: log\n%YAML 1.2\n", file="a.yaml")
    assert not reading.whole
    [problem] = [each for each in reading.problems if each.code == "syntax"]
    assert problem.place.file == "a.yaml"
    assert problem.place.line in (2, 3)


def test_a_failure_of_the_reader_is_a_problem_of_that_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> None:
        raise IndexError("list index out of range")

    monkeypatch.setattr("heddle.specs.yaml.document.parse", fail)
    [problem] = read_text("kind: log", file="a.yaml").problems
    assert str(problem) == (
        "a.yaml: cannot be read: IndexError: list index out of range. "
        "This is a defect of Heddle, please report it"
    )


@pytest.mark.parametrize("number", ["1" * 40, "-1" + "0" * 30])
def test_whole_numbers_of_any_size_are_read_without_a_name(number: str) -> None:
    [spec] = read_text(f"kind: log\nsize: {number}\n").specs
    assert spec.fields["size"] == int(number)
