"""Sealing: what only a key opens, and only for the Value that it was sealed for."""

import base64
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.specs.model.sealed_text import sealed_by
from heddle.specs.secrets.seal import KEY_PREFIX, decode, encode, key_of, new_key, seal, unseal
from heddle.specs.stores.contract_story import AWKWARD, value

KEY = new_key()
DB = value("database", None)

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
)
plain = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text() | st.sampled_from(["$bytes", "$mapping"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(plain)
def test_any_plain_data_comes_back_as_it_was_to_the_type(data: Any) -> None:
    back = decode(encode(data))
    assert back == data
    assert repr(back) == repr(data)


def test_what_is_awkward_is_sealed_and_opened() -> None:
    data = {**AWKWARD, "huge": 1 << 200, "bytes": b"\x00\xff", "endless": math.inf}
    assert unseal(seal(data, KEY, DB), KEY, DB) == data
    assert math.isnan(unseal(seal(math.nan, KEY, DB), KEY, DB))


def test_sealed_text_says_nothing_of_its_data_and_is_another_each_time() -> None:
    one, two = seal("hunter2", KEY, DB), seal("hunter2", KEY, DB)
    assert one != two
    assert "hunter2" not in one
    assert sealed_by(one) == sealed_by(two) == KEY.id
    assert len(one) == len(seal("a much longer secret", KEY, DB))


@pytest.mark.parametrize(
    "other",
    [
        value("databasE", None),
        value(None, None),
        value("database", None, namespace="shop"),
    ],
    ids=["name", "no name", "namespace"],
)
def test_a_sealed_text_cannot_be_moved_to_another_value(other: Any) -> None:
    text = seal("hunter2", KEY, DB)
    with pytest.raises(ValueError, match="not sealed for this Value"):
        unseal(text, KEY, other)


def test_a_value_without_a_name_is_told_by_its_id() -> None:
    one, two = value(None, None), value(None, None)
    text = seal("hunter2", KEY, one)
    assert unseal(text, KEY, one) == "hunter2"
    with pytest.raises(ValueError, match="not sealed for this Value"):
        unseal(text, KEY, two)


def test_a_changed_text_or_another_key_does_not_open() -> None:
    text = seal("hunter2", KEY, DB)
    body = base64.urlsafe_b64decode(text.rpartition(":")[2] + "==")
    for at in (0, 20, len(body) - 1):
        changed = bytes(byte ^ (number == at) for number, byte in enumerate(body))
        forged = f"heddle:v1:{KEY.id}:{base64.urlsafe_b64encode(changed).decode().rstrip('=')}"
        with pytest.raises(ValueError, match="not sealed"):
            unseal(forged, KEY, DB)
    with pytest.raises(ValueError, match="not sealed"):
        unseal(text, new_key(), DB)


def test_a_key_is_written_and_read_and_keeps_to_itself() -> None:
    assert key_of(f" {KEY.text}\n") == KEY
    assert KEY.text.startswith(KEY_PREFIX)
    assert KEY.text not in f"{KEY!r} {KEY} {[KEY]}"
    assert KEY.id not in KEY.text


def test_what_is_no_key_is_not_repeated() -> None:
    for text in ("", "hunter2", KEY_PREFIX, KEY.text[:-2], KEY.text + "aaaa"):
        with pytest.raises(ValueError, match="not a key") as caught:
            key_of(text)
        assert text in ("", KEY_PREFIX) or text not in str(caught.value)


def test_what_is_no_sealed_text_has_no_key() -> None:
    other_version = f"heddle:v2:{KEY.id}:{'a' * 50}"
    for text in ("", "hunter2", "heddle:v1:", other_version, "heddle:v1:xyz:aaaa"):
        assert sealed_by(text) == ""
