"""Lazy maps are read out before code in C looks into them."""

import json
from typing import Any

import msgspec
import pytest

from heddle.runtime.flow.materialize import encode_with, plain


class Lazy(dict[Any, Any]):
    """A map that knows its items only when they are asked for, as a request does."""

    def __init__(self) -> None:
        super().__init__({object(): None})

    def items(self) -> Any:
        return {"a": 1}.items()


def test_lazy_maps_become_ordinary_ones_however_deep() -> None:
    found = plain({"x": [Lazy(), (Lazy(),)], "y": "text"})
    assert found == {"x": [{"a": 1}, [{"a": 1}]], "y": "text"}
    assert type(found["x"][0]) is dict


def test_an_encoder_gets_what_it_can_read() -> None:
    assert json.loads(encode_with(msgspec.json.encode, {"x": Lazy()})) == {"x": {"a": 1}}
    assert encode_with(msgspec.json.encode, [1, "2"]) == b'[1,"2"]'


def test_what_no_encoder_knows_is_still_rejected() -> None:
    with pytest.raises(TypeError):
        encode_with(msgspec.json.encode, {"x": object()})
