"""A path has one reading: no spelling of it gets past a route that its plain spelling takes."""

from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from heddle.extensions.net.http.errors import RequestError
from heddle.extensions.net.http.head import parse_head, parse_line
from heddle.extensions.net.http.limits import HttpLimits
from heddle.extensions.net.http.path import raw_of, segment_of, segments_of, text_of, written
from heddle.extensions.net.http.request import Peer, make_request
from heddle.runtime.runtime import Runtime
from tests.support import fetch, port_of, running

pytestmark = pytest.mark.anyio

FILES = [
    "private/secret.html",
    "private/deep/x.txt",
    "open/a.txt",
    "index.html",
    "a b.txt",
    "100%.txt",
]


def make(root: Path) -> Path:
    for name in FILES:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    (root / "private" / "index.html").write_text("private/index.html")
    return root


def flow(root: Path) -> str:
    return f"""
- {{kind: listener, name: listener, port: 0, ports: {{out: {{name: router}}}}}}
- kind: router
  name: router
  routes:
    - {{method: GET, path: '/private/*', port: 'out[0]'}}
    - {{method: GET, path: '/private', port: 'out[0]'}}
    - {{method: GET, path: '/*', port: 'out[1]'}}
  ports: {{'out[0]': {{name: auth}}, 'out[1]': {{name: files}}}}
- {{kind: auth, name: auth, bearer: {{a: token}}, ports: {{out: {{name: inside}}}}}}
- {{kind: files, name: inside, root: '{root}/private'}}
- {{kind: files, name: files, root: '{root}'}}
"""


SPELLINGS = [
    "/private/secret.html",
    "/private%2Fsecret.html",
    "/private%2fsecret.html",
    "//private/secret.html",
    "///private/secret.html",
    "/%2Fprivate/secret.html",
    "/%2f%2fprivate/secret.html",
    "/private//secret.html",
    "/%70rivate/secret.html",
    "/%70%72ivate%2Fsecret.html",
    "/private%252Fsecret.html",
    "/private%25252Fsecret.html",
    "/private%255csecret.html",
    "/private\\secret.html",
    "/private%5Csecret.html",
    "/.//private/secret.html",
    "/./private/secret.html",
    "/%2e/private/secret.html",
    "/open/../private/secret.html",
    "/open/%2e%2e/private/secret.html",
    "/open/.%2e/private/secret.html",
    "/open/..%2Fprivate/secret.html",
    "/open%2F..%2Fprivate/secret.html",
    "/open/%252e%252e/private/secret.html",
    "/open/..;/private/secret.html",
    "/private;x=1/secret.html",
    "/private/;/secret.html",
    "/;/private/secret.html",
    "/private/secret.html%00",
    "/private%00/secret.html",
    "/private%c0%afsecret.html",
    "/%c0%ae%c0%ae/private/secret.html",
    "/%e0%80%afprivate/secret.html",
    "/PRIVATE/secret.html",
    "/Private/Secret.html",
    "/private./secret.html",
    "/private%20/secret.html",
    "/private/secret.html.",
    "/private/secret.html/",
    "/private/secret.html%2F",
    "/private%2F",
    "/%2Fprivate",
    "//private",
    "//private/",
    "/private%2Findex.html",
    "/priv\u0430te/secret.html",
    "/private\u2215secret.html",
    "/private%EF%BC%8Fsecret.html",
    "/private/%2e/secret.html",
    "http://x/private/secret.html",
    "http://x//private/secret.html",
]


@pytest.mark.parametrize("path", SPELLINGS)
async def test_no_spelling_of_a_path_gets_past_route_that_asks_for_token(
    path: str, tmp_path: Path
) -> None:
    async with running(flow(make(tmp_path))) as rt:
        reply = await fetch(port_of(rt), path)
        assert reply.status in (301, 400, 401, 404), path
        assert b"private/" not in reply.body
        with_token = await fetch(
            port_of(rt), "/private/secret.html", headers={"Authorization": "Bearer token"}
        )
        assert with_token.text == "private/secret.html"


async def test_files_whose_names_need_it_are_reached_by_their_encoded_names(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "a%2Fb.txt").write_text("percent")
    (tmp_path / "a;b").write_text("semicolon")
    async with running(flow(tmp_path)) as rt:
        for path, text in (
            ("/a%20b.txt", "a b.txt"),
            ("/100%25.txt", "100%.txt"),
            ("/a%252Fb.txt", "percent"),
            ("/a;b", "semicolon"),
            ("/%6Fpen/a.txt", "open/a.txt"),
            ("/", "index.html"),
        ):
            reply = await fetch(port_of(rt), path)
            assert (reply.status, reply.text) == (200, text), path


PIECES = st.sampled_from(
    [
        "private",
        "secret.html",
        "open",
        "a.txt",
        "deep",
        "x.txt",
        "index.html",
        "/",
        "//",
        "%2F",
        "%2f",
        "%252F",
        "\\",
        "%5C",
        ".",
        "..",
        "%2e",
        "%2E%2e",
        "%252e",
        ";",
        ";a=b",
        "%00",
        "%70",
        "%c0%af",
        "%20",
        "%25",
        "%",
        "?",
        "é",
        "%C3%A9",
        "P",
        "RIVATE",
        "~",
        ":",
    ]
)


def ask(rt: Runtime, path: str) -> Any:
    """Return the request of a raw path as it stands in a flow; None if the server rejects it."""
    try:
        line = parse_line(f"GET {path} HTTP/1.1".encode(), HttpLimits())
    except RequestError:
        return None
    head = parse_head(b"Host: x", 11, HttpLimits())
    return make_request(line, head, None, Peer("http", ("127.0.0.1", 1)), None)


async def test_no_made_up_path_reads_a_file_by_another_route(tmp_path: Path) -> None:
    root = make(tmp_path)
    async with running(flow(root)) as rt:
        portal = _Loop(rt)

        @settings(
            max_examples=400,
            deadline=None,
            suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType] - the metaclass iterates over members
            database=None,
        )
        @given(st.lists(PIECES, min_size=1, max_size=8))
        def prove(pieces: list[str]) -> None:
            path = "/" + "".join(pieces)
            request = ask(rt, path)
            if request is None:
                return
            answer = portal.send(request)
            if answer.get("status") == 200:
                body = answer["body"]
                assert not body.startswith(b"private/"), path
                # The plain spelling of what was served is the path itself, decoded.
                assert unquote(request.raw_path).lstrip("/") in ("", *FILES), path

        await portal.run(prove)


class _Loop:
    """Lets a property, which does not wait, send through a runtime that does."""

    def __init__(self, rt: Runtime) -> None:
        import asyncio

        self._rt = rt
        self._loop = asyncio.get_running_loop()

    def send(self, request: Any) -> dict[str, Any]:
        import asyncio

        work = self._rt.send("router", request)
        answer: dict[str, Any] = asyncio.run_coroutine_threadsafe(work, self._loop).result(60)
        return answer

    async def run(self, prove: Any) -> None:
        import asyncio

        await asyncio.to_thread(prove)


SEGMENTS = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))


@given(
    SEGMENTS.filter(
        lambda many: not {".", ".."} & set(many) and all("\\" not in one for one in many)
    )
)
def test_the_text_of_a_path_keeps_its_segments_apart(segments: list[str]) -> None:
    raw = "/" + "/".join(quote(one, safe="") for one in segments)
    try:
        text = text_of(raw)
    except RequestError:
        # A dot segment beside an encoded slash.
        assert any("/" in one for one in segments)
        return
    assert segments_of(text) == (segments or [""])
    assert text == "/" + "/".join(map(written, segments))
    assert text_of(raw_of(text)) == text


@given(st.text())
def test_a_segment_is_written_in_one_way(segment: str) -> None:
    assert segment_of(written(segment)) == segment
    assert "/" not in written(segment)
