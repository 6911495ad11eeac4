"""file: reads, writes, lists and watches the files of one folder, and of no other."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from heddle.extensions.data import file_io as files
from heddle.extensions.data.contents import (
    ContentStream,
    Format,
    decoded,
    encoded,
    path_and_data,
    path_of,
)
from heddle.extensions.data.errors import of_system, rejected
from heddle.extensions.data.folder_watch import FIRST, LAST, FolderWatch
from heddle.extensions.data.root import FolderRoot
from heddle.extensions.extension import (
    IN,
    Action,
    Actor,
    Build,
    ByteStream,
    Duty,
    Error,
    FieldError,
    Fields,
    Handler,
    Host,
    Interval,
    Kind,
    Node,
    Payload,
    Port,
    Process,
    Schema,
    Singleton,
    Size,
    Source,
    Stream,
    Text,
    about,
)
from heddle.extensions.pieces import bytes_of

T = TypeVar("T")


class FileFields(Fields):
    """The fields of a `file`."""

    root: Annotated[
        str, about("The folder that all paths begin in, and that none leads out of.", min_length=1)
    ]
    op: Annotated[
        Literal["read", "write", "append", "remove", "list", "watch"],
        about("What to do with a file; `watch` begins a process for each file that changes."),
    ] = "read"
    path: Annotated[
        Text | None,
        about(
            "The file, from the folder on; the packet says it if this does not. For `list`, the "
            "folder to list.",
            examples=["reports/today.txt"],
        ),
    ] = None
    format: Annotated[
        Format,
        about(
            "What the contents are: UTF-8 text, bytes, JSON data, or a byte stream as they come."
        ),
    ] = "text"
    newline: Annotated[bool, about("End what is written with a line break.")] = False
    folders: Annotated[bool, about("Make the folders that a file is written into.")] = True
    pattern: Annotated[
        str,
        about(
            "Which files to list or watch: `*` is any name, `**` any number of folders.",
            examples=["*.csv", "**/*.json"],
        ),
    ] = "**"
    limit: Annotated[
        Size, about("The largest file that is read at once, and written; 0 is no limit.")
    ] = Size("64MiB")
    most: Annotated[int, about("The most files that are listed.", ge=1)] = 10_000
    settle: Annotated[
        Interval, about("How long a file has to be left alone before its change is told.")
    ] = Interval("100ms")
    existing: Annotated[bool, about("Tell the files that are there when `watch` begins, too.")] = (
        False
    )
    singleton: Annotated[
        Singleton,
        about(
            "Where `watch` looks: in one runtime of each machine (`machine`), in one of all that "
            "follow the store, or in every worker."
        ),
    ] = "machine"

    def __post_init__(self) -> None:
        if self.existing and self.op != "watch":
            raise FieldError("existing without op: watch", expected="op: watch", path=("existing",))
        if self.path is not None and self.op == "watch":
            raise FieldError("a path to watch", expected="a pattern", path=("path",))


class FileNode(Node):
    """Does one thing with files."""

    def __init__(self, fields: FileFields, root: FolderRoot) -> None:
        self._fields = fields
        self._root = root
        self._path = str(fields.path) if fields.path is not None else None
        self._turn = asyncio.Lock()
        acts: dict[str, Callable[[Payload, Process], Awaitable[Payload]]] = {
            "read": self._read,
            "write": self._write,
            "append": self._append,
            "remove": self._remove,
            "list": self._list,
        }
        self._action = Action(acts[fields.op], process=True, waits=True)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None

    async def _read(self, payload: Payload, process: Process) -> Payload:
        path = path_of(payload, self._path)
        file, form = self._root.file(path), self._fields.format
        if form == "stream":
            return await self._stream(path, file, process)
        data = await _done(path, files.read, file, int(self._fields.limit))
        return decoded(data, form, path)

    async def _stream(self, path: str, file: Path, process: Process) -> ByteStream:
        def opened() -> ContentStream:
            raw = file.open("rb")
            return ContentStream(raw, os.fstat(raw.fileno()).st_size)

        reading = await _done(path, opened)
        try:
            process.own(reading.stream)
        except ValueError:
            await reading.close()
            raise
        return reading.stream

    async def _write(self, payload: Payload, process: Process) -> Payload:
        del process
        path, data = path_and_data(payload, self._path)
        file = self._root.file(path)
        if isinstance(data, Stream):
            size = await self._write_stream(path, file, bytes_of(data))
        else:
            size = await _done(path, self._put, files.write, file, self._contents(data))
        return {"path": self._root.name(file), "size": size}

    async def _write_stream(self, path: str, file: Path, data: ByteStream) -> int:
        draft = await _done(path, lambda: files.FileDraft(file, folders=self._fields.folders))
        limit, size = int(self._fields.limit), 0
        try:
            async for chunk in data:
                size += len(chunk)
                if limit and size > limit:
                    raise rejected(f"{path}: more than the limit of {limit} bytes", "too-large")
                await _done(path, draft.write, chunk)
            if self._fields.newline:
                draft.write(b"\n")
            return await _done(path, draft.finish)
        finally:
            draft.drop()

    async def _append(self, payload: Payload, process: Process) -> Payload:
        del process
        path, data = path_and_data(payload, self._path)
        if isinstance(data, Stream):
            data = await bytes_of(data).read(int(self._fields.limit) or None)
        file, contents = self._root.file(path), self._contents(data)
        # One after the other: the parts of two must not come to stand between each other.
        async with self._turn:
            size = await _done(path, self._put, files.append, file, contents)
        return {"path": self._root.name(file), "size": size}

    def _put(self, put: Callable[..., int], file: Path, contents: bytes) -> int:
        return put(file, contents, folders=self._fields.folders)

    def _contents(self, data: Payload) -> bytes:
        contents = encoded(data, self._fields.format) + (b"\n" if self._fields.newline else b"")
        limit = int(self._fields.limit)
        if limit and len(contents) > limit:
            raise rejected(f"{len(contents)} bytes are more than the limit of {limit}", "too-large")
        return contents

    async def _remove(self, payload: Payload, process: Process) -> Payload:
        del process
        path = path_of(payload, self._path)
        return await _done(path, files.remove, self._root.file(path))

    async def _list(self, payload: Payload, process: Process) -> Payload:
        del payload, process
        path, fields = self._path or "", self._fields
        folder = self._root.inside(path)
        return await _done(path, files.entries, self._root, folder, fields.pattern, fields.most)


async def _done(path: str, act: Callable[..., T], *given: Any) -> T:
    """Return what a call gives, made in a thread; OSError becomes a NodeError that names the path."""
    try:
        return await asyncio.to_thread(act, *given)
    except OSError as error:
        raise of_system(path, error) from error


class WatchNode(Node, Actor):
    """Begins a process for each file that has changed, one after the other."""

    def __init__(self, fields: FileFields, root: FolderRoot) -> None:
        self._fields = fields
        self._root = root
        self._watching: FolderWatch | None = None
        self._adopted = False
        self._given_away = False
        self._host: Host | None = None
        self._duty: Duty | None = None
        self._opening = False
        self._source: Source | None = None
        self._beginning: asyncio.Task[None] | None = None

    def adopt(self, predecessor: Node) -> None:
        """Take over the folder that is looked at, if it is the same, with what waits."""
        if not isinstance(predecessor, WatchNode):
            return
        mine, its = self._fields, predecessor._fields
        same = self._root.given == predecessor._root.given and mine.settle == its.settle
        if same and predecessor._watching is not None:
            self._watching, self._adopted = predecessor._watching, True
            self._watching.deliver = None
            predecessor._given_away = True

    def disown(self, predecessor: Node) -> None:
        """Give it back."""
        if not isinstance(predecessor, WatchNode):
            return
        if self._adopted:
            self._watching, self._adopted = None, False
            predecessor._given_away = False
            predecessor._take_charge()

    async def open(self, host: Host) -> None:
        """Begin to look, once it is ours to; raise OSError if there is no such folder."""
        self._host = host
        self._source = Source(host, "file failed")
        duty = self._duty = host.duty(self._fields.singleton)
        self._opening = True
        await duty.follow(self)
        self._opening = False
        if duty.held:
            await self._begin()

    def take(self, mark: float | None) -> None:
        """Begin to look."""
        del mark
        host = self._host
        if host is not None and not self._opening and not self._given_away:
            self._beginning = host.tasks.start(self._begin_late(host))

    def lose(self) -> None:
        """Look no more: somebody else does."""
        self._stop_beginning()
        watching, host = self._watching, self._host
        if watching is not None and host is not None and not self._given_away:
            self._watching = None
            watching.stop()
            host.tasks.start(watching.wait())

    def _stop_beginning(self) -> None:
        task, self._beginning = self._beginning, None
        if task is not None:
            task.cancel()

    async def _begin_late(self, host: Host) -> None:
        """Begin after somebody else; a folder that is not there is tried again, as one that went away."""
        pause = FIRST
        while True:
            try:
                await self._begin()
                return
            except OSError as error:
                host.emit("folder cannot be watched", level="error", error=Error.of(error))
            await asyncio.sleep(pause)
            pause = min(pause * 2, LAST)

    async def _begin(self) -> None:
        if self._watching is None:
            watching = FolderWatch(self._root, float(self._fields.settle))
            await watching.start()
            self._watching = watching
            if self._fields.existing:
                for entry in await asyncio.to_thread(
                    files.entries, self._root, self._root.path, self._fields.pattern, 1_000_000
                ):
                    watching.add(str(entry["path"]), "existing")
        self._take_charge()

    def _take_charge(self) -> None:
        """Be told of changes from now on."""
        watching, host = self._watching, self._host
        if watching is not None and host is not None:
            watching.deliver = self._changed
            watching.failed = lambda error: host.emit(
                "folder cannot be watched", level="error", error=Error.of(error)
            )
            watching.resume()

    async def pause(self) -> None:
        """Tell no more changes, unless somebody has taken over."""
        if self._watching is not None and not self._given_away:
            self._watching.stop()
        self._stop_beginning()

    async def close(self) -> None:
        """Wait until it has stopped, unless somebody has taken over."""
        if self._watching is not None and not self._given_away:
            await self._watching.wait()
        if self._duty is not None:
            await self._duty.leave(self)

    def snapshot(self) -> Mapping[str, Any]:
        """Return the folder, and how many files wait."""
        shown: dict[str, Any] = {"root": str(self._root.path)}
        if self._watching is not None:
            shown["waiting"] = self._watching.waiting
        if self._duty is not None and not self._duty.alone:
            shown["lease"] = self._duty.snapshot()
        return shown

    def degraded(self) -> str:
        """Return why the folder cannot be watched; "" if it can."""
        watching = self._watching
        if self._duty is not None and self._duty.failure:
            return self._duty.failure
        if watching is None or not watching.failure:
            return ""
        return f"{self._root.given} cannot be watched: {watching.failure}"

    async def _changed(self, path: str, change: str) -> None:
        """Process one file; the next one comes when this has ended."""
        if self._source is not None and files.fits(path, self._fields.pattern):
            await self._source.run({"path": path, "change": change}, path=path)


def compile_file(fields: FileFields, build: Build) -> Node:
    """Return the folder need not be there yet, except to be watched."""
    try:
        root = FolderRoot(fields.root)
    except (OSError, ValueError, RuntimeError) as error:
        build.reject(
            "root", found=f"this is not a folder: {error}", expected="the path of a folder"
        )
    return WatchNode(fields, root) if fields.op == "watch" else FileNode(fields, root)


def _ports(fields: FileFields) -> tuple[tuple[Port, ...], tuple[Port, ...]]:
    return (() if fields.op == "watch" else (IN,)), ()


FILE: Kind[Any] = Kind(
    Schema(
        kind="file",
        begins=lambda fields: fields.get("op") == "watch",
        fields=FileFields,
        summary="Reads, writes, lists and watches the files of one folder.",
        category="data",
        ports=_ports,
        outs=(
            Port("out", "The contents, or what was done; for `watch`, `{path, change}`."),
            Port("error", "Errors; not linked, they are the answer, or told as an event."),
        ),
        example="""\
- kind: pipe
  name: write_and_read
  ports:
    out[0]:
      - {name: write, port: in}
    out[1]:
      - {name: read, port: in}
- kind: file
  name: write
  op: write
  root: /tmp/heddle-example
  path: greeting.json
  format: json
- kind: file
  name: read
  root: /tmp/heddle-example
  path: greeting.json
  format: json
""",
        details="""\
Without a `path` of its own, `read` and `remove` take the packet, or what it has as `path`, as the path;
`write` and `append` take `{path, data}`. So a request can be read from as it is: its `path` begins in the
folder. `root` is where its path leads at that moment: a link in it may be swapped. A path with `..`, and one that leads out of the folder through a link, is rejected (`forbidden`).
Whoever can change the folder itself can move links while they are followed: give it to nobody else.

* `read` answers the contents. With `format: stream` they are a byte stream, which lives as long as its
  process.
* `write` replaces a file as a whole: who reads it sees the old one or the new one, never a part, even
  where the machine fails. A byte stream is written as it comes, a [stream](../streams.md) of data as JSON lines. It answers `{path, size}`.
* `append` adds to the end, and makes the file where there is none. Packets of one node are appended one
  after the other. It answers `{path, size}`, with the size of what was added.
* `remove` answers whether the file was there.
* `list` answers a list of `{path, name, size, modified}`, by path: the files below `path` that fit the
  `pattern`. Links are left out.
* `watch` has no in port. Each file that fits the `pattern` and was `added`, `modified` or `deleted` is a
  process of its own, with `{path, change}`; with `existing`, those that are there at first are, too. They
  are told one after the other, and a file that changes again before its turn has one turn. An Error goes
  to `error`, or is told as the event `file failed`. When a link in the path of `root` is swapped, or the
  folder comes back after it was gone, the files that differ are told. Nothing is lost in a reload that leaves `root` and
  `settle` as they are. Of several runtimes on one machine, one looks; if it ends, another does, and tells
  what changes from then on. What is added by moving a file over another may be told as `modified` or `added`.

With `format: json` data is read and written as JSON; otherwise what is written is text or bytes. Errors
have the codes `not-found`, `forbidden`, `folder`, `too-large`, `text`, `json`, `full`, and `failed` for
all others. Files take no part in transactions: what was written stays, whatever becomes of the process.
""",
    ),
    compile_file,
)
