"""Odd YAML as the value of a field: a scalar in it changes, and every line around it stays."""

import random
from collections.abc import Iterator

import pytest

from heddle.specs.yaml.canonical_form import formatted
from heddle.specs.yaml.document import read_text
from tests.conformance.data import needed
from tests.conformance.test_yaml import ALL, Case
from tests.specs.yaml.test_round_trip import another, leaves, plain_text, rewritten

AROUND = "# top\n- kind: nop   # beside\n  name: a\n  # above\n  data:\n{}  # below\n  z: [1,2]\n\n# next\n- kind: nop\n  name: b\n"


def texts() -> Iterator[tuple[str, str]]:
    """Return the texts of the suite that can stand below a key of a Spec."""
    for case in ALL:
        if case.documents is None or not _is_inner(case):
            continue
        lines = case.text.removesuffix("\n").split("\n")
        body = "".join(f"    {line}\n" if line.strip() else f"{line}\n" for line in lines)
        text = AROUND.format(body)
        reading = read_text(text, file="f.yaml")
        if not reading.problems and len(reading.specs) == 2:
            yield case.name, text


def _is_inner(case: Case) -> bool:
    lines = case.text.split("\n")
    return bool(case.text.strip()) and not any(
        line.startswith(("---", "...", "%", "\ufeff")) for line in lines
    )


TEXTS = list(texts())


@pytest.mark.parametrize(("name", "text"), TEXTS, ids=[name for name, _ in TEXTS])
def test_an_odd_value_changes_alone(name: str, text: str) -> None:
    above, below = AROUND.split("{}")
    chance = random.Random(name)
    known = [leaf for leaf in leaves(text) if leaf.path[0] == "data"]
    for _ in range(6 if known else 0):
        leaf = chance.choice(known)
        result = plain_text(rewritten(text, leaf, another(chance, leaf.value), is_json=False))
        assert result.startswith(above.removesuffix("\n"))
        assert result.endswith(below)
        start = plain_text(text)[: leaf.node.head].rstrip()
        kept = start if leaf.node.head < leaf.node.end else start.rpartition("\n")[0]
        assert result.startswith(kept), (leaf.path, result)


@pytest.mark.parametrize(("name", "text"), TEXTS, ids=[name for name, _ in TEXTS])
def test_an_odd_value_has_a_canonical_form(name: str, text: str) -> None:
    if name == "58MP/0":
        pytest.skip("`{x: :x}` can only be read when it begins a line")
    tidy = formatted(text, file="f.yaml")
    assert formatted(tidy, file="f.yaml") == tidy


def test_the_suite_gives_many_texts() -> None:
    needed("yaml-test-suite")
    assert len(TEXTS) > 120
