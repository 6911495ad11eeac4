"""files: serves the files of a folder."""

import asyncio
import mimetypes
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from heddle.extensions.extension import (
    IN,
    Action,
    Answer,
    Build,
    Fields,
    Handler,
    Kind,
    Node,
    Payload,
    Port,
    Process,
    Schema,
    about,
)
from heddle.extensions.net.answers import header_of, method_of
from heddle.extensions.net.http.negotiate import weights
from heddle.extensions.net.http.path import raw_of, segment_of
from heddle.extensions.net.http.request import HttpRequest
from heddle.extensions.net.http_client.target import written_query
from heddle.extensions.net.static import known, reading
from heddle.extensions.net.static.place import SWAPS, Folder, Links, StaticFile, StaticRoot
from heddle.extensions.net.static.ranges import Range, RangeError, ranges_of
from heddle.extensions.response import HttpResponse
from heddle.runtime.flow.stream import ByteStream
from heddle.schemas.ascii import lower
from heddle.specs.files.spare import is_passing

Coding = Literal["br", "gzip", "zst"]
_ENDINGS: Final = {"br": ".br", "gzip": ".gz", "zst": ".zst"}
_NAMES: Final = {"zst": "zstd"}

# What is written everywhere alike, whatever the machine has in its own lists.
_TYPES: Final = {
    ".html": "text/html",
    ".htm": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
    ".avif": "image/avif",
    ".ico": "image/x-icon",
    ".wasm": "application/wasm",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".md": "text/markdown",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".txt": "text/plain",
    ".csv": "text/csv",
    ".xml": "text/xml",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".pdf": "application/pdf",
    ".gz": "application/gzip",
    ".br": "application/octet-stream",
}


class FilesFields(Fields):
    """The fields of a `files`."""

    root: Annotated[str, about("The folder.", examples=["./public"], min_length=1)]
    prefix: Annotated[
        str,
        about(
            "What is taken off the path of a request first. Where a router has found the rest of "
            "the path (`*`), that is taken instead.",
            examples=["/static"],
        ),
    ] = ""
    index: Annotated[list[str], about("What is served for a folder: the first that is there.")] = (
        msgspec.field(default_factory=lambda: ["index.html"])
    )
    fallback: Annotated[
        str,
        about("The file that is served if there is none, with status 200: for an app of one page."),
    ] = ""
    precompressed: Annotated[
        list[Coding],
        about(
            "Packed files that lie beside the others (`app.js.br`), the coding liked best first.",
            examples=[["br", "gzip"]],
        ),
    ] = msgspec.field(default_factory=list)
    cache: Annotated[
        str,
        about(
            "The `Cache-Control` of every file.", examples=["public, max-age=31536000, immutable"]
        ),
    ] = "no-cache"
    symlinks: Annotated[
        Links,
        about(
            "Symbolic links may lead `inside` the root; `refuse` them; or `follow` them anywhere."
        ),
    ] = "inside"
    hidden: Annotated[
        bool, about("Serve what begins with a dot, too; `.well-known` is served anyway.")
    ] = False
    types: Annotated[
        dict[str, str],
        about(
            "Content types by ending, beside the usual.", examples=[{".glb": "model/gltf-binary"}]
        ),
    ] = msgspec.field(default_factory=dict)


class FilesNode(Node):
    """Looks a request's path up below a root."""

    def __init__(self, fields: FilesFields) -> None:
        self._fields = fields
        self._root = StaticRoot(fields.root, links=fields.symlinks, hidden=fields.hidden)
        own = {_ending(name): kind for name, kind in fields.types.items()}
        self._types = {**_TYPES, **own}
        self._handler = Action(self._act, process=True, waits=True)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._handler if port == "in" else None

    async def _act(self, payload: Payload, process: Process) -> Answer:
        method = method_of(payload)
        if method not in ("GET", "HEAD"):
            return HttpResponse(
                {"status": 405, "header": {"Allow": "GET, HEAD"}, "body": "Method Not Allowed"}
            )
        path = self._path(payload)
        if path is None:
            return _LOST

        def header(name: str) -> str:
            return header_of(payload, name)

        answer = await asyncio.to_thread(self._answer, path, header, method)
        if answer["status"] == 301:
            answer["header"]["Location"] += _query_of(payload)
        body = answer.get("body")
        if isinstance(body, ByteStream):
            process.own(body)
        return answer

    def _path(self, payload: Payload) -> str | None:
        """Return the path below the root; None if the request is for somewhere else."""
        params = payload.get("params")
        if isinstance(params, dict) and isinstance(params.get("*"), str):
            return str(params["*"])
        path = payload.get("path")
        if not isinstance(path, str):
            raise TypeError("found no path (expected: a request, as a listener sends it)")
        prefix = self._fields.prefix.rstrip("/")
        if prefix:
            if path != prefix and not path.startswith(prefix + "/"):
                return None
            path = path[len(prefix) :]
        # The slash before the path is not a part of it: one more would be an empty segment.
        return path.removeprefix("/")

    # -- in a thread: looks at the disk ----------------------------------------------------------

    def _answer(self, path: str, header: Callable[[str], str], method: str) -> dict[str, Any]:
        for _ in range(SWAPS):
            try:
                return self._looked_up(path, header, method)
            except FileNotFoundError:
                # It was swapped after it was looked up: look again.
                continue
            except OSError as error:
                return _SHORT if is_passing(error) else _LOST
        return _LOST

    def _looked_up(self, path: str, header: Callable[[str], str], method: str) -> dict[str, Any]:
        name = path
        entry = self._root.find(path)
        if isinstance(entry, Folder):
            if path and not path.endswith("/"):
                # Links of a page would lead astray; relative, because of what stands before us.
                last = path.rpartition("/")[2]
                location = f"./{raw_of(last)}/"
                # With a body, HEAD gives the same headers as GET: of an empty one it gives no length.
                return HttpResponse(
                    {
                        "status": 301,
                        "header": {"Location": location},
                        "body": "Moved Permanently",
                    }
                )
            name, entry = self._index(path)
        if entry is None and self._fields.fallback:
            name = self._fields.fallback
            entry = self._root.find(name)
        if not isinstance(entry, StaticFile):
            return _LOST
        return self._serve(name, entry, header, method)

    def _index(self, path: str) -> tuple[str, StaticFile | None]:
        for text in self._fields.index:
            name = f"{path}/{text}" if path and not path.endswith("/") else path + text
            entry = self._root.find(name)
            if isinstance(entry, StaticFile):
                return name, entry
        return path, None

    def _serve(
        self, name: str, static_file: StaticFile, header: Callable[[str], str], method: str
    ) -> dict[str, Any]:
        kind = self._kind(name)
        coding, static_file = self._packed(name, static_file, header("Accept-Encoding"))
        tag = known.tag_of(static_file, coding)
        mapping: dict[str, str] = {
            "ETag": tag,
            "Last-Modified": known.date_of(static_file),
            "Cache-Control": self._fields.cache,
            "Accept-Ranges": "bytes",
            "Content-Type": kind,
            "X-Content-Type-Options": "nosniff",
        }
        if self._fields.precompressed:
            mapping["Vary"] = "Accept-Encoding"
        if coding:
            mapping["Content-Encoding"] = coding
        status = known.judge(static_file, tag, header)
        if status != 200:
            return _judged(status, mapping, static_file)
        text = header("Range")
        if text and method == "GET" and known.same(static_file, tag, header("If-Range")):
            try:
                ranges = ranges_of(text, static_file.size)
            except RangeError:
                mapping = {"Content-Range": f"bytes */{static_file.size}"}
                return HttpResponse(
                    {"status": 416, "header": mapping, "body": "Range Not Satisfiable"}
                )
            if ranges is not None:
                return _partial(static_file, ranges, mapping, kind)
        if method == "HEAD":
            return HttpResponse(
                {
                    "status": 200,
                    "header": mapping,
                    "body": ByteStream(_nothing(), size=static_file.size),
                }
            )
        file, data = reading.whole(static_file)
        body = data if file is None else reading.stream(file, 0, static_file.size)
        return HttpResponse({"status": 200, "header": mapping, "body": body})

    def _packed(self, name: str, file: StaticFile, accept: str) -> tuple[str, StaticFile]:
        """Return the packed file beside this one that the client takes, if there is one as new."""
        if not self._fields.precompressed or not accept:
            return "", file
        liked = weights(accept)
        for coding in self._fields.precompressed:
            word = _NAMES.get(coding, coding)
            if liked.get(word, liked.get("*", 0.0)) <= 0:
                continue
            packed = self._root.find(name + _ENDINGS[coding])
            if isinstance(packed, StaticFile) and packed.changed >= file.changed:
                return word, packed
        return "", file

    def _kind(self, name: str) -> str:
        """Return the content type, by the ending."""
        ending = lower(Path(segment_of(name)).suffix)
        kind = self._types.get(ending) or mimetypes.guess_type(name)[0]
        if kind is None:
            return "application/octet-stream"
        text = kind.startswith("text/") or kind in ("application/json", "image/svg+xml")
        return f"{kind}; charset=utf-8" if text and "charset" not in kind else kind


_NO_BYTES: Final[tuple[bytes, ...]] = ()
_LOST: Final = HttpResponse(status=404, body="Not Found")
_SHORT: Final = HttpResponse(status=503, header={"Retry-After": "1"})
"""The answer when a file cannot be opened for a reason that may pass."""


def _judged(status: int, mapping: dict[str, str], file: StaticFile) -> dict[str, Any]:
    """Return the answer to a request whose condition does not hold."""
    kept = ("ETag", "Last-Modified", "Cache-Control", "Vary")
    header = {text: mapping[text] for text in kept if text in mapping}
    if status != 304:
        return HttpResponse({"status": status, "header": header, "body": "Precondition Failed"})
    if "Content-Encoding" not in mapping:
        # Type and size are not sent: by them, the listener knows which headers a 200 would have.
        header["Content-Type"] = mapping["Content-Type"]
    return HttpResponse(
        {"status": status, "header": header, "body": ByteStream(_nothing(), size=file.size)}
    )


def _query_of(payload: Payload) -> str:
    """Return the query of a request as it was written, with its mark; "" without one."""
    if type(payload) is HttpRequest:
        return f"?{payload.line.query}" if payload.line.marked else ""
    query = written_query(payload)
    return f"?{query}" if query else ""


def _partial(
    static_file: StaticFile, ranges: list[Range], mapping: dict[str, str], kind: str
) -> dict[str, Any]:
    """Parts of a file."""
    file = reading.open_at(static_file)
    if len(ranges) > 1:
        body, mapping["Content-Type"] = reading.multipart(file, ranges, static_file.size, kind)
    else:
        start, end = ranges[0]
        body = reading.stream(file, start, end)
        mapping["Content-Range"] = f"bytes {start}-{end - 1}/{static_file.size}"
    return HttpResponse({"status": 206, "header": mapping, "body": body})


async def _nothing() -> AsyncIterator[bytes]:
    """Yield the body of an answer to HEAD: never read."""
    for piece in _NO_BYTES:
        yield piece


def _ending(name: str) -> str:
    return lower(name) if name.startswith(".") else f".{lower(name)}"


def compile_files(fields: FilesFields, build: Build) -> Node:
    """Return a root that is not a folder is a Problem."""
    if not Path(fields.root).is_dir():
        build.reject(
            "root",
            found=f'there is no folder "{fields.root}"',
            expected="a folder",
            hint=f"It is looked for from {Path.cwd()}.",
        )
    return FilesNode(fields)


FILES: Kind[Any] = Kind(
    Schema(
        kind="files",
        fields=FilesFields,
        summary="Serves the files of a folder.",
        category="net",
        ins=(IN,),
        outs=(
            Port("out", "The response; not linked, it is the answer."),
            Port("error", "Errors of this node; not linked, they are the answer."),
        ),
        example="""\
- kind: router
  name: router
  routes:
    - {method: GET, path: '/static/*', port: 'out[0]'}
  ports:
    out[0]: {name: static, port: in}
- kind: files
  name: static
  root: .
  cache: public, max-age=3600
""",
        details="""\
The path is that below a router's `*`, or the whole path of the request without `prefix`. It never leads
out of the root: dot segments, backslashes and NUL find nothing, and links may lead inside only, unless
`symlinks` says otherwise. A file has one path: one with an empty segment (`a//b`), with a slash that came
encoded (`a%2Fb`) or in other letters than the file's name is answered 404. What begins with a dot is not there, unless `hidden` is set. A folder is served
by its `index`; without a slash at its end, the client is sent there (301), with its query. There are no listings.

Every file has an `ETag`, made of its time, size and number, and a `Last-Modified`; `If-None-Match`,
`If-Modified-Since`, `If-Match` and `If-Unmodified-Since` are heeded (304, 412). `Range` gives one part or
several (206), and 416 if there is nothing; `If-Range` is heeded. The whole file is sent if more than
16 parts are asked for, or more bytes than it has.

A file of up to 256 KiB is read at once, a larger one while it is sent, always in another thread. Text is
packed on its way as the listener does with every response, unless a packed file lies beside it that is
named by `precompressed` and at least as new.
""",
    ),
    compile_files,
)
