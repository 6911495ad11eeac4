"""What a Spec mentions is found again by whoever asks for one of those texts."""

from heddle.schemas.link import Link
from heddle.schemas.pieces import at_once
from heddle.specs.model.index import ResourceIndex
from heddle.specs.model.mentions import BLANK, mentions_of, needs_of
from heddle.specs.model.spec import Spec
from heddle.specs.stores.contract_story import spec
from heddle.specs.yaml.document import read_text

TEXT = """\
- kind: block
  name: outer
  env: {A: {name: value}, B: {data: '{{ .X }} and text'}}
  uses: definition
  specs:
    - {kind: call, name: inner, target: price, env: {C: {id: 01890a5d-ac96-774b-bcce-b302099a8057}}}
  ports: {out: [{name: end/inside, port: in}]}
"""


def read(text: str) -> Spec:
    """Return the one Spec of a text."""
    (found,) = read_text(text).specs
    return found


def names(index: ResourceIndex, *words: str) -> list[str]:
    """Return who mentions one of these, by name."""
    return sorted(str(each.name) for each in at_once(index.mentioning("default", words)))


def test_links_values_definitions_and_targets_among_fields_are_mentions() -> None:
    found = mentions_of(read(TEXT))
    wanted = {"value", "definition", "price", "end/inside", "end"}
    assert wanted | {"01890a5d-ac96-774b-bcce-b302099a8057"} <= found


def test_a_spec_with_blanks_mentions_what_nobody_knows_yet() -> None:
    assert BLANK + "call" in mentions_of(read("{kind: call, name: c, target: '{{ X }}'}"))
    assert BLANK + "call" not in mentions_of(read("{kind: call, name: c, target: x}"))


def test_needs_are_values_and_definitions_at_any_depth() -> None:
    assert needs_of(read(TEXT)) == {
        "value",
        "definition",
        "01890a5d-ac96-774b-bcce-b302099a8057",
    }


def test_the_index_follows_what_is_put_and_dropped() -> None:
    index = ResourceIndex()
    first, second = (
        spec("first", ports={"out": (Link(name="end"),)}),
        spec("second", ports={"out": (Link(name="end"),)}),
    )
    index.put(first)
    assert names(index, "end") == ["first"]
    index.put(second)
    assert names(index, "end") == ["first", "second"]
    index.put(spec("first", ports={"out": (Link(name="other"),)}))
    assert names(index, "end") == ["second"]
    assert names(index, "end", "other") == ["first", "second"]
    index.drop((Spec, second.id))
    assert names(index, "end") == []


def test_what_changes_while_the_index_is_made_is_not_lost() -> None:
    index = ResourceIndex()
    for number in range(10):
        index.put(spec(f"n{number}", ports={"out": (Link(name="end"),)}))
    making = index.mentioning("default", ["end"])
    next(making)
    index.drop((Spec, spec("n3").id))
    index.put(spec("n4", ports={"out": (Link(name="elsewhere"),)}))
    index.put(spec("n10", ports={"out": (Link(name="end"),)}))
    found: list[Spec] = []
    while True:
        try:
            next(making)
        except StopIteration as done:
            found = done.value
            break
    assert {each.name for each in found} == {f"n{n}" for n in (0, 1, 2, 5, 6, 7, 8, 9, 10)}
