"""What an example promises: a curl line, and below it what comes back.

$ curl -i -X DELETE localhost:8000/nowhere
HTTP/1.1 404 Not Found
Content-Type: text/plain; charset=utf-8
Not Found

It stands in the comment at the top of a file, or in the `console` blocks of a README. With `-i` the
status line is shown, and such headers as matter; without, the status is 200. Line ends at the very
end of a body are not told.
"""

import re
import shlex
from base64 import b64encode
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from heddle.specs.yaml.spec_tree import files_below
from tests.docs.fences import fences
from tests.support import fetch

EXAMPLES = Path(__file__).parents[2] / "examples"

_HEADER = re.compile(r"([A-Z][A-Za-z-]*): (.+)")


class Told(NamedTuple):
    """What a reader is told, or what came: the status line, some headers, and the body."""

    status: str
    header: dict[str, str]
    body: str


class Promise(NamedTuple):
    """One request as curl would send it, and what a reader is told comes back."""

    port: int
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    told: Told

    async def came(self, port: int) -> Told:
        """Send it to a port: what came, with the phrase and the headers that were promised."""
        reply = await fetch(
            port, self.path, method=self.method, headers=self.headers, body=self.body
        )
        phrase = self.told.status.partition(" ")[2].partition(" ")[2]
        header = {name: reply.headers.get(name, "") for name in self.told.header}
        return Told(f"HTTP/1.1 {reply.status} {phrase}", header, reply.text.rstrip("\n"))


def promises(text: str) -> list[Promise]:
    """Return every promise in the comment that a text begins with; an empty line ends each."""
    header = takewhile(lambda line: line.startswith("#"), text.splitlines())
    comment = "\n".join(line.removeprefix("#").strip() for line in header)
    return _read(comment.split("\n\n"), EXAMPLES)


def promises_of(page: Path) -> list[Promise]:
    """Return every promise in the console blocks of a page, in order; the next prompt ends each."""
    blocks = (one.code for one in fences(page) if one.language == "console")
    parts = [part for code in blocks for part in re.split(r"^(?=\$ )", code, flags=re.MULTILINE)]
    return _read(parts, page.parent)


def _read(parts: Iterable[str], folder: Path) -> list[Promise]:
    """Return the promises among some parts of a text: those that begin with curl."""
    split = [part.strip("\n").split("\n") for part in parts]
    return [
        _promise(first.removeprefix("$ curl "), told, folder)
        for first, *told in split
        if first.startswith("$ curl ")
    ]


def _promise(command: str, told: list[str], folder: Path) -> Promise:
    """Return the promise of one curl line and the lines below it."""
    words = iter(shlex.split(command))
    method, target, body, headers, whole = "", "", b"", {}, False
    for word in words:
        if word == "-i":
            whole = True
        elif word == "-N":
            continue
        elif word == "-X":
            method = next(words)
        elif word == "-d":
            body = next(words).encode()
        elif word == "--data-binary":
            body = (folder / next(words).removeprefix("@")).read_bytes()
        elif word == "-u":
            headers["Authorization"] = f"Basic {b64encode(next(words).encode()).decode()}"
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        else:
            target = word
    found = re.fullmatch(r"localhost:(\d+)(/.*)", target)
    assert found, f"no promise can be read from: {command}"
    method = method or ("POST" if body else "GET")
    return Promise(int(found[1]), method, found[2], headers, body, _told(told, whole=whole))


def _told(lines: list[str], *, whole: bool) -> Told:
    """Return what comes back: with the status and some headers, or the body alone."""
    if not whole:
        return Told("HTTP/1.1 200 OK", {}, "\n".join(lines))
    rest = lines[1:]
    header = list(takewhile(bool, map(_HEADER.fullmatch, rest)))
    named = {one[1]: one[2] for one in header if one}
    return Told(lines[0], named, "\n".join(rest[len(named) :]))


def texts(example: str) -> dict[str, str]:
    """Return the files of an example, a file or a folder, and what they hold."""
    path = EXAMPLES / example
    if path.is_file():
        return {example: path.read_text()}
    return {name: (path / name).read_text() for name in files_below(str(path))}
