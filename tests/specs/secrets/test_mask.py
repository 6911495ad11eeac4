"""Masking: a secret does not show, however it is written, and what is around it stays readable."""

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.specs.model.mask import MASK, covered
from heddle.specs.secrets.mask import forms, hidden, in_order, secrets_in
from heddle.specs.secrets.mask_text import DOT, concealed

WRITTEN = {
    "as it is": str,
    "JSON": json.dumps,
    "JSON in letters": lambda text: json.dumps(text, ensure_ascii=False),
    "Python": repr,
    "URL": quote,
    "URL, whole": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "HTML": html.escape,
    "hex": lambda text: text.encode().hex(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of a URL": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "basic": lambda text: base64.b64encode(f"ada:{text}".encode()).decode(),
    "basic of another": lambda text: base64.b64encode(f"grace:{text}!".encode()).decode(),
    "indented": lambda text: text.replace("\n", "\n    "),
}


@pytest.mark.parametrize("way", WRITTEN)
def test_a_secret_is_masked_however_it_is_written(way: str) -> None:
    secret = 'it\'s "hunter2"/ä+\nthe second line'
    text = f"before {WRITTEN[way](secret)} after"
    shown = hidden(text, in_order(forms(secret)))
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert MASK in shown
    for part in ("hunter2", "second line", "second%20line", "second+line"):
        assert part not in shown
    # What is left of an encoded secret at its ends says next to nothing.
    assert len(shown.replace(MASK, "")) <= len("before  after") + 12


@given(st.text(min_size=3), st.text(), st.text())
def test_nothing_of_it_is_left_in_any_text(secret: str, before: str, after: str) -> None:
    assert secret not in hidden(f"{before}{secret}{after}", [secret]).split(MASK) or secret in MASK


def test_a_long_secret_that_was_cut_is_masked_to_its_end() -> None:
    secret = "postgresql://ada:hunter2-hunter2-hunter2@db.example.com/shop?sslmode=require"
    shown = hidden(f'found "{secret[:57]}…" there, and {secret} here', [secret])
    assert shown == f'found "{MASK}…" there, and {MASK} here'


def test_numbers_and_bytes_and_what_is_nested_are_secrets_too() -> None:
    found = set(secrets_in({"a": [12345, True, None, ""], "b": {"c": b"hunter2-bytes"}}))
    assert {"12345", "hunter2-bytes", b"hunter2-bytes".hex()} <= found
    assert not {"True", "None", ""} & found


def test_short_ones_stand_alone() -> None:
    assert list(forms("ab")) == ["ab"]


def test_covered_data_keeps_its_shape() -> None:
    assert covered({"a": [1, {"b": "x"}], "c": None}) == {"a": [MASK, {"b": MASK}], "c": MASK}


def test_the_lines_of_a_file_are_concealed_in_their_columns() -> None:
    text = (
        "- {name: a, data: hunter2, secret: true, oops: 1}\n"
        "- name: b\n  secret: yes\n  data: {user: ada, pw: 'it''s me'}\n"
        "- name: c\n  secret: true\n  data: |\n    line one\n    line two\n"
        "- {name: open, data: everybody}\n"
    )
    shown = concealed(text)
    for part in ("hunter2", "it''s me", "line one", "line two"):
        assert part not in shown
    assert [len(line) for line in shown.splitlines()] == [len(line) for line in text.splitlines()]
    assert f"data: {DOT * 7}, secret: true, oops: 1" in shown
    assert "data: everybody" in shown


def test_a_broken_file_shows_no_data_where_it_speaks_of_secrets() -> None:
    shown = concealed("- name: a\n  secret: true\n  data: hunter2\n   oops: [\n- data: other\n")
    assert "hunter2" not in shown
    assert "oops: [" in shown
    assert concealed("- name: a\n  data: x\n   oops: [\n").count(DOT) == 0
