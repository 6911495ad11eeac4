"""The canonical form: one way to write each thing, comments in their places, and nothing says anything else."""

import json
import random
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from heddle.schemas.errors import SpecError
from heddle.schemas.link import Link
from heddle.specs.model.entry import data_of
from heddle.specs.model.store import Resource
from heddle.specs.stores.contract_story import AWKWARD, spec, value
from heddle.specs.yaml.canonical_form import formatted
from heddle.specs.yaml.document import read_text
from heddle.specs.yaml.rewrite import Edit, rewrite

ROOT = Path(__file__).parents[3]

UNTIDY = """\
# yaml-language-server: $schema=heddle.json
# The whole file.

# The way in.
-   name: listener   # its name
    # about kind
    kind:   "listener"   # http
    ports:
        out:  # the way
        # first
        - name: router
          port: in   # eol

        - {name: other}
        # - {name: third}
    env: {PORT: {data: "{{ .PORT }}"}}   # from outside
    protocol: 'http'

    port: '{{ .PORT }}'
    # the end of listener
# about router
- {kind: router, name: router, routes: [{method: GET,   path: /a-long-way-to-the-ping-of-ours,      port: "out[0]"}], ports: {'out[0]': {name: pong}}} # beside router
- kind: snippet
  name: pong
  code: |
    hello # no comment

      world
  # before language
  language: text
- kind: snippet
  name: keep
  code: |+
    a

- kind: snippet
  name: fold
  code: >-
     folded text
     goes on

     para
  list:
  - a
  -   b
  - - c
    - d
  -
    x: 1
    y: [1,
      2, # two
      3]  # all
  m: {a: 1, # one
      b: 2}
  nulls:
  tilde: ~
  t: True
  n: 0x1F
  s: "quoted"
  q: "yes"
  dq: "tab\\tnl\\n"
  multi: "a
    b"
  plain: a
    b c
  anchored: &x {a: 1}
  again: *x
- kind: nop
- kind: nop
- data: {password: x}
  secret: true
  name: db

# the end
"""

TIDY = """\
# yaml-language-server: $schema=heddle.json
# The whole file.

# The way in.
# about kind
- kind: listener  # http
  name: listener  # its name
  protocol: http

  port: '{{ .PORT }}'
  env: {PORT: {data: '{{ .PORT }}'}}  # from outside
  ports:
    out:  # the way
      # first
      - name: router
        port: in  # eol

      - other
      # - {name: third}
  # the end of listener

# about router
# beside router
- kind: router
  name: router
  routes: [{method: GET, path: /a-long-way-to-the-ping-of-ours, port: 'out[0]'}]
  ports: {'out[0]': pong}

- kind: snippet
  name: pong
  code: |
    hello # no comment

      world
  # before language
  language: text

- kind: snippet
  name: keep
  code: |+
    a

- kind: snippet
  name: fold
  code: >-
    folded text
    goes on

    para
  list:
    - a
    - b
    - - c
      - d
    - x: 1
      y:  # all
        - 1
        - 2  # two
        - 3
  m:
    a: 1  # one
    b: 2
  nulls: null
  tilde: null
  t: true
  n: 0x1F
  s: quoted
  q: 'yes'
  dq: "tab\\tnl\\n"
  multi: a b
  plain: a b c
  anchored: &x {a: 1}
  again: *x

- kind: nop
- kind: nop

- name: db
  secret: true
  data: {password: x}

# the end
"""


def said(text: str) -> tuple[Any, ...]:
    reading = read_text(text, file="f.yaml")
    return reading.specs, reading.values, reading.problems


def test_an_untidy_file_becomes_tidy() -> None:
    assert formatted(UNTIDY, file="f.yaml") == TIDY
    assert formatted(TIDY, file="f.yaml") == TIDY


def test_the_fields_of_a_kind_stand_as_it_declares_them() -> None:
    def order(kind: str) -> Sequence[str]:
        return ["language", "code"] if kind == "snippet" else []

    text = "- ports: {}\n  code: x\n  more: 1\n  language: text\n  kind: snippet\n- {b: 1, a: 2, kind: nop}\n"
    assert formatted(text, order=order) == (
        "- kind: snippet\n  language: text\n  code: x\n  more: 1\n  ports: {}\n\n- {kind: nop, b: 1, a: 2}\n"
    )


def test_specs_inside_a_spec_are_written_like_others() -> None:
    text = "kind: block\nspecs:\n  - {name: a, kind: nop, ports: {out: {name: b}}}\n  - ports: {out: }\n    kind: nop\n"
    assert formatted(text) == (
        "kind: block\nspecs:\n  - {kind: nop, name: a, ports: {out: {name: b}}}\n"
        "  - kind: nop\n    ports: {out: null}\n"
    )


def test_documents_stay_apart() -> None:
    text = "# one\n\nname: a\nkind: nop\n...\n# end of one\n---\n# two\n- kind: nop   \n\n\n- kind: nop\n\n\n\n# last"
    assert formatted(text) == (
        "# one\n\nkind: nop\nname: a\n# end of one\n---\n# two\n- kind: nop\n\n- kind: nop\n\n# last\n"
    )


@pytest.mark.parametrize(
    ("text", "tidy"),
    [
        ("", ""),
        ("# nothing\n", "# nothing\n"),
        ("---\n", ""),
        ("[]\n", "[]\n"),
        ("\ufeffkind:   nop\r\nname: a # x\r\n", "kind: nop\nname: a  # x\n"),
        ("kind: nop\nx: |\n  a\n  b", "kind: nop\nx: |-\n  a\n  b\n"),
        ("kind: nop\nx: |2\n   a\n  b\n", "kind: nop\nx: |2\n   a\n  b\n"),
        ("kind: nop\nx: >\n\n  a\n\n    b\n", "kind: nop\nx: >\n\n  a\n\n    b\n"),
        ("kind: nop\nx: |\n\n", "kind: nop\nx: ''\n"),
        ('kind: nop\nx: "a\\u2028b"\n', 'kind: nop\nx: "a\\u2028b"\n'),
        ("kind: nop\nx: 'it''s'\n", "kind: nop\nx: 'it''s'\n"),
        ('kind: nop\nx: "Grüße 🧵"\n', "kind: nop\nx: 'Grüße 🧵'\n"),
        ("kind: nop\n'x': '12'\n", "kind: nop\nx: '12'\n"),
        ("kind: nop\nx: !!binary aGk=\n", "kind: nop\nx: !!binary aGk=\n"),
        ("kind: nop\nx: !!str 12\n", "kind: nop\nx: !!str 12\n"),
        ("{kind: nop}", "kind: nop\n"),
        ("[{kind: nop}, {kind: nop, name: a}]", "- {kind: nop}\n- {kind: nop, name: a}\n"),
        (
            "- &b\n  name: a\n  kind: nop\n- <<: *b\n  name: c\n",
            "- &b\n  kind: nop\n  name: a\n\n- <<: *b\n  name: c\n",
        ),
        (
            "kind: nop\nlong: {" + ", ".join(f"key{n}: some text" for n in range(8)) + "}\n",
            "kind: nop\nlong:\n" + "".join(f"  key{n}: some text\n" for n in range(8)),
        ),
        ("kind: nop\nx:\n  # in\n  - a\n# tail\n", "kind: nop\nx:\n  # in\n  - a\n# tail\n"),
        (
            "- # beside a dash\n  name: a\n  kind: nop\n",
            "# beside a dash\n- kind: nop\n  name: a\n",
        ),
    ],
)
def test_each_thing_has_one_form(text: str, tidy: str) -> None:
    assert formatted(text, file="f.yaml") == tidy
    assert formatted(tidy, file="f.yaml") == tidy
    assert said(tidy)[:2] == said(text)[:2]


def test_what_cannot_be_read_is_told_and_left_alone() -> None:
    with pytest.raises(SpecError) as raised:
        formatted("- kind: nop\n- king: nop\n- kind: [", file="f.yaml")
    assert all(problem.place.file == "f.yaml" for problem in raised.value.problems)
    with pytest.raises(SpecError, match="not UTF-8"):
        formatted(b"kind: \xff")


@pytest.mark.parametrize(
    ("text", "tidy"),
    [
        ("%YAML 1.2\n---\nkind:   nop\n", "%YAML 1.2\n---\nkind: nop\n"),
        (
            "# top\n\n%YAML 1.2  \n# between\n--- # beside\nkind: nop\n...\n# last\n%X y\n---\n- kind: nop\n",
            "# top\n%YAML 1.2\n---\n# between\n# beside\nkind: nop\n# last\n...\n%X y\n---\n- kind: nop\n",
        ),
        ("kind: nop\n---\nkind: nop\n...\n", "kind: nop\n---\nkind: nop\n"),
    ],
)
def test_directives_stay(text: str, tidy: str) -> None:
    assert formatted(text, file="f.yaml") == tidy
    assert formatted(tidy, file="f.yaml") == tidy


def test_an_alias_as_a_key_and_an_anchor_of_any_name_stay() -> None:
    text = "kind: nop\na: &x.y k\n*x.y : 2\nb: &an:chor word\n"
    assert formatted(text, file="f.yaml") == text
    assert said(text)[0][0].fields == {"a": "k", "k": 2, "b": "word"}


def test_json_stays_json() -> None:
    text = '{"x": 1.0, "ports": {"out": {"name": "b"}}, "big": 1E400, "name": "a", "kind": "nop", "e": []}'
    tidy = formatted(text, is_json=True)
    assert tidy == (
        '{\n  "kind": "nop",\n  "name": "a",\n  "x": 1.0,\n  "big": 1E400,\n  "e": [],\n  "ports": {\n'
        '    "out": "b"\n  }\n}\n'
    )
    assert formatted(tidy, is_json=True) == tidy
    assert said(tidy)[0] == said(text)[0]
    with pytest.raises(SpecError, match="no JSON"):
        formatted("kind: nop", is_json=True)


def test_what_is_written_for_a_new_entry_is_canonical() -> None:
    one = spec(
        "a",
        "if",
        namespace="web",
        fields={"when": "a\nb\n", "x": {"y": [1]}},
        annotations={"a": "b"},
    )
    two = value("v", {**AWKWARD, "nested": {}}, secret=True, namespace="web")
    three = spec("b", "nop", namespace="web", ports={"out": (Link("a"), Link("j", None, "in[1]"))})
    for each in (one, two, three):
        text = rewrite("", [Edit(None, each)], check=lambda _: True, namespace="default")
        assert text is not None
        assert formatted(text) == text


@pytest.mark.parametrize("path", sorted((ROOT / "examples").rglob("*.yaml")), ids=str)
def test_examples_say_the_same_and_keep_their_comments(path: Path) -> None:
    text = path.read_text()
    tidy = formatted(text, file="f.yaml")
    assert said(tidy)[:2] == said(text)[:2]
    comments = [line.strip() for line in text.splitlines() if line.strip().startswith("#")]
    assert [line.strip() for line in tidy.splitlines() if line.strip() in comments] == comments


# --- properties ---


@given(st.data())
def test_comments_and_blank_lines_may_stand_anywhere(data: Any) -> None:
    lines = data.draw(st.sampled_from([UNTIDY, TIDY])).split("\n")
    for number in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["above", "beside", "blank", "shift"])):
            case "above":
                lines.insert(at, " " * data.draw(st.integers(0, 9)) + f"# comment {number}")
            case "beside":
                lines[at] += f"  # comment {number}"
            case "blank":
                lines.insert(at, "")
            case _:
                lines[at] = " " + lines[at]
    text = "\n".join(lines)
    before = said(text)
    if before[2]:
        return
    tidy = formatted(text, file="f.yaml")
    assert said(tidy)[:2] == before[:2]
    assert formatted(tidy, file="f.yaml") == tidy


_TEXTS = st.sampled_from(
    [*AWKWARD["texts"], *AWKWARD["signs"], *AWKWARD["quotes"], *AWKWARD["spaces"]]
) | st.text(max_size=6)
_DATA: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | _TEXTS
    | st.binary(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*"ab", "out[0]", "12", "true", "k: v", "é"]), inner, max_size=3
        )
    ),
    max_leaves=10,
)


@given(st.lists(_DATA, min_size=1, max_size=3), st.integers(0, 2**32))
def test_whatever_is_said_is_said_afterwards(items: list[Any], seed: int) -> None:
    chance = random.Random(seed)
    entries: list[Resource] = [
        spec(f"n{number}", fields={"x": item})
        if chance.random() < 0.7
        else value(f"n{number}", item)
        for number, item in enumerate(items)
    ]

    def untidy(data: Any) -> Any:
        from ruamel.yaml.comments import CommentedMap, CommentedSeq
        from ruamel.yaml.scalarstring import DoubleQuotedScalarString

        if isinstance(data, dict):
            keys = list(data)
            chance.shuffle(keys)
            found: Any = CommentedMap(
                (DoubleQuotedScalarString(key), untidy(data[key])) for key in keys
            )
        elif isinstance(data, list):
            found = CommentedSeq(untidy(item) for item in data)
        else:
            return DoubleQuotedScalarString(data) if isinstance(data, str) else data
        if chance.random() < 0.4:
            found.fa.set_flow_style()
        return found

    mapping, offset = chance.choice([2, 4]), chance.choice([0, 2])
    yaml = YAML(typ="rt")
    yaml.indent(mapping=mapping, sequence=offset + 2, offset=offset)
    stream = StringIO()
    yaml.dump(untidy([data_of(each) for each in entries]), stream)
    text = stream.getvalue()
    before = said(text)
    if before[2]:
        # What ruamel.yaml writes is not always what it reads.
        return
    tidy = formatted(text, file="f.yaml")
    assert said(tidy)[:2] == before[:2]
    assert formatted(tidy, file="f.yaml") == tidy


@given(st.lists(_DATA, max_size=3))
def test_json_says_the_same_afterwards(items: list[Any]) -> None:
    def plain(data: Any) -> Any:
        if isinstance(data, dict):
            return {key: plain(item) for key, item in data.items()}
        if isinstance(data, list):
            return [plain(item) for item in data]
        return str(data) if isinstance(data, bytes | float) else data

    text = json.dumps(
        [data_of(spec(f"n{n}", fields={"x": plain(each)})) for n, each in enumerate(items)]
    )
    before = said(text)
    assert before[2] == ()
    tidy = formatted(text, file="f.json", is_json=True)
    assert said(tidy)[:2] == before[:2]
    assert formatted(tidy, file="f.json", is_json=True) == tidy


LINKS = """\
- kind: if
  name: a
  when: 'true'
  ports:
    # first
    out[0]:
      - {name: b, port: in}
    out[1]:
      - name: "12"
        port: in[1]
      - b.in
    error:
      # why
      - {name: c}
      - d  # beside
    active: {id: 01890a5d-ac96-774b-bcce-b302099a8057}
    deactive: ~
- {kind: nop, name: b, ports: {out: {name: x.in}, error: {name: z}}}
"""

SHORT_LINKS = """\
- kind: if
  name: a
  when: 'true'
  ports:
    # first
    out[0]: b
    out[1]: ['12.in[1]', b]
    error:
      # why
      - c
      - d  # beside
    active:
      - {id: 01890a5d-ac96-774b-bcce-b302099a8057, port: in}
    deactive: []

- {kind: nop, name: b, ports: {out: [{name: x.in, port: in}], error: z}}
"""


def test_links_are_short_if_that_says_the_same() -> None:
    assert formatted(LINKS) == SHORT_LINKS
    long = formatted(LINKS, links="long")
    assert "- {name: b, port: in}" in long
    assert "{name: d, port: in}  # beside" in long
    assert formatted(long) == SHORT_LINKS
    assert formatted(SHORT_LINKS, links="keep") == SHORT_LINKS
    assert formatted(long, links="keep") == long


def test_the_links_of_json_are_short_too() -> None:
    text = (
        '[{"kind": "nop", "ports": {"out": [{"name": "b"}], "error": ["c.in", {"name": "d.in"}]}}]'
    )
    tidy = formatted(text, is_json=True)
    assert json.loads(tidy)[0]["ports"] == {
        "out": "b",
        "error": ["c", {"name": "d.in", "port": "in"}],
    }
    assert json.loads(formatted(text, is_json=True, links="long"))[0]["ports"]["error"] == [
        {"name": "c", "port": "in"},
        {"name": "d.in", "port": "in"},
    ]


def test_braces_that_open_bring_no_blank_lines() -> None:
    long = "x" * 60
    text = f"- {{kind: nop, name: first}}\n\n- {{kind: text, name: second, code: {long}, more: [{long}]}}\n"
    assert formatted(text) == (
        "- {kind: nop, name: first}\n\n"
        f"- kind: text\n  name: second\n  code: {long}\n  more: [{long}]\n"
    )
