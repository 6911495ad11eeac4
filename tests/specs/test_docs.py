"""What docs/specs.md shows is what is read."""

import re
from pathlib import Path

import pytest

from heddle.specs.binding.bind import bind
from heddle.specs.yaml.document import read_text

PAGE = (Path(__file__).parents[2] / "docs" / "specs.md").read_text()
BLOCKS = re.findall(r"```yaml(?: fragment)?\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", BLOCKS)
def test_every_example_is_read_without_a_problem(text: str) -> None:
    reading = read_text(text)
    assert reading.problems == ()
    assert reading.specs or reading.values


def test_the_examples_of_blanks_are_filled() -> None:
    values = read_text(
        "- {name: token, data: abc}\n- {name: database, secret: true, data: {url: 'pg://x'}}"
    ).values
    spec = next(spec for text in BLOCKS for spec in read_text(text).specs if spec.name == "users")
    bound = bind(spec, values, {"PORT": 8000})
    assert bound.problems == ()
    assert dict(bound.spec.fields) == {"source": "pg://x", "connections": 8}


def test_the_table_of_expressions_is_true() -> None:
    rows = re.findall(r"^\| `(.*?)` \| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)
    shown = [row for row in rows if "{{" in row[0]]
    assert len(shown) == 4
    for written, with_port, without in shown:
        blank = written.replace("\\|", "|")
        spec = read_text(f"{{kind: x, f: '{blank}', env: {{PORT: {{data: 8000}}}}}}").specs[0]
        assert str(bind(spec).spec.fields["f"]) == with_port.strip("`")
        none = read_text(f"{{kind: x, f: '{blank}', env: {{OTHER: {{data: 1}}}}}}").specs[0]
        bound = bind(none)
        told = "a Problem" if bound.problems else str(bound.spec.fields["f"])
        assert told == without
