"""The cookies kind: what comes, what is set, and what nobody can make up."""

import asyncio
from typing import Any

import pytest

from heddle.extensions.extension import Error, NodeError
from heddle.extensions.net.cookies import signing
from heddle.extensions.net.cookies.cookie import Attributes, parsed, set_cookie
from heddle.extensions.net.cookies.signing import Signer
from tests.support import port_of, running

pytestmark = pytest.mark.anyio

SECRET = "a secret of sixteen"


def flow(said: str, answer: str) -> str:
    return f"""
- {{kind: listener, name: listener, port: 0, ports: {{out: {{name: jar, port: in}}}}}}
- kind: cookies
  name: jar
  ports: {{out: {{name: inside, port: in}}}}
  {said}
- kind: snippet
  name: inside
  language: cel
  code: "{answer}"
"""


async def ask(rt: Any, cookie: str = "") -> tuple[list[str], str]:
    """Return the Set-Cookie lines and the body of a response."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
    line = f"Cookie: {cookie}\r\n" if cookie else ""
    writer.write(f"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{line}\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    lines = [one.partition(": ")[2] for one in head.split("\r\n") if one.startswith("Set-Cookie")]
    return lines, body


async def test_cookies_come_as_a_map_and_go_as_headers() -> None:
    answer = (
        "{'body': cookies.a + cookies.b, 'cookies': {'n': 1, 'text': 'ä; b', 'gone': null,"
        " 'own': {'value': 'v', 'max_age': 60, 'path': '/p', 'http_only': false, 'same_site': 'strict'}}}"
    )
    async with running(flow("max_age: 1h\n  domain: example.com", answer)) as rt:
        lines, body = await ask(rt, 'a=1; b="%C3%A4"; a=2; broken; c d=3')
    assert body == "1ä"
    rest = "Domain=example.com; Secure; HttpOnly; SameSite=Lax"
    assert lines == [
        f"n=1; Max-Age=3600; Path=/; {rest}",
        f"text=%C3%A4%3B%20b; Max-Age=3600; Path=/; {rest}",
        f"gone=; Max-Age=0; Path=/; {rest}",
        "own=v; Max-Age=60; Path=/p; Domain=example.com; Secure; SameSite=Strict",
    ]


async def test_a_signed_cookie_comes_back_and_a_changed_one_does_not() -> None:
    answer = "{'body': 'user' in cookies ? cookies.user : 'nobody', 'cookies': {'user': 'ada'}}"
    async with running(flow(f"secrets: ['{SECRET}']", answer)) as rt:
        [line], body = await ask(rt)
        assert body == "nobody"
        signed = line.partition(";")[0]
        assert (await ask(rt, signed))[1] == "ada"
        for wrong in (
            signed.replace("ada", "bob"),
            signed.replace("user=", "other="),
            signed[:-1] + ("A" if signed[-1] != "A" else "B"),
            "user=ada",
            "user=ada..",
            "user=",
            "user=ada.zz.ü",
        ):
            assert (await ask(rt, wrong))[1] == "nobody", wrong


async def test_only_the_cookies_that_are_named_are_signed() -> None:
    answer = "{'body': cookies.plain, 'cookies': {'plain': 'x', 'user': 'ada'}}"
    async with running(flow(f"secrets: ['{SECRET}']\n  signed: [user]", answer)) as rt:
        (plain, signed), body = await ask(rt, "plain=made-up")
    assert body == "made-up"
    assert plain.startswith("plain=x;")
    assert signed.startswith("user=ada.")


def test_a_signature_belongs_to_its_secret_its_name_and_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    old, new = Signer([SECRET]), Signer(["another secret of sixteen", SECRET])
    value = old.sign("a", "x.y")
    assert old.open("a", value, None) == new.open("a", value, 60) == "x.y"
    assert old.open("b", value, None) is None
    assert old.open("a", new.sign("a", "x"), None) is None
    monkeypatch.setattr(signing, "time", lambda: 2.0**33)
    assert old.open("a", value, 60) is None


async def test_data_that_speaks_of_cookies_is_still_data() -> None:
    async with running(flow("path: /", "{'cookies': 3, 'price': 5}")) as rt:
        assert await ask(rt) == ([], '{"cookies":3,"price":5}')


@pytest.mark.parametrize(
    "answer",
    [
        "{'body': '', 'cookies': 3}",
        "{'body': '', 'cookies': {'a b': '1'}}",
        "{'body': '', 'cookies': {'a': [1]}}",
        "{'body': '', 'cookies': {'a': {'value': '1', 'maxage': 3}}}",
        "{'body': '', 'cookies': {'a': {'value': '1', 'path': '/; Secure'}}}",
        "{'body': '', 'cookies': {'a': {'value': '1', 'same_site': 'no'}}}",
    ],
)
async def test_a_cookie_that_no_browser_would_keep_is_an_error(answer: str) -> None:
    async with running(flow("path: /", answer)) as rt:
        error = await rt.send("jar", {"header": {}})
    assert isinstance(error, Error)
    assert error.code == "cookie"


def test_a_cookie_that_is_too_long_is_rejected() -> None:
    with pytest.raises(NodeError):
        set_cookie("a", "x" * 5000, Attributes())
    assert list(parsed("a=1; " * 1000)) == [("a", "1")] * 200


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ("signed: [a]", "jar.signed"),
        ("secrets: [short]", "jar.secrets[0]"),
        ("same_site: none\n  secure: false", "jar.same_site"),
        ("path: '/; x'", "jar.path"),
    ],
)
async def test_settings_that_browsers_would_not_heed_are_problems(said: str, path: str) -> None:
    async with running(flow(said, "1")) as rt:
        assert path in [problem.path for problem in rt.status().problems]
