"""What files says to HEAD and to a condition agrees with what it says to GET."""

from pathlib import Path

import pytest

from tests.extensions.net.static.test_files import flow
from tests.support import fetch, port_of, running

pytestmark = pytest.mark.anyio

AGREE = ("ETag", "Last-Modified", "Cache-Control", "Vary")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "public"
    (made / "d").mkdir(parents=True)
    (made / "d" / "index.html").write_text("d")
    (made / "small.txt").write_text("small")
    (made / "page.txt").write_text("page " * 1000)
    (made / "large.txt").write_text("large " * 100_000)
    (made / "bytes.bin").write_bytes(b"\0" * 5000)
    return made


@pytest.mark.parametrize("query", ["?x=1", "?x=%20&y", "?a=b?c", "?", ""])
async def test_a_folder_without_a_slash_keeps_the_query(root: Path, query: str) -> None:
    async with running(flow(root)) as rt:
        replies = [
            await fetch(port_of(rt), f"/d{query}", method=method) for method in ("GET", "HEAD")
        ]
    for reply in replies:
        assert (reply.status, reply.headers["Location"]) == (301, f"./d/{query}")
        assert reply.headers["Content-Length"] == str(len(replies[0].body))


@pytest.mark.parametrize("coding", ["", "gzip", "br, gzip"])
@pytest.mark.parametrize("name", ["small.txt", "page.txt", "large.txt", "bytes.bin"])
async def test_head_and_304_have_the_headers_of_get(root: Path, name: str, coding: str) -> None:
    asked = {"Accept-Encoding": coding} if coding else {}
    async with running(flow(root)) as rt:
        port = port_of(rt)
        got = await fetch(port, f"/{name}", headers=asked)
        head = await fetch(port, f"/{name}", method="HEAD", headers=asked)
        known = await fetch(
            port, f"/{name}", headers={**asked, "If-None-Match": got.headers["ETag"]}
        )
        since = {**asked, "If-Modified-Since": got.headers["Last-Modified"]}
        same = await fetch(port, f"/{name}", method="HEAD", headers=since)
    optional = {"Date", "Content-Length", "Transfer-Encoding"}
    assert {key: value for key, value in head.headers.items() if key not in optional} == {
        key: value for key, value in got.headers.items() if key not in optional
    }
    if "Content-Length" in head.headers:
        assert head.headers["Content-Length"] == str(len(got.body))
    assert head.body == b""
    for reply in (known, same):
        assert (reply.status, reply.body) == (304, b"")
        assert not {"Content-Type", "Content-Encoding", "Content-Length"} & reply.headers.keys()
        assert {one: reply.headers.get(one) for one in AGREE} == {
            one: got.headers.get(one) for one in AGREE
        }
