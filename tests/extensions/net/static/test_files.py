"""The files kind: what is served, what is known already, and what nobody gets to see."""

import asyncio
import gzip
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from heddle.extensions.net.static.known import tag_of
from heddle.extensions.net.static.place import StaticFile, StaticRoot
from heddle.extensions.net.static.reading import open_at
from tests.support import change, fetch, port_of, running

pytestmark = pytest.mark.anyio


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder of files, and a secret beside it."""
    made = tmp_path / "public"
    (made / "docs").mkdir(parents=True)
    (made / "empty").mkdir()
    (made / ".well-known").mkdir()
    (made / "index.html").write_text("<p>home</p>")
    (made / "docs" / "index.html").write_text("<p>docs</p>")
    (made / "a b.txt").write_text("spaced")
    (made / "digits").write_bytes(bytes(range(48, 58)))
    (made / "big.bin").write_bytes(os.urandom(1_000_000))
    (made / ".env").write_text("SECRET=1")
    (made / ".well-known" / "x").write_text("known")
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "public-too").mkdir()
    (tmp_path / "public-too" / "x").write_text("secret")
    return made


def flow(root: Path, more: str = "") -> str:
    said = f"{more}, " if more else ""
    return f"""
- {{kind: listener, name: listener, port: 0, ports: {{out: {{name: files, port: in}}}}}}
- {{kind: files, name: files, {said}root: '{root}'}}
"""


async def test_files_are_served_with_what_a_browser_wants_to_know(root: Path) -> None:
    async with running(flow(root, "cache: 'max-age=60'")) as rt:
        home = await fetch(port_of(rt))
        docs = await fetch(port_of(rt), "/docs/")
        spaced = await fetch(port_of(rt), "/a%20b.txt")
        head = await fetch(port_of(rt), "/big.bin", method="HEAD")
        sent = await fetch(port_of(rt), "/big.bin")
    assert home.text == "<p>home</p>"
    assert home.headers["Content-Type"] == "text/html; charset=utf-8"
    assert home.headers["Cache-Control"] == "max-age=60"
    assert home.headers["X-Content-Type-Options"] == "nosniff"
    assert home.headers["Last-Modified"].endswith("GMT")
    assert docs.text == "<p>docs</p>"
    assert spaced.text == "spaced"
    assert (head.headers["Content-Length"], head.body) == ("1000000", b"")
    assert sent.body == (root / "big.bin").read_bytes()
    assert sent.headers["Content-Length"] == "1000000"
    assert sent.headers["ETag"] == head.headers["ETag"]


async def test_a_folder_sends_to_itself_with_a_slash(root: Path) -> None:
    async with running(flow(root)) as rt:
        reply = await fetch(port_of(rt), "/docs")
        assert (reply.status, reply.headers["Location"]) == (301, "./docs/")
        assert (await fetch(port_of(rt), "/empty/")).status == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/docs/..%2f..%2fsecret.txt",
        "/..%5csecret.txt",
        "/../public-too/x",
        "/link.txt",
        "/folder/secret.txt",
        "/.env",
        "/docs/.hidden",
        "/a.txt%00.html",
        "/index.html/",
        "/nowhere",
        "//etc/passwd",
        "/pipe",
    ],
)
async def test_nothing_outside_and_nothing_hidden_is_served(root: Path, path: str) -> None:
    (root / "link.txt").symlink_to(root.parent / "secret.txt")
    (root / "folder").symlink_to(root.parent)
    (root / "docs" / ".hidden").write_text("hidden")
    os.mkfifo(root / "pipe")
    async with running(flow(root)) as rt:
        reply = await fetch(port_of(rt), path)
        assert reply.status in (400, 404)
        assert b"secret" not in reply.body
        # What the server rejects, another listener might let through.
        answer = await rt.send("files", {"method": "GET", "path": path.replace("%2e", ".")})
        assert answer["status"] == 404


async def test_links_may_lead_where_that_is_allowed(root: Path) -> None:
    (root / "inside").symlink_to(root / "digits")
    (root / "outside").symlink_to(root.parent / "secret.txt")
    for more, inside, outside in (
        ("symlinks: inside", 200, 404),
        ("symlinks: refuse", 404, 404),
        ("symlinks: follow", 200, 200),
    ):
        async with running(flow(root, more)) as rt:
            assert (await fetch(port_of(rt), "/inside")).status == inside
            assert (await fetch(port_of(rt), "/outside")).status == outside
    async with running(flow(root, "hidden: true")) as rt:
        assert (await fetch(port_of(rt), "/.env")).status == 200
    async with running(flow(root)) as rt:
        assert (await fetch(port_of(rt), "/.well-known/x")).text == "known"


async def test_what_a_client_has_is_not_sent_again(root: Path) -> None:
    file = root / "digits"
    os.utime(file, (1_000_000_000, 1_000_000_000))
    async with running(flow(root)) as rt:
        port = port_of(rt)
        first = await fetch(port, "/digits")
        tag, date = first.headers["ETag"], first.headers["Last-Modified"]
        assert date == "Sun, 09 Sep 2001 01:46:40 GMT"
        for headers, status in (
            ({"If-None-Match": tag}, 304),
            ({"If-None-Match": f'"x", W/{tag}'}, 304),
            ({"If-None-Match": "*"}, 304),
            ({"If-None-Match": '"x"'}, 200),
            ({"If-None-Match": '"x"', "If-Modified-Since": date}, 200),
            ({"If-Modified-Since": date}, 304),
            ({"If-Modified-Since": "Sun, 09 Sep 2001 01:46:39 GMT"}, 200),
            ({"If-Modified-Since": "nonsense"}, 200),
            ({"If-Match": tag}, 200),
            ({"If-Match": f"W/{tag}"}, 412),
            ({"If-Match": '"x"'}, 412),
            ({"If-Unmodified-Since": date}, 200),
            ({"If-Unmodified-Since": "Sun, 09 Sep 2001 01:46:39 GMT"}, 412),
        ):
            reply = await fetch(port, "/digits", headers=headers)
            assert reply.status == status, headers
            assert (reply.body == first.body) is (status == 200)
        file.write_text("changed")
        reply = await fetch(port, "/digits", headers={"If-None-Match": tag})
        assert (reply.status, reply.text) == (200, "changed")
        assert reply.headers["ETag"] != tag


async def test_parts_of_a_file_are_sent(root: Path) -> None:
    async with running(flow(root)) as rt:
        port = port_of(rt)
        one = await fetch(port, "/digits", headers={"Range": "bytes=2-4"})
        assert (one.status, one.body) == (206, b"234")
        assert one.headers["Content-Range"] == "bytes 2-4/10"
        assert one.headers["Content-Length"] == "3"
        none = await fetch(port, "/digits", headers={"Range": "bytes=10-"})
        assert (none.status, none.headers["Content-Range"]) == (416, "bytes */10")
        whole = await fetch(port, "/digits", headers={"Range": "lines=1"})
        assert (whole.status, whole.headers["Accept-Ranges"]) == (200, "bytes")
        last = await fetch(port, "/big.bin", headers={"Range": "bytes=-600000"})
        assert last.body == (root / "big.bin").read_bytes()[400_000:]
        tag = whole.headers["ETag"]
        for condition, status in ((tag, 206), ('"x"', 200), (f"W/{tag}", 200)):
            headers = {"Range": "bytes=0-1", "If-Range": condition}
            assert (await fetch(port, "/digits", headers=headers)).status == status


async def test_several_parts_come_as_one_body(root: Path) -> None:
    async with running(flow(root)) as rt:
        reply = await fetch(port_of(rt), "/digits", headers={"Range": "bytes=0-1,-2"})
    kind, _, edge = reply.headers["Content-Type"].partition("; boundary=")
    assert (reply.status, kind) == (206, "multipart/byteranges")
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    parts = reply.body.split(f"--{edge}".encode())
    assert parts[-1] == b"--\r\n"
    found = [part.partition(b"\r\n\r\n") for part in parts[1:-1]]
    assert [body for _, _, body in found] == [b"01\r\n", b"89\r\n"]
    assert [head.rpartition(b"bytes ")[2] for head, _, _ in found] == [b"0-1/10", b"8-9/10"]


async def test_a_packed_file_beside_is_taken_where_the_client_likes_it(root: Path) -> None:
    text = "let it be;" * 1000
    (root / "app.js").write_text(text)
    (root / "app.js.gz").write_bytes(gzip.compress(text.encode()))
    async with running(flow(root, "precompressed: [br, gzip]")) as rt:
        port = port_of(rt)
        packed = await fetch(port, "/app.js", headers={"Accept-Encoding": "gzip, br"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert packed.headers["Content-Type"] == "text/javascript; charset=utf-8"
        assert packed.headers["Vary"] == "Accept-Encoding"
        assert gzip.decompress(packed.body).decode() == text
        plain = await fetch(port, "/app.js", headers={"Accept-Encoding": "gzip;q=0"})
        assert plain.text == text
        assert plain.headers["ETag"] != packed.headers["ETag"]
        os.utime(root / "app.js.gz", (1, 1))
        old = await fetch(port, "/app.js")
        assert old.text == text


async def test_a_router_or_a_prefix_says_where_the_files_begin(root: Path) -> None:
    text = f"""
- {{kind: listener, name: listener, port: 0, ports: {{out: {{name: router, port: in}}}}}}
- kind: router
  name: router
  routes: [{{method: GET, path: '/static/*', port: 'out[0]'}}]
  ports: {{'out[0]': {{name: files, port: in}}}}
- {{kind: files, name: files, root: '{root}'}}
"""
    async with running(text) as rt:
        assert (await fetch(port_of(rt), "/static/digits")).text == "0123456789"
        assert (await fetch(port_of(rt), "/static/..%2f..%2fsecret.txt")).status in (400, 404)
    async with running(flow(root, "prefix: /static/")) as rt:
        assert (await fetch(port_of(rt), "/static/digits")).text == "0123456789"
        assert (await fetch(port_of(rt), "/static")).text == "<p>home</p>"
        assert (await fetch(port_of(rt), "/digits")).status == 404
        assert (await fetch(port_of(rt), "/staticdigits")).status == 404


async def test_an_app_of_one_page_answers_everything(root: Path) -> None:
    async with running(flow(root, "fallback: index.html, types: {bin: x/y}")) as rt:
        reply = await fetch(port_of(rt), "/some/view")
        assert (reply.status, reply.text) == (200, "<p>home</p>")
        assert (await fetch(port_of(rt), "/big.bin", method="HEAD")).headers[
            "Content-Type"
        ] == "x/y"
        assert (await fetch(port_of(rt), "/", method="POST", body="x")).status == 405


async def test_a_client_that_leaves_in_the_middle_leaves_no_file_open(root: Path) -> None:
    with (root / "huge").open("wb") as file:
        file.truncate(500_000_000)

    def open_files() -> list[str]:
        return [
            one for one in map(_target, Path("/proc/self/fd").iterdir()) if one.endswith("/huge")
        ]

    async with running(flow(root)) as rt:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(rt))
        writer.write(b"GET /huge HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        assert open_files()
        transport: Any = writer.transport
        transport.abort()
        async with asyncio.timeout(60):
            while open_files() or rt.processes:  # noqa: ASYNC110 - nobody announces it
                await asyncio.sleep(0.005)


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


async def test_a_root_that_is_not_there_is_problem_and_old_goes_on(root: Path) -> None:
    async with running(flow(root)) as rt:
        await change(rt, f"- {{kind: files, name: files, root: '{root}/nowhere'}}")
        assert rt.events.recent[-1].event == "change rejected"
        assert (await fetch(port_of(rt), "/digits")).status == 200


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl_resumes_a_download(root: Path, tmp_path: Path) -> None:
    half = tmp_path / "half"
    half.write_bytes((root / "big.bin").read_bytes()[:400_000])
    async with running(flow(root)) as rt:
        url = f"http://127.0.0.1:{port_of(rt)}/big.bin"
        curl = await asyncio.create_subprocess_exec("curl", "-sfC", "-", "-o", str(half), url)
        assert await curl.wait() == 0
    assert half.read_bytes() == (root / "big.bin").read_bytes()


async def test_every_swap_of_a_link_is_served_and_no_request_is_lost(tmp_path: Path) -> None:
    def mount(number: int) -> None:
        folder = tmp_path / f"..{number}"
        folder.mkdir()
        (folder / "a.txt").write_text(str(number))
        os.utime(folder / "a.txt", ns=(0, 0))
        (tmp_path / "..new").symlink_to(folder.name)
        (tmp_path / "..new").replace(tmp_path / "..data")
        shutil.rmtree(tmp_path / f"..{number - 1}", ignore_errors=True)

    def swapping() -> None:
        for number in range(2, 400):
            mount(number)

    mount(1)
    (tmp_path / "a.txt").symlink_to("..data/a.txt")
    served = StaticRoot(str(tmp_path))
    task = asyncio.ensure_future(asyncio.to_thread(swapping))
    lost = 0
    while not task.done():
        lost += served.find("a.txt") is None
        await asyncio.sleep(0)
    await task
    assert lost == 0
    found = served.find("a.txt")
    assert isinstance(found, StaticFile)
    (tmp_path / "..399" / "a.txt").write_text("new")
    os.utime(tmp_path / "..399" / "a.txt", ns=(0, 0))
    later = served.find("a.txt")
    assert isinstance(later, StaticFile)
    # The same time, size and number: another tag all the same.
    assert tag_of(found) != tag_of(later)


def test_link_that_comes_in_between_finding_and_opening_opens_nothing_else(tmp_path: Path) -> None:
    """Neither a file of the same size and times elsewhere, nor a pipe that nobody writes into."""
    root, inner, other = tmp_path / "root", tmp_path / "root" / "inner", tmp_path / "other"
    inner.mkdir(parents=True)
    other.mkdir()
    (inner / "a.txt").write_text("open")
    os.link(inner / "a.txt", other / "a.txt")
    (inner / "b.txt").write_text("open")
    served = StaticRoot(str(root))
    first, second = served.find("inner/a.txt"), served.find("inner/b.txt")
    assert isinstance(first, StaticFile)
    assert isinstance(second, StaticFile)
    for file in (first, second):
        with open_at(file) as opened:
            assert opened.read() == b"open"
    (inner / "b.txt").unlink()
    os.mkfifo(inner / "b.txt")
    with pytest.raises(FileNotFoundError):
        open_at(second)
    inner.rename(tmp_path / "away")
    inner.symlink_to(other)
    with pytest.raises(FileNotFoundError):
        open_at(first)
