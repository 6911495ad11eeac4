"""The cors kind: what browsers are told before they ask, and with what they get."""

import asyncio

import pytest

from heddle.extensions.net.origins import Origins, same_host
from tests.support import fetch, port_of, running

pytestmark = pytest.mark.anyio


def flow(
    said: str, answer: str = "{'body': 'hi', 'header': {'Vary': 'Accept', 'X-A': '1'}}"
) -> str:
    return f"""
- {{kind: listener, name: listener, port: 0, ports: {{out: {{name: cors, port: in}}}}}}
- kind: cors
  name: cors
  ports: {{out: {{name: inside, port: in}}}}
  {said}
- {{kind: snippet, name: inside, language: cel, code: "{answer}"}}
"""


async def test_pages_that_may_read_the_response_are_told_so() -> None:
    text = flow("origins: ['https://a.example']\n  credentials: true\n  expose: [X-A]")
    async with running(text) as rt:
        mine = await fetch(port_of(rt), headers={"Origin": "https://a.example"})
        other = await fetch(port_of(rt), headers={"Origin": "https://b.example"})
        none = await fetch(port_of(rt))
    assert mine.text == other.text == none.text == "hi"
    assert mine.headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert mine.headers["Access-Control-Allow-Credentials"] == "true"
    assert mine.headers["Access-Control-Expose-Headers"] == "X-A"
    assert mine.headers["X-A"] == "1"
    for reply in (other, none):
        assert not any(name.startswith("Access-Control") for name in reply.headers)
        assert reply.headers["Vary"] == "Origin"


async def test_vary_of_the_answer_is_kept() -> None:
    async with running(flow("origins: ['https://a.example']")) as rt:
        answer = await rt.send(
            "cors", {"method": "GET", "header": {"Origin": ["https://a.example"]}}
        )
    assert answer["header"]["Vary"] == ["Accept", "Origin"]


@pytest.mark.parametrize(
    ("said", "headers", "expected"),
    [
        ("origins: ['*']", "x-one, x-two", {"Origin": "*", "Headers": "x-one, x-two"}),
        (
            "origins: ['https://*.example']\n  headers: [X-One]\n  methods: [put]\n  max_age: 1m",
            "x-two",
            {"Origin": "https://a.example", "Headers": "X-One", "Methods": "PUT"},
        ),
    ],
)
async def test_what_a_browser_asks_beforehand_is_answered_here(
    said: str, headers: str, expected: dict[str, str]
) -> None:
    async with running(flow(said)) as rt:
        reply = await fetch(
            port_of(rt),
            method="OPTIONS",
            headers={
                "Origin": "https://a.example",
                "Access-Control-Request-Method": "PUT",
                "Access-Control-Request-Headers": headers,
            },
        )
    assert (reply.status, reply.body) == (204, b"")
    for name, value in expected.items():
        assert reply.headers[f"Access-Control-Allow-{name}"] == value
    assert int(reply.headers["Access-Control-Max-Age"]) >= 60


async def test_pages_that_may_not_are_told_nothing_beforehand() -> None:
    async with running(flow("origins: ['https://a.example']")) as rt:
        reply = await fetch(
            port_of(rt),
            method="OPTIONS",
            headers={"Origin": "https://b.example", "Access-Control-Request-Method": "PUT"},
        )
    assert reply.status == 204
    assert not any(name.startswith("Access-Control") for name in reply.headers)


async def test_a_plain_options_request_goes_on() -> None:
    async with running(flow("origins: ['*']")) as rt:
        assert (await fetch(port_of(rt), method="OPTIONS")).text == "hi"


@pytest.mark.parametrize(
    ("answer", "status", "kind", "body"),
    [
        ("'text'", 200, "text/plain; charset=utf-8", b"text"),
        ("{'a': 1}", 200, "application/json", b'{"a":1}'),
        ("null", 200, "application/json", b"null"),
        ("[1]", 200, "application/json", b"[1]"),
        ("{'status': 404, 'body': ''}", 404, "text/plain; charset=utf-8", b""),
        ("1 / 0", 500, "text/plain; charset=utf-8", b"Internal Server Error"),
    ],
)
async def test_whatever_is_answered_is_sent_as_it_would_be_otherwise(
    answer: str, status: int, kind: str, body: bytes
) -> None:
    async with running(flow("origins: ['*']", answer)) as rt:
        reply = await fetch(port_of(rt), headers={"Origin": "https://a.example"})
    assert (reply.status, reply.headers["Content-Type"], reply.body) == (status, kind, body)
    assert (reply.headers.get("Access-Control-Allow-Origin") == "*") is (status != 500)


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ("origins: ['*']\n  credentials: true", "cors.origins"),
        ("origins: ['example.com']", "cors.origins"),
        ("origins: []", "cors.origins"),
        ("origins: ['https://a.example/path']", "cors.origins"),
    ],
)
async def test_what_would_let_anyone_in_is_a_problem(said: str, path: str) -> None:
    async with running(flow(said)) as rt:
        assert path in [problem.path for problem in rt.status().problems]


def test_origins_are_compared_as_browsers_write_them() -> None:
    origins = Origins(["https://A.example:443", "http://b.example:8080", "https://*.c.example"])
    for good in ("https://a.example", "http://b.example:8080", "https://x.y.c.example"):
        assert origins.allow(good)
    for bad in (
        "http://a.example",
        "https://a.example.evil",
        "http://b.example",
        "https://c.example",
        "https://evil/.c.example",
        "https://evilc.example",
        "null",
    ):
        assert not origins.allow(bad)
    assert same_host("https://a.example", "a.example:443")
    assert same_host("http://a.example:8080", "A.example:8080")
    assert not same_host("http://a.example:8080", "a.example")
    assert not same_host("null", "null")


OWN = "{'body': 'hi', 'header': %s}"
A = "https://a.example"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("{'X-A': '1'}", ["Access-Control-Allow-Origin: " + A, "Vary: Origin"]),
        (
            "{'Vary': 'Accept, Access-Control-Request-Headers'}",
            [
                "Access-Control-Allow-Origin: " + A,
                "Vary: Accept, Access-Control-Request-Headers, Origin",
            ],
        ),
        (
            "{'X-Names': 'Access-Control-Allow-Origin: x'}",
            ["Access-Control-Allow-Origin: " + A, "Vary: Origin"],
        ),
        (
            "{'access-control-allow-origin': 'https://b.example', 'vary': 'origin'}",
            ["access-control-allow-origin: https://b.example", "vary: origin"],
        ),
        (
            "{'ACCESS-CONTROL-EXPOSE-HEADERS': 'X-A', 'Vary': ['Accept', 'Cookie']}",
            [
                "ACCESS-CONTROL-EXPOSE-HEADERS: X-A",
                "Access-Control-Allow-Origin: " + A,
                "Vary: Accept",
                "Vary: Cookie, Origin",
            ],
        ),
        ("{'Vary': '*'}", ["Access-Control-Allow-Origin: " + A, "Vary: *"]),
    ],
)
async def test_a_listener_completes_the_headers_of_a_response(
    header: str, expected: list[str]
) -> None:
    text = f"""
- kind: listener
  name: listener
  port: 0
  cors: {{origins: ['{A}']}}
  ports: {{out: inside}}
- {{kind: snippet, name: inside, language: cel, code: "{OWN % header}"}}
"""
    async with running(text) as rt:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
        writer.write(
            f"GET / HTTP/1.1\r\nHost: x\r\nOrigin: {A}\r\nConnection: close\r\n\r\n".encode()
        )
        lines = (await reader.read()).decode().split("\r\n\r\n")[0].split("\r\n")
        writer.close()
    given = sorted(line for line in lines if line.lower().startswith(("access-control-", "vary")))
    assert given == expected


async def test_a_preflight_is_answered_with_each_header_once() -> None:
    text = f"""
- kind: listener
  name: listener
  port: 0
  cors: {{origins: ['{A}']}}
  ports: {{out: inside}}
- {{kind: snippet, name: inside, language: text, code: hi}}
"""
    async with running(text) as rt:
        for origin in (A, "https://b.example"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
            writer.write(
                f"OPTIONS / HTTP/1.1\r\nHost: x\r\nOrigin: {origin}\r\nConnection: close\r\n"
                "Access-Control-Request-Method: PUT\r\n\r\n".encode()
            )
            lines = (await reader.read()).decode().partition("\r\n\r\n")[0].split("\r\n")[1:]
            writer.close()
            names = [line.partition(":")[0] for line in lines]
            assert len(names) == len(set(names))


async def test_vary_names_each_header_once() -> None:
    header = "{'Vary': 'accept-encoding, origin', 'Content-Type': 'text/plain'}"
    text = flow(
        f"origins: ['{A}']",
        f"{{'body': 'hi'.split('').map(x, 'long text ').join('') + {'a' * 2000!r}, 'header': {header}}}",
    )
    async with running(text) as rt:
        reply = await fetch(port_of(rt), headers={"Accept-Encoding": "gzip", "Origin": A})
    assert reply.headers["Content-Encoding"] == "gzip"
    assert reply.headers["Vary"] == "accept-encoding, origin"
