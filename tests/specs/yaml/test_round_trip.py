"""One scalar is changed in a text of any style, and nothing but this scalar is another afterwards.

`HEDDLE_FUZZ=10000` says how many edits are tried; without it there are some hundred.
"""

import os
import random
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from heddle.specs.merge.text_merge import merge_texts
from heddle.specs.model.index import key_of
from heddle.specs.model.spec import Spec
from heddle.specs.model.store import Resource
from heddle.specs.yaml.canonical_form import formatted
from heddle.specs.yaml.diagnose import plain_data
from heddle.specs.yaml.document import read_text
from heddle.specs.yaml.fast import SpecPlaces
from heddle.specs.yaml.rewrite import Edit, rewrite
from heddle.specs.yaml.tree import Tree, TreeStream, nodes
from heddle.specs.yaml.tree_reader import read_tree
from tests.specs.merge.test_text_merge import sides
from tests.specs.yaml.styles import JSON, YAML

EDITS = int(os.environ.get("HEDDLE_FUZZ", "400"))
STYLES = [
    *((name, text, False) for name, text in YAML.items()),
    *((n, t, True) for n, t in JSON.items()),
]
IDS = [f"{'json' if is_json else 'yaml'} {name}" for name, _, is_json in STYLES]
AWKWARD: list[Any] = [
    *(
        "",
        " ",
        "yes",
        "null",
        "12",
        "1.5",
        "0x1f",
        "a: b",
        "a #b",
        "#a",
        "- a",
        "-a",
        "--- a",
        "a:",
    ),
    *(
        "{a",
        "[",
        "a, b",
        "it's",
        'say "x"',
        "a\\b",
        "a\nb",
        "a\nb\n",
        "\na",
        " a\nb",
        "a\tb",
        "é🧵",
    ),
    *(
        "\u2028",
        "*a",
        "&a",
        "!a",
        "|",
        ">",
        "%a",
        "@a",
        "`a",
        "?",
        "? a",
        ":",
        "<<",
        "a ",
        "~",
        "x" * 200,
    ),
    *(0, -1, 1.5, 1e100, float("inf"), True, False, None),
]


class Leaf(msgspec.Struct):
    """One scalar of a text that belongs to one entry alone, and the way to it."""

    node: Tree
    old: Resource
    path: tuple[Any, ...]

    @property
    def value(self) -> Any:
        """What it says."""
        return plain_data(self.node)


def plain_text(text: str) -> str:
    """Return the text with the line ends and without the mark that the tree does not see."""
    text = text.removeprefix("\ufeff")
    for breaks in ("\r\n", "\r"):
        if breaks in text and "\n" not in text.replace(breaks, ""):
            return text.replace(breaks, "\n")
    return text


def entries_of(text: str) -> list[Resource]:
    reading = read_text(text, file="f.yaml")
    assert not reading.problems, reading.problems[0]
    return [*reading.specs, *reading.values]


def leaves(text: str) -> list[Leaf]:
    """Return every scalar of a text that can be changed without changing another entry."""
    stream = read_tree(plain_text(text))
    shared = {id(each) for tree in shared_nodes(stream) for each in nodes(tree)}
    found: list[Leaf] = []
    for entry in entries_of(text):
        assert isinstance(entry.places, SpecPlaces)
        root = entry.places.root
        tree = stream.documents[int(root[0])].root
        assert tree is not None
        tree = tree.entries[int(root[1])].value if len(root) > 1 else tree
        top = ("data",) if not isinstance(entry, Spec) else tuple(entry.fields)
        found += [
            Leaf(node, entry, path)
            for node, path in walk(tree, ())
            if id(node) not in shared and path[0] in top
        ]
    return found


def shared_nodes(stream: TreeStream) -> Iterator[Tree]:
    """Yield the nodes that an alias leads to."""
    for document in stream.documents:
        for node in nodes(document.root) if document.root is not None else ():
            if node.target is not None:
                yield node.target


def walk(tree: Tree, path: tuple[Any, ...]) -> Iterator[tuple[Tree, tuple[Any, ...]]]:
    if tree.sort in ("scalar", "alias"):
        yield tree, path
    for number, entry in enumerate(tree.entries):
        step = number if entry.key is None else entry.key.text
        if step != "<<":
            yield from walk(entry.value, (*path, step))


def with_value(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    if isinstance(data, list):
        return [
            with_value(each, path[1:], value) if at == path[0] else each
            for at, each in enumerate(data)
        ]
    return {
        key: with_value(each, path[1:], value) if key == path[0] else each
        for key, each in data.items()
    }


def changed(leaf: Leaf, value: Any) -> Resource:
    if isinstance(leaf.old, Spec):
        fields = with_value(dict(leaf.old.fields), leaf.path, value)
        return msgspec.structs.replace(leaf.old, fields=fields)
    return msgspec.structs.replace(leaf.old, data=with_value(leaf.old.data, leaf.path[1:], value))


def rewritten(text: str, leaf: Leaf, value: Any, is_json: bool) -> str:
    """Return the text after the leaf was changed in the way of `apply` and of the API."""
    new = changed(leaf, value)
    wanted = {key_of(each): each for each in entries_of(text)} | {key_of(new): new}

    def says_so(candidate: str) -> bool:
        reading = read_text(candidate, file="f.yaml")
        said = {key_of(each): each for each in (*reading.specs, *reading.values)}
        return not reading.problems and said == wanted

    edit = Edit(leaf.old, new)
    result = rewrite(text, [edit], check=says_so, namespace="default", is_json=is_json)
    assert result is not None, (leaf.path, value)
    return result


def another(chance: random.Random, value: Any) -> Any:
    """Another value of the same type and length, with nothing special in it."""
    found = value
    while found == value and type(found) is type(value):
        found = similar(chance, value)
    return found


def similar(chance: random.Random, value: Any) -> Any:
    """Return a value of the same type and length, maybe the same one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return int("".join(chance.choice("123456789") for _ in str(abs(value))))
    if isinstance(value, str) and value.strip():
        words = value.split(" ")
        at = chance.choice([at for at, word in enumerate(words) if word.isalpha()] or [-1])
        if at >= 0:
            words[at] = "".join(chance.choice("bcdfgh") for _ in words[at])
            return " ".join(words)
    return chance.choice(["word", 7, "two words"])


def foreign_lines(before: str, after: str, node: Tree) -> list[str]:
    """Return the lines outside of a node that are not what they were."""
    old, new = before.splitlines(), after.splitlines()
    first = before.count("\n", 0, node.head)
    below = len(old) - 1 - before.count("\n", 0, max(node.end, node.head))
    left = [line for line, other in zip(old[:first], new[:first], strict=False) if line != other]
    right = old[len(old) - below :], new[len(new) - below :] if below else []
    return left + [line for line, other in zip(*right, strict=False) if line != other]


def share() -> int:
    """Return how many edits each style gets."""
    return max(EDITS // (len(STYLES) * 4), 2)


@pytest.mark.parametrize(("name", "text", "is_json"), STYLES, ids=IDS)
def test_a_changed_scalar_changes_its_own_characters(name: str, text: str, is_json: bool) -> None:
    chance = random.Random(f"own {name} {EDITS}")
    known = leaves(text)
    plain = plain_text(text)
    for _ in range(share() * 2):
        leaf = chance.choice(known)
        value = another(chance, leaf.value)
        result = plain_text(rewritten(text, leaf, value, is_json))
        node = leaf.node
        assert result.startswith(plain[: node.head].rstrip()), (leaf.path, value, result)
        assert result.endswith(plain[node.end :]), (leaf.path, value, result)


@pytest.mark.parametrize(("name", "text", "is_json"), STYLES, ids=IDS)
def test_whatever_a_scalar_becomes_no_foreign_line_changes(
    name: str, text: str, is_json: bool
) -> None:
    chance = random.Random(f"foreign {name} {EDITS}")
    known = leaves(text)
    values = [*AWKWARD, {"a": 1}, {"a": {"b": [1, "c"]}}, [1, {"x": "y"}], [], {}]
    for _ in range(share()):
        leaf, value = chance.choice(known), chance.choice(values)
        same = value == leaf.value and type(value) is type(leaf.value)
        if same or (is_json and value == float("inf")):
            continue
        result = rewritten(text, leaf, value, is_json)
        assert foreign_lines(plain_text(text), plain_text(result), leaf.node) == [], (
            leaf.path,
            value,
        )


@pytest.mark.parametrize(("name", "text", "is_json"), STYLES, ids=IDS)
def test_the_form_of_a_changed_text_differs_in_its_line(
    name: str, text: str, is_json: bool
) -> None:
    chance = random.Random(f"form {name} {EDITS}")
    tidy = formatted(text, file="f.yaml", is_json=is_json)
    assert formatted(tidy, file="f.yaml", is_json=is_json) == tidy
    known = [
        each
        for each in leaves(text)
        if each.node.sort == "scalar" and each.node.style not in ("|", ">")
    ]
    for _ in range(share()):
        leaf = chance.choice(known)
        value = another(chance, leaf.value)
        result = formatted(rewritten(text, leaf, value, is_json), file="f.yaml", is_json=is_json)
        assert formatted(result, file="f.yaml", is_json=is_json) == result
        old, new = tidy.splitlines(), result.splitlines()
        assert len(old) == len(new), (leaf.path, value)
        assert sum(one != other for one, other in zip(old, new, strict=True)) <= 1, (
            leaf.path,
            value,
        )


@pytest.mark.parametrize(("name", "text", "is_json"), STYLES, ids=IDS)
def test_two_changed_scalars_merge_into_both(name: str, text: str, is_json: bool) -> None:
    chance = random.Random(f"merge {name} {EDITS}")
    known = leaves(text)
    for _ in range(share()):
        one, other = chance.sample(known, 2)
        if one.node.sort == "alias" or other.node.sort == "alias":
            continue
        if one.path[0] == other.path[0] and one.old.id == other.old.id:
            # Two changes of one field may be in dispute.
            continue
        mine = rewritten(text, one, value := another(chance, one.value), is_json)
        theirs = rewritten(text, other, another(chance, other.value), is_json)
        file = "f.json" if is_json else "f.yaml"
        merged = merge_texts(text, mine, theirs, file=file)
        assert merged.clean, (one.path, other.path)
        again = next(
            each
            for each in leaves(theirs)
            if each.path == one.path and each.old.places.root == one.old.places.root  # pyright: ignore[reportFunctionMemberAccess, reportOptionalMemberAccess] - checked by the test that comes before
        )
        assert merged.text == rewritten(theirs, again, value, is_json), (one.path, other.path)


@pytest.mark.parametrize(("name", "text", "is_json"), STYLES, ids=IDS)
def test_a_tree_holds_every_character_of_its_text(name: str, text: str, is_json: bool) -> None:
    del name, is_json
    plain = plain_text(text)
    stream = read_tree(plain)
    at = 0
    parts: list[str] = []
    for document in stream.documents:
        for node in nodes(document.root) if document.root is not None else ():
            assert node.head <= node.start <= node.end
            if node.sort in ("scalar", "alias"):
                assert at <= node.start
                parts += (plain[at : node.start], plain[node.start : node.end])
                at = node.end
    assert "".join((*parts, plain[at:])) == plain


@pytest.mark.parametrize(("name", "text", "is_json"), STYLES, ids=IDS)
def test_either_side_of_a_conflict_is_that_side(name: str, text: str, is_json: bool) -> None:
    text = plain_text(text)
    text = text if text.endswith("\n") else f"{text}\n"
    chance = random.Random(f"conflict {name} {EDITS}")
    known = leaves(text)
    file = "f.json" if is_json else "f.yaml"
    for _ in range(share()):
        leaf = chance.choice(known)
        one, other = another(chance, leaf.value), another(chance, leaf.value)
        if one == other:
            continue
        mine, theirs = (rewritten(text, leaf, value, is_json) for value in (one, other))
        merged = merge_texts(text, mine, theirs, file=file)
        if merged.clean or merged.by_lines:
            # Texts are merged by their lines; JSON cannot write what it reads as infinite.
            assert "\n" in str(leaf.value) or "1E400" in text or not merged.conflicts
            continue
        base, ours, others = sides(merged.text)
        assert ours == mine
        assert [entries_of(each) for each in (base, others)] == [
            entries_of(each) for each in (text, theirs)
        ]
