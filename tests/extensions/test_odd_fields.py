"""Whatever a field says, a check has an answer: Problems in words, never an exception."""

import copy
import json
import re
from typing import Any

import pytest
from ruamel.yaml import YAML

from heddle.runtime.assembly.check import check_specs
from heddle.runtime.assembly.extension import registry
from heddle.schemas.page import describe
from heddle.specs.binding.bind import ValueSet
from heddle.specs.yaml.document import read_text

KINDS = {name: kind.schema for name, kind in sorted(registry().scheme.kinds.items())}

ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    2**63,
    10**30,
    "",
    "x",
    "a\0b",
    "{{ X }}",
    "/",
    "../x",
    "* * * * *",
    "out[99999999999]",
    "in[-1]",
    "http://",
    "http://[::1",
    "http://a:99999/",
    "ws://[x",
    "postgresql://a:b@[/x",
    "mysql://x",
    "sqlite:////nope/x",
    "Europe/Nowhere",
    "1h99",
    "-5s",
    "9999999h",
    "1e9d",
    "5XB",
    "(a+",
    "~nobody-of-that-name/x",
    [],
    [None],
    [[]],
    ["a", "a"],
    {},
    {"a": 1},
    {"": 1},
    {"language": "nope", "code": "x"},
    {"language": "javascript", "code": "("},
]


@pytest.mark.parametrize("name", KINDS)
def test_every_field_may_say_anything(name: str) -> None:
    found = registry()
    example = YAML(typ="safe").load(KINDS[name].example)
    number = next(index for index, one in enumerate(example) if one["kind"] == name)
    for row in describe(KINDS[name])["fields"]:
        for odd in ODD:
            flow = copy.deepcopy(example)
            put(flow[number], re.findall(r"[^.\[\]]+|\[\]", row["path"]), odd)
            reading = read_text(json.dumps(flow), file="flow.yaml")
            told = check_specs(reading.specs, ValueSet(reading.values), found, later=True)
            # The codec failed: it raised what it should have put into words.
            assert not [str(one) for one in told.problems if one.code == "codec"], (
                row["path"],
                odd,
            )


def put(fields: Any, path: list[str], value: Any) -> None:
    """Set a field, and what stands around it if that is not there."""
    here, *below = path
    if here == "*":
        here = "any"
    if here == "[]":
        if not below:
            fields[:] = [value]
            return
        if not fields or not isinstance(fields[0], dict):
            fields[:] = [{}]
        put(fields[0], below, value)
        return
    if not below:
        fields[here] = value
        return
    wanted: type = list if below[0] == "[]" else dict
    if not isinstance(fields.get(here), wanted):
        fields[here] = wanted()
    put(fields[here], below, value)
