"""No secret of a redacted key is in what is shown, wherever in the data it stands."""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heddle.specs.secrets import REDACTED, Redactor
from heddle.specs.secrets.mask import MASK

SECRET = "Hunter2Zq9"

KEYS = st.sampled_from(
    [
        *(
            "Authorization",
            "cookie",
            "Set-Cookie",
            "dbPassword",
            "API_KEY",
            "apiKey",
            "x-auth-token",
        ),
        *("credentials", "private key", "cardNumber", "cvv", "userIban", "SSN", "clientSecret"),
    ]
)
PLAIN = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), max_size=20).filter(
    lambda text: SECRET not in text
)
HIDDEN = st.recursive(
    st.sampled_from([SECRET, f"a {SECRET} b", f'q"{SECRET}', f"x]{SECRET}[", f"}}{SECRET}{{"]),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=2)
        | st.dictionaries(st.sampled_from(["a", SECRET, "value"]), inner, min_size=1, max_size=2)
    ),
    max_leaves=3,
)


def pairs(key: str, value: Any) -> Any:
    return [["X-Other", "1"], [key, value]]


def entries(key: str, value: Any) -> Any:
    return [{"name": key, "value": value}, {"name": "other", "value": 1}]


WAYS = st.sampled_from(
    [
        lambda key, value: {key: value, "other": 1},
        pairs,
        entries,
        lambda key, value: json.dumps({key: value}),
        lambda key, value: json.dumps({"a": [1, {key: value}]}, indent=1).encode(),
        lambda key, value: f"it failed: {json.dumps({'b': 1, key: value})} was sent",
        lambda key, value: json.dumps({"body": json.dumps({key: value})}),
        lambda key, value: f"it failed: {json.dumps(json.dumps({key: value}))} was sent",
        lambda key, value: f"got {json.dumps({'x': 1, key: value})}"[:-1],
        lambda key, value: f"{ {'a': 1, key: value}!r}",
        lambda key, value: (key, value),
    ]
)
AROUND = st.recursive(
    PLAIN | st.integers() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN, inner, max_size=3),
    max_leaves=6,
)


def shown(data: Any) -> str:
    return f"{Redactor().redacted(data)!r}"


@given(KEYS, HIDDEN, WAYS, AROUND)
def test_no_secret_of_a_redacted_key_is_shown(key: str, value: Any, way: Any, around: Any) -> None:
    for data in (
        way(key, value),
        {"deep": [around, {"x": way(key, value)}]},
        [around, way(key, value)],
    ):
        assert SECRET not in shown(data)


@given(AROUND)
def test_what_names_no_secret_stays_as_it_is(data: Any) -> None:
    if not any(word.split(" ")[0] in repr(data).lower() for word in (*REDACTED, "bearer", "basic")):
        assert Redactor().redacted(data) == data


@pytest.mark.parametrize(
    "text",
    [
        f"https://ada:{SECRET}@host/x",
        f"https://{SECRET}@host/x",
        f"postgresql://u:{SECRET}@/db and more",
        f"GET /x?token={SECRET}&a=1",
        f"GET /x?a=1&access_token={SECRET}",
        f"GET /x?api%5Fkey={SECRET}",
        urlencode({"user": "ada", "password": SECRET}),
        f"Authorization: Bearer {SECRET}",
        f"authorization: Basic {SECRET}==",
        f"Cookie: a={SECRET}; b=1\r\nX: y",
        f"Set-Cookie: sid={SECRET}; Path=/",
        f"it was sent with Bearer {SECRET}",
        f"password={SECRET}",
        f"password='{SECRET} {SECRET}'",
        f"password: {SECRET}",
        f"a: 1\ntoken: {SECRET}\n",
        f"{{'Cookie': ['{SECRET}']}}",
        f"sent {{'name': 'Cookie', 'value': '{SECRET}'}}",
        f'sent {{"value": "{SECRET}", "header": "Set-Cookie", "path": "/"}}',
        f'sent [{{"key": "password", "data": {{"a": "{SECRET}"}}',
        f'sent {{\\"Name\\":\\"Authorization\\",\\"Value\\":\\"{SECRET}\\"}}',
        f"<a><password>{SECRET}</password></a>",
        f'<x:apiKey type="b">{SECRET}</x:apiKey>',
    ],
)
def test_a_text_that_names_a_secret_is_shown_without_it(text: str) -> None:
    assert SECRET not in Redactor().text(text)
    assert SECRET not in str(Redactor().redacted(text.encode()))


@pytest.mark.parametrize(
    "text",
    [
        "nobody knows this token (expected: Authorization)",
        "ada@example.com",
        "unexpected token: EOF",
        "listener.tls.password: found a number (expected: text)",
        "basic authentication",
        "the bearer of this",
        "http://127.0.0.1:8000/ping?page=2",
        '{"tokens": [1, 2], "user": "ada"}',
        'sent {"kind": "token", "value": "shown"} {"name": "ada", "value": "shown"}',
        "secret: true",
    ],
)
def test_a_text_that_names_none_is_the_same(text: str) -> None:
    assert Redactor().text(text) is text


@pytest.mark.parametrize("secret", ["HDR-SECRET", "aBcDeFgH", "abc.def", "abc_def", "hunter", "x"])
def test_value_of_a_header_with_a_scheme_is_hidden_however_short(secret: str) -> None:
    assert Redactor().text(f"Bearer {secret}") == f"Bearer {MASK}"
    assert Redactor().text(f"bearer  {secret} ") == f"bearer {MASK}"


def test_first_of_a_pair_that_reads_as_a_key_is_redacted_too() -> None:
    assert Redactor().redacted([f"Bearer secret-{SECRET}", "other"]) == [f"Bearer {MASK}", MASK]


@pytest.mark.parametrize("secret", ["HDR-SECRET", "aBcDeFgH", "abc.def", "abc_def"])
def test_what_is_no_word_after_a_scheme_is_hidden_in_sentences(secret: str) -> None:
    assert Redactor().text(f"order by Bearer {secret} placed") == f"order by Bearer {MASK} placed"


def test_flags_and_nothing_are_shown() -> None:
    data = {"secret": True, "token": None, "password": "", "cvv": 0}
    assert Redactor().redacted(data) == {**data, "cvv": MASK}


def test_paths_are_hidden_and_allowed() -> None:
    redactor = Redactor(paths=["body.address", "*.phone", "**.notes"], allow=["meta.token", "pin"])
    data = {
        "body": {"address": {"street": "x"}, "phone": "1", "other": [{"notes": "n"}]},
        "phone": "2",
        "meta": {"token": "shown"},
        "more": {"token": "hidden"},
    }
    assert redactor.redacted(data) == {
        "body": {"address": MASK, "phone": MASK, "other": [{"notes": MASK}]},
        "phone": "2",
        "meta": {"token": "shown"},
        "more": {"token": MASK},
    }


def test_data_that_is_nested_too_deeply_is_hidden() -> None:
    data: Any = SECRET
    for _ in range(5000):
        data = {"a": data}
    assert SECRET not in repr(Redactor().redacted({"x": data}))


def test_the_payload_itself_is_never_changed() -> None:
    data = {"password": SECRET, "list": [{"token": SECRET}]}
    Redactor().redacted(data)
    assert data == {"password": SECRET, "list": [{"token": SECRET}]}


def test_the_cookies_of_a_request_are_hidden_by_their_names() -> None:
    data = {"cookies": {"sid": SECRET}, "count": {"cookies": 3}}
    assert Redactor().redacted(data) == {"cookies": {"sid": MASK}, "count": {"cookies": 3}}
    assert Redactor(allow=["cookies"]).redacted(data) == data
