"""A client that others wrote."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from heddle.extensions.net.http.exchange import Exchange
from tests.extensions.net.http.wire import House, serve

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]


def echo(exchange: Exchange) -> None:
    request = exchange.request
    exchange.reply({"got": request["body"], "query": request["query"], "path": request["path"]})


async def curl(house: House, path: str, *options: str, feed: bytes = b"") -> bytes:
    host, port = house.server.address
    process = await asyncio.create_subprocess_exec(
        *("curl", "-sS", "--max-time", "20", *options, f"http://{host}:{port}{path}"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(feed)
    assert process.returncode == 0
    return out


async def got(house: House, path: str, *options: str, feed: bytes = b"") -> Any:
    return json.loads(await curl(house, path, *options, feed=feed))


async def test_curl_in_all_its_ways(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("content")
    large = b"x" * 3_000_000
    async with serve(echo) as house:
        assert (await got(house, "/a%20b?q=1&q=2"))["query"] == {"q": ["1", "2"]}
        assert (await got(house, "/", "-d", "a=1&b=2"))["got"] == {"a": ["1"], "b": ["2"]}
        assert (await got(house, "/", "--json", '{"n": 1}'))["got"] == {"n": 1}
        form = await got(house, "/", "-F", "v=1", "-F", f"f=@{tmp_path / 'a.txt'}")
        assert form["got"]["values"] == {"v": ["1"]}
        assert form["got"]["files"]["f"][0]["filename"] == "a.txt"
        text = "Content-Type: text/plain"
        chunked = ("-H", "Transfer-Encoding: chunked", "-H", text, "--data-binary", "@-")
        assert (await got(house, "/", *chunked, feed=large))["got"] == large.decode()
        # Larger than a megabyte: curl asks before it sends.
        plain = ("-H", text, "-H", "Expect: 100-continue", "--data-binary", "@-")
        assert (await got(house, "/", *plain, feed=large))["got"] == large.decode()
        assert b"HTTP/1.1 200 OK" in await curl(house, "/", "-I")
        assert (await got(house, "/", "--compressed", "-d", "a=" + "b" * 5000))["got"] == {
            "a": ["b" * 5000]
        }
        assert (await got(house, "/", "--http1.0"))["path"] == "/"
        assert (await got(house, "/ü"))["path"] == "/ü"
