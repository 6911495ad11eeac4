"""Three texts become one by what they say; comments stay, and only what is in dispute stands between markers."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.specs.merge.comparison import Sheet, compared, content
from heddle.specs.merge.text_merge import Labels, TextMergeResult, merge_texts
from heddle.specs.yaml.document import read_text

BASE = """\
# The flow.

- kind: router   # who gets what
  name: router
  routes:
    - {method: GET, path: /ping, port: 'out[0]'}
  ports:
    out[0]:
      - {name: pong, port: in}

# The answer.
- kind: snippet
  name: pong
  language: text
  code: pong
  timeout: 1s
- kind: nop
"""


def merged(ours: str, theirs: str, base: str = BASE, **more: Any) -> TextMergeResult:
    return merge_texts(base, ours, theirs, file=more.pop("file", "flow.yaml"), **more)


def clean(ours: str, theirs: str, base: str = BASE) -> str:
    result = merged(ours, theirs, base)
    assert result.clean, result.text
    assert not result.by_lines
    return result.text


def changed(*pairs: tuple[str, str], text: str = BASE) -> str:
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


def sides(text: str) -> tuple[str, str, str]:
    """Return the text with each of its conflicts settled as base, as ours, as theirs."""
    pattern = re.compile(
        r"^<{7} ours\n(.*?)^\|{7} base\n(.*?)^={7}\n(.*?)^>{7} theirs\n", re.MULTILINE | re.DOTALL
    )
    return pattern.sub(r"\2", text), pattern.sub(r"\1", text), pattern.sub(r"\3", text)


def says(text: str) -> list[Any]:
    return sorted(map(repr, map(content, Sheet.read(text).sound().resources)))


# --- what merges ---


def test_two_may_add_links_to_one_port_each_with_a_comment() -> None:
    link = "      - {name: pong, port: in}\n"
    text = clean(
        changed((link, f"{link}      - {{name: a, port: in}}   # ours\n")),
        changed((link, f"{link}      - {{name: b, port: in}}   # theirs\n")),
    )
    assert text == changed(
        (
            link,
            f"{link}      - {{name: a, port: in}}   # ours\n      - {{name: b, port: in}}   # theirs\n",
        )
    )


def test_two_may_change_neighbouring_fields_of_one_node() -> None:
    text = clean(changed(("code: pong", "code: hello")), changed(("timeout: 1s", "timeout: 2s")))
    assert text == changed(("code: pong", "code: hello"), ("timeout: 1s", "timeout: 2s"))


def test_two_may_change_one_line_at_two_places() -> None:
    base = "- {kind: nop, name: a, x: 1, y: 1}   # kept\n"
    assert clean(base.replace("x: 1", "x: 2"), base.replace("y: 1", "y: 2"), base) == (
        "- {kind: nop, name: a, x: 2, y: 2}   # kept\n"
    )


def test_what_both_add_at_the_end_comes_with_its_comments() -> None:
    ours, theirs = "# mine\n- kind: nop\n  name: mine\n", "# yours\n- kind: nop\n  name: yours\n"
    assert clean(BASE + ours, BASE + theirs) == BASE + ours + theirs


def test_another_style_of_one_side_does_not_hinder_the_other() -> None:
    ours = """\
kind: router
name: router
routes: [{path: "/ping", method: GET, port: "out[0]"}]   # mine
ports: {"out[0]": {name: pong}}
---
{kind: snippet, name: pong, language: text, code: pong, timeout: 1s}
---
kind: nop
"""
    text = clean(ours, changed(("code: pong", "code: hello")))
    assert text == ours.replace("code: pong", "code: hello")


def test_nodes_without_names_are_told_apart_by_what_they_say() -> None:
    base = "- kind: nop\n  x: 1\n- kind: nop\n  x: 2\n"
    ours = "- kind: nop\n  x: 0\n" + base
    theirs = base.replace("x: 2", "x: 3") + "- kind: nop\n  x: 4\n"
    assert says(clean(ours, theirs, base)) == says(
        "".join(f"- kind: nop\n  x: {n}\n" for n in (0, 1, 3, 4))
    )
    assert "id:" not in clean(ours, theirs, base)
    assert (
        clean("- kind: nop\n  x: 2\n", base + "- kind: if\n", base)
        == "- kind: nop\n  x: 2\n- kind: if\n"
    )


def test_the_same_node_without_a_name_added_twice_is_there_once() -> None:
    added = BASE + "- kind: if\n"
    assert clean(added, added.replace("# The flow.", "# A flow.")) == added.replace(
        "# The flow.", "# A flow."
    )


def test_line_ends_and_the_mark_of_ours_stay() -> None:
    ours = "\ufeff" + changed(("1s", "2s")).replace("\n", "\r\n")
    text = clean(ours, changed(("code: pong", "code: hello")))
    assert text == ours.replace("code: pong", "code: hello")


def test_json_stays_json() -> None:
    base = '[\n  {\n    "kind": "nop",\n    "name": "a",\n    "x": 1\n  }\n]\n'
    result = merged(
        base.replace("1", "2"), base.replace('"x": 1', '"x": 1,\n    "y": 1'), base, file="f.json"
    )
    assert result == TextMergeResult(text=base.replace('"x": 1', '"x": 2,\n    "y": 1'), clean=True)


# --- what does not ---


def test_a_conflict_stands_at_its_field_and_nowhere_else() -> None:
    result = merged(
        changed(("code: pong", "code: hello"), ("# The flow", "# Our flow")),
        changed(("code: pong", "code: hi"), ("1s", "2s")),
    )
    assert not result.clean
    assert [(each.at, each.place.line) for each in result.conflicts] == [("pong.code", 15)]
    assert result.text == changed(
        ("# The flow", "# Our flow"),
        ("1s", "2s"),
        (
            "  code: pong\n",
            (
                "<<<<<<< ours\n  code: hello\n||||||| base\n  code: pong\n=======\n"
                "  code: hi\n>>>>>>> theirs\n"
            ),
        ),
    )


def test_markers_have_the_names_and_the_length_that_are_asked_for() -> None:
    labels = Labels(base="then", ours="HEAD", theirs="feature", size=9)
    text = merged(changed(("1s", "2s")), changed(("1s", "3s")), labels=labels).text
    assert "<<<<<<<<< HEAD\n  timeout: 2s\n||||||||| then\n  timeout: 1s\n=========\n" in text
    assert ">>>>>>>>> feature\n" in text


def test_node_that_one_removes_and_other_changes_is_in_dispute_as_whole() -> None:
    pong = BASE[BASE.index("# The answer.") : BASE.index("- kind: nop")]
    result = merged(changed((pong, "")), changed(("code: pong", "code: hi")))
    assert [str(each) for each in result.conflicts] == [
        "flow.yaml:12:3 pong: ours removes it, theirs changes it"
    ]
    base, ours, theirs = sides(result.text)
    assert says(ours) == says(changed((pong, "")))
    assert says(theirs) == says(changed(("code: pong", "code: hi")))
    assert says(base) == says(BASE)


def test_a_file_with_markers_never_goes_live() -> None:
    text = merged(changed(("1s", "2s")), changed(("1s", "3s"))).text
    reading = read_text(text, file="flow.yaml")
    (problem,) = reading.problems
    assert (problem.place.line, problem.code) == (16, "syntax")
    assert "conflict marker" in problem.found
    assert not reading.whole


@pytest.mark.parametrize(
    ("ours", "theirs", "left"),
    [
        ("a\nB\nc\nd\n[", "a\nb\nc\nD\n[", "a\nB\nc\nD\n["),
        (
            "services:\n  a: 1\n  b: 1\n  c: 1\n",
            "services:\n  a: 1\n  b: 1\n  c: 1\n",
            "services:\n  a: 1\n  b: 1\n  c: 1\n",
        ),
    ],
)
def test_what_is_no_spec_is_merged_line_by_line(ours: str, theirs: str, left: str) -> None:
    result = merged(ours, theirs, "a\nb\nc\nd\n[")
    assert (result.text, result.clean) == (left, True)
    assert "flow.yaml:" in result.by_lines


def test_a_conflict_of_lines_has_markers_too() -> None:
    result = merged("[a\nx\n", "[a\ny\n", "[a\nb\n")
    assert not result.clean
    assert result.conflicts == ()
    assert sides(result.text) == ("[a\nb\n", "[a\nx\n", "[a\ny\n")


# --- laws ---

_NAMES = st.sampled_from(["a", "b", "c", None])
_ENTRY = st.builds(
    lambda name, kind, fields, targets, comment: (name, kind, fields, targets, comment),
    _NAMES,
    st.sampled_from(["nop", "if"]),
    st.dictionaries(
        st.sampled_from("xyz"), st.sampled_from(["1", "true", "text", "[1, 2]"]), max_size=3
    ),
    st.lists(st.sampled_from("abc"), max_size=2, unique=True),
    st.booleans(),
)


def _unique(entries: list[Any]) -> list[Any]:
    names: set[str] = set()
    return [
        each for each in entries if each[0] is None or not (each[0] in names or names.add(each[0]))
    ]


def _text(entries: list[Any]) -> str:
    lines: list[str] = []
    for name, kind, fields, targets, comment in _unique(entries):
        lines += [f"# about {name}"] if comment else []
        lines.append(f"- kind: {kind}")
        lines += [f"  name: {name}"] if name else []
        lines += [f"  {key}: {data}" for key, data in fields.items()]
        lines += ["  ports:", "    out:"] if targets else []
        lines += [f"      - {{name: {target}}}" for target in targets]
    return "".join(f"{line}\n" for line in lines)


TEXTS = st.lists(_ENTRY, max_size=4).map(_text)


@given(TEXTS, TEXTS)
def test_what_one_side_alone_did_is_done(base: str, other: str) -> None:
    assert says(clean(base, other, base)) == says(other)
    assert clean(other, base, base) == other
    assert clean(other, other, base) == other


@given(TEXTS, TEXTS, TEXTS)
def test_conflicts_can_be_settled_either_way(base: str, ours: str, theirs: str) -> None:
    result = merged(ours, theirs, base)
    assert result.clean == (result.conflicts == () and not result.by_lines) or result.by_lines
    assert not result.by_lines
    for text in sides(result.text):
        # Each way to settle everything gives a file that can be read.
        assert Sheet.read(text).problems == ()
    if result.clean:
        other = merged(theirs, ours, base)
        assert other.clean
        assert says_unordered(other.text) == says_unordered(result.text)


def says_unordered(text: str) -> list[Any]:
    """Return what a text says, whatever the order of links that both sides added."""

    def entry(each: Any) -> str:
        data = content(each)
        ports = {port: sorted(map(repr, links)) for port, links in data.pop("ports", {}).items()}
        return repr((sorted(data.items(), key=str), sorted(ports.items())))

    return sorted(map(entry, Sheet.read(text).sound().resources))


@given(TEXTS)
def test_a_text_does_not_differ_from_itself(text: str) -> None:
    assert compared([Sheet.read(text)], [Sheet.read(text, file="other.yaml")]) == []
