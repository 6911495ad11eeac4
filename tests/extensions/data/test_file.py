"""file: the files of one folder, and of no other."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from heddle.extensions.data.file_io import fits
from heddle.extensions.data.folder_watch import FolderWatch
from heddle.extensions.data.root import FolderRoot
from heddle.extensions.extension import node
from heddle.runtime.flow.errors import Error
from heddle.runtime.flow.stream import ByteStream, Stream
from heddle.runtime.runtime import Runtime
from tests.support import change, degraded, fetch, port_of, running
from tests.waiting import until

pytestmark = pytest.mark.anyio


def a_file(root: Path, *lines: str, name: str = "f") -> str:
    """Return a file node."""
    more = "".join(f"  {line}\n" for line in lines)
    return f"- kind: file\n  name: {name}\n  root: {str(root)!r}\n{more}"


def names(folder: Path) -> list[str]:
    """Return what is in a folder."""
    return sorted(one.name for one in folder.iterdir())


async def rejected(rt: Runtime, payload: Any, code: str) -> str:
    """Return the message of the Error with this code that a packet is answered."""
    answer = await rt.send("f", payload)
    assert isinstance(answer, Error), answer
    assert answer.code == code
    return answer.message


# -- reading and writing -------------------------------------------------------------------------


async def test_what_was_written_is_read(tmp_path: Path) -> None:
    nodes = a_file(tmp_path) + a_file(tmp_path, "op: write", name="w")
    async with running(nodes) as rt:
        done = await rt.send("w", {"path": "a/b/é.txt", "data": "grüße"})
        assert done == {"path": "a/b/é.txt", "size": 7}
        assert await rt.send("f", "a/b/é.txt") == "grüße"
        assert await rt.send("f", {"path": "/a/b/é.txt", "method": "GET"}) == "grüße"
    assert (tmp_path / "a" / "b" / "é.txt").read_bytes() == "grüße".encode()


@pytest.mark.parametrize(
    ("form", "data", "found"),
    [
        ("json", {"a": [1, None]}, b'{"a":[1,null]}'),
        ("bytes", b"\x00\xff", b"\x00\xff"),
        ("text", "text", b"text"),
    ],
)
async def test_contents_have_the_format_that_is_said(
    tmp_path: Path, form: str, data: Any, found: bytes
) -> None:
    lines = ("path: x", f"format: {form}")
    async with running(
        a_file(tmp_path, *lines) + a_file(tmp_path, *lines, "op: write", name="w")
    ) as rt:
        await rt.send("w", data)
        assert (tmp_path / "x").read_bytes() == found
        assert await rt.send("f", None) == data


async def test_contents_of_another_format_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\xff{")
    async with running(a_file(tmp_path, "path: x")) as rt:
        assert "x is not UTF-8 text" in await rejected(rt, None, "text")
    async with running(a_file(tmp_path, "path: x", "format: json")) as rt:
        assert "x is not JSON" in await rejected(rt, None, "json")
    async with running(a_file(tmp_path, "op: write", "path: x")) as rt:
        assert "say format: json" in await rejected(rt, {"a": 1}, "data")
    assert (tmp_path / "x").read_bytes() == b"\xff{"


async def test_a_file_is_replaced_as_a_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.write_text("old")
    target.chmod(0o640)
    async with running(a_file(tmp_path, "op: write", "path: x")) as rt:
        with target.open() as before:
            await rt.send("f", "new")
            # Who has the old file open goes on reading it.
            assert before.read() == "old"
        assert target.read_text() == "new"
        assert target.stat().st_mode & 0o777 == 0o640
    assert names(tmp_path) == ["x"]


async def test_a_stream_that_breaks_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")

    async def broken() -> AsyncIterator[bytes]:
        yield b"new"
        raise ConnectionResetError("the client went away")

    async with running(a_file(tmp_path, "op: write", "path: x")) as rt:
        assert isinstance(await rt.send("f", ByteStream(broken())), Error)
    assert (tmp_path / "x").read_text() == "old"
    assert names(tmp_path) == ["x"]


async def test_streams_are_written_and_read_in_pieces(tmp_path: Path) -> None:
    flow = a_file(tmp_path, "op: write", "path: big", "limit: 0")
    flow += (
        a_file(tmp_path, "path: big", "format: stream", name="r")
        + """
- {kind: listener, name: listener, port: 0, ports: {out: [{name: r, port: in}]}}
"""
    )

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(40):
            yield bytes([number]) * 50_000

    async with running(flow) as rt:
        assert await rt.send("f", ByteStream(pieces())) == {"path": "big", "size": 2_000_000}
        reply = await fetch(port_of(rt))
        assert reply.headers["Content-Length"] == "2000000"
        assert reply.body == b"".join(bytes([number]) * 50_000 for number in range(40))


async def test_a_stream_of_data_is_written_as_json_lines(tmp_path: Path) -> None:
    async def rows() -> AsyncIterator[Any]:
        yield {"a": 1}
        yield "text"

    async with running(
        f"- {{kind: file, name: f, op: write, path: rows, root: '{tmp_path}'}}"
    ) as rt:
        assert await rt.send("f", Stream(rows())) == {"path": "rows", "size": 15}
    assert (tmp_path / "rows").read_text() == '{"a":1}\n"text"\n'


async def test_a_stream_is_closed_when_its_process_ends(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("text")
    async with running(a_file(tmp_path, "path: x", "format: stream")) as rt:
        stream = await rt.send("f", None)
        assert isinstance(stream, ByteStream)
        with pytest.raises(RuntimeError, match="closed"):
            await stream.read()


async def test_lines_are_appended_one_after_the_other(tmp_path: Path) -> None:
    lines = ("op: append", "path: log/x.jsonl", "format: json", "newline: true")
    async with running(a_file(tmp_path, *lines)) as rt:
        answers = await asyncio.gather(*(rt.send("f", {"n": number}) for number in range(50)))
    assert all(answer["path"] == "log/x.jsonl" for answer in answers)
    found = (tmp_path / "log" / "x.jsonl").read_text().splitlines()
    assert sorted(found) == sorted(f'{{"n":{number}}}' for number in range(50))


async def test_a_file_is_removed(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("text")
    async with running(a_file(tmp_path, "op: remove")) as rt:
        assert await rt.send("f", "x") is True
        assert await rt.send("f", "x") is False
    assert not (tmp_path / "x").exists()


# -- limits and errors ---------------------------------------------------------------------------


async def test_larger_files_than_allowed_are_rejected(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x" * 11)
    async with running(a_file(tmp_path, "limit: 10")) as rt:
        assert "more than the limit of 10" in await rejected(rt, "x", "too-large")

    async def pieces() -> AsyncIterator[bytes]:
        yield b"x" * 11

    async with running(a_file(tmp_path, "op: write", "limit: 10", "path: y")) as rt:
        for data in (b"x" * 11, ByteStream(pieces())):
            await rejected(rt, data, "too-large")
    assert not (tmp_path / "y").exists()


async def test_errors_of_the_system_have_codes_and_name_the_path(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    async with running(a_file(tmp_path)) as rt:
        assert await rejected(rt, "no/where", "not-found") == "no/where: no such file or directory"
        await rejected(rt, "folder", "folder")
        await rejected(rt, "", "data")
        await rejected(rt, "/", "folder")
        await rejected(rt, 7, "data")
    async with running(a_file(tmp_path, "op: write", "folders: false")) as rt:
        await rejected(rt, {"path": "a/b", "data": ""}, "not-found")
        await rejected(rt, "a/b", "data")


@pytest.mark.parametrize(
    "path", ["../secret", "a/../../secret", "/../secret", "a\\..\\..\\secret", "x\0y", "out/secret"]
)
async def test_no_path_leads_out_of_the_folder(tmp_path: Path, path: str) -> None:
    (tmp_path / "secret").write_text("secret")
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "out").symlink_to(tmp_path)
    async with running(a_file(root)) as rt:
        assert "secret" not in str(getattr(await rt.send("f", path), "data", ""))
        await rejected(rt, path, "forbidden")
    async with running(a_file(root, "op: write")) as rt:
        await rejected(rt, {"path": path, "data": "overwritten"}, "forbidden")
    assert (tmp_path / "secret").read_text() == "secret"


async def test_a_link_that_stays_inside_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("text")
    (tmp_path / "link").symlink_to("real")
    async with running(a_file(tmp_path)) as rt:
        assert await rt.send("f", "link") == "text"


# -- listing -------------------------------------------------------------------------------------


def make(root: Path, *names: str) -> None:
    """Files with these names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ((), ["a.csv", "b.txt", "sub/c.csv", "sub/deep/d.csv"]),
        (("pattern: '*.csv'",), ["a.csv"]),
        (("pattern: '**/*.csv'",), ["a.csv", "sub/c.csv", "sub/deep/d.csv"]),
        (("path: sub",), ["sub/c.csv", "sub/deep/d.csv"]),
        (("path: sub", "pattern: '*.csv'"), ["sub/c.csv"]),
    ],
)
async def test_files_are_listed_by_pattern(
    tmp_path: Path, lines: tuple[str, ...], found: list[str]
) -> None:
    make(tmp_path, "b.txt", "a.csv", "sub/c.csv", "sub/deep/d.csv", ".a.csv.0123.draft")
    (tmp_path / "loop").symlink_to(tmp_path)
    async with running(a_file(tmp_path, "op: list", *lines)) as rt:
        entries = await rt.send("f", None)
    assert [entry["path"] for entry in entries] == found
    assert all(entry["size"] == len(entry["path"]) for entry in entries)
    assert entries[0]["modified"].endswith("+00:00")


async def test_more_files_than_allowed_are_an_error(tmp_path: Path) -> None:
    make(tmp_path, "a", "b", "c")
    async with running(a_file(tmp_path, "op: list", "most: 2")) as rt:
        assert "more than 2 files" in await rejected(rt, None, "too-large")


@pytest.mark.parametrize(
    ("path", "pattern", "fit"),
    [
        ("a/b/c.csv", "**/*.csv", True),
        ("c.csv", "**/*.csv", True),
        ("a/c.csv", "*.csv", False),
        ("a/b/c", "a/**", True),
        ("a/b/c", "a/**/c", True),
        ("a/c", "a/**/c", True),
        ("b/c", "a/**", False),
        ("[x]", "[[]x]", True),
    ],
)
def test_patterns_fit_paths(path: str, pattern: str, fit: bool) -> None:
    assert fits(path, pattern) == fit


# -- watching ------------------------------------------------------------------------------------


class Seen:
    """What a watch has told, and a way to wait for it."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self.gate = asyncio.Event()
        self.gate.set()

    def kind(self) -> Any:
        """Return a node that notes what it is sent."""

        @node("see")
        async def see(payload: Any) -> Any:
            self.queue.put_nowait((payload["change"], payload["path"]))
            await self.gate.wait()

        return see

    async def next(self) -> tuple[str, str]:
        """Return the next change."""
        async with asyncio.timeout(60):
            return await self.queue.get()


def watch(root: Path, *lines: str) -> str:
    """Return a watch whose changes are noted."""
    more = ("op: watch", "settle: 20ms", "ports: {out: [{name: see, port: in}]}", *lines)
    return a_file(root, *more) + "- {kind: see, name: see}\n"


async def test_changes_of_files_begin_processes(tmp_path: Path) -> None:
    seen = Seen()
    async with running(watch(tmp_path, "pattern: '**/*.csv'"), extensions=[seen.kind()]):
        (tmp_path / "b.txt").write_text("no")
        (tmp_path / "a.csv").write_text("yes")
        assert await seen.next() == ("added", "a.csv")
        (tmp_path / "a.csv").unlink()
        assert await seen.next() == ("deleted", "a.csv")


async def test_existing_files_are_told_when_they_are_asked_for(tmp_path: Path) -> None:
    make(tmp_path, "b", "a")
    seen = Seen()
    async with running(watch(tmp_path, "existing: true"), extensions=[seen.kind()]):
        assert await seen.next() == ("existing", "a")
        assert await seen.next() == ("existing", "b")


async def test_a_file_that_changes_again_before_its_turn_has_one_turn(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    gate, last = asyncio.Event(), asyncio.Event()

    async def deliver(name: str, word: str) -> None:
        told.append((name, word))
        await gate.wait()
        if name == "last":
            last.set()

    watching = FolderWatch(FolderRoot(str(tmp_path)), 0.02)
    watching.deliver = deliver
    await watching.start()
    for name, word in [("first", "added"), ("x", "added"), ("y", "added"), ("x", "modified")]:
        watching.add(name, word)
        await asyncio.sleep(0)
    assert watching.waiting == 2
    watching.add("last", "added")
    gate.set()
    async with asyncio.timeout(60):
        await last.wait()
    watching.stop()
    await watching.wait()
    assert told == [("first", "added"), ("x", "modified"), ("y", "added"), ("last", "added")]


async def test_no_change_is_lost_in_a_reload(tmp_path: Path) -> None:
    seen = Seen()
    text = watch(tmp_path)
    async with running(text, extensions=[seen.kind()]) as rt:
        seen.gate.clear()
        (tmp_path / "a").write_text("x")
        assert await seen.next() == ("added", "a")
        (tmp_path / "b").write_text("x")
        await change(rt, text.replace("op: watch", "op: watch\n  most: 7"))
        seen.gate.set()
        assert await seen.next() == ("added", "b")


async def test_a_folder_that_is_not_there_rejects_the_watch(tmp_path: Path) -> None:
    seen = Seen()
    async with running("- {kind: nop, name: n}\n", extensions=[seen.kind()]) as rt:
        await change(rt, watch(tmp_path / "no"))
        assert "there is no folder" in str(rt.status().problems[0])


async def test_a_missing_folder_is_a_failure_until_it_is_back(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    watching = FolderWatch(FolderRoot(str(folder)), 0.02)
    # After the look whether it is there, and before the first look into it.
    asyncio.get_running_loop().call_soon(folder.rmdir)
    await watching.start()
    await until(lambda: bool(watching.failure))
    folder.mkdir()
    await until(lambda: not watching.failure)
    watching.stop()
    await watching.wait()


async def test_an_error_is_told_and_the_next_change_comes(tmp_path: Path) -> None:
    flow = a_file(tmp_path, "op: watch", "settle: 20ms", "ports: {out: [{name: bad, port: in}]}")
    async with running(flow, "- {kind: throw, name: bad}\n") as rt:
        for name in ("a", "b"):
            told = asyncio.ensure_future(rt.events.wait("file failed"))
            await asyncio.sleep(0)
            (tmp_path / name).write_text("x")
            async with asyncio.timeout(60):
                assert (await told).data["path"] == name


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("root: ''", "root"),
        ('root: "a\\0b"', "this is not a folder"),
        ("root: ~nobody-of-that-name/x", "this is not a folder"),
        ("root: x, op: watch, path: y", "a path to watch (expected: a pattern)"),
        ("root: x, existing: true", "existing without op: watch"),
        ("root: x, op: wach", "watch"),
    ],
)
async def test_a_spec_that_cannot_work_is_a_problem(lines: str, said: str) -> None:
    async with running(f"- {{kind: file, name: f, {lines}}}\n") as rt:
        [problem] = rt.status().problems
    assert said in str(problem)


async def test_a_link_to_a_watch_is_a_problem(tmp_path: Path) -> None:
    flow = a_file(tmp_path, "op: watch") + "- {kind: nop, name: n}\n"
    flow += "- {kind: pipe, name: p, ports: {out: [{name: f, port: in}]}}\n"
    async with running(flow) as rt:
        assert any("f" in str(one) and "in" in str(one) for one in rt.status().problems)


async def test_the_example_of_the_page_runs() -> None:
    from heddle.extensions.data.file import FILE

    async with running(FILE.schema.example) as rt:
        assert not rt.status().problems
        # The packet of the second node is the answer of the first.
        assert await rt.send("write_and_read", {"hello": "world"}) == {"hello": "world"}
    assert os.path.isdir("/tmp/heddle-example")  # noqa: PTH112, ASYNC240 - as the page says


async def test_a_link_in_the_path_that_is_swapped_shows_what_differs(tmp_path: Path) -> None:
    make(tmp_path / "r1", "same", "old", "both")
    make(tmp_path / "r2", "new", "both")
    (tmp_path / "r1" / "same").rename(tmp_path / "r2" / "same")
    (tmp_path / "current").symlink_to("r1")
    seen = Seen()
    async with running(watch(tmp_path / "current"), extensions=[seen.kind()]):
        (tmp_path / "r1" / "first").write_text("x")
        assert await seen.next() == ("added", "first")
        (tmp_path / "next").symlink_to("r2")
        (tmp_path / "next").replace(tmp_path / "current")
        told = {await seen.next() for _ in range(5)}
        assert told == {
            ("modified", "both"),
            ("deleted", "first"),
            ("added", "new"),
            ("deleted", "old"),
            ("added", "same"),
        }
        (tmp_path / "r2" / "last").write_text("x")
        assert await seen.next() == ("added", "last")


async def test_files_of_a_config_map_are_seen_at_every_swap(tmp_path: Path) -> None:
    def mount(number: int) -> None:
        make(tmp_path / f"..{number}", "a.json")
        (tmp_path / f"..{number}" / "a.json").write_text(str(number))
        (tmp_path / "..new").symlink_to(f"..{number}")
        (tmp_path / "..new").replace(tmp_path / "..data")

    mount(0)
    (tmp_path / "a.json").symlink_to("..data/a.json")
    seen = Seen()
    async with running(watch(tmp_path, "pattern: a.json"), extensions=[seen.kind()]):
        for number in range(1, 6):
            mount(number)
            assert await seen.next() == ("modified", "a.json")


async def test_a_watched_folder_that_is_moved_away_and_back_goes_on(tmp_path: Path) -> None:
    folder, away = tmp_path / "in", tmp_path / "away"
    make(folder, "kept")
    seen = Seen()
    async with running(watch(folder), extensions=[seen.kind()]) as rt:
        folder.rename(away)
        await until(lambda: bool(degraded(rt, "f")))
        (away / "new").write_text("x")
        away.rename(folder)
        assert await seen.next() == ("added", "new")
        (folder / "last").write_text("x")
        assert await seen.next() == ("added", "last")


async def test_reading_follows_a_link_that_is_swapped(tmp_path: Path) -> None:
    for name in ("r1", "r2"):
        make(tmp_path / name, "x")
        (tmp_path / name / "x").write_text(name)
    (tmp_path / "current").symlink_to("r1")
    async with running(a_file(tmp_path / "current", "path: x", "format: text")) as rt:
        assert await rt.send("f") == "r1"
        (tmp_path / "next").symlink_to("r2")
        (tmp_path / "next").replace(tmp_path / "current")
        assert await rt.send("f") == "r2"
