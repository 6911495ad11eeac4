"""What the comments of an example promise: a curl line, and below it what comes back.

#   $ curl -i localhost:8000/nowhere
#   HTTP/1.1 404 Not Found
#   Not Found
"""

import shlex
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from heddle.specs.document import files_below
from tests.support import fetch

EXAMPLES = Path(__file__).parents[2] / "examples"


class Promise(NamedTuple):
    """One request as curl would send it, and what a reader is told comes back."""

    method: str
    path: str
    headers: dict[str, str]
    body: str
    status: str
    answer: str

    @property
    def told(self) -> tuple[str, str]:
        """The status line and the body that a reader is told of."""
        return self.status, self.answer

    async def came(self, port: int) -> tuple[str, str]:
        """Send it to a port: the status line, with the phrase of the promise, and the body."""
        reply = await fetch(
            port, self.path, method=self.method, headers=self.headers, body=self.body
        )
        phrase = self.status.partition(" ")[2].partition(" ")[2]
        return f"HTTP/1.1 {reply.status} {phrase}", reply.text


def promises(text: str) -> list[Promise]:
    """Every promise in the comment that a text begins with."""
    found: list[Promise] = []
    header = takewhile(lambda line: line.startswith("#"), text.splitlines())
    lines = [line.removeprefix("#").strip() for line in header]
    for index, line in enumerate(lines):
        if line.startswith("$ curl "):
            told = lines[index + 1 :]
            end = told.index("") if "" in told else len(told)
            found.append(promise(line.removeprefix("$ curl "), told[:end]))
    return found


def promise(command: str, told: list[str]) -> Promise:
    """The promise of one curl line and the lines below it."""
    words = iter(shlex.split(command))
    method, path, body, headers, whole = "", "", "", {}, False
    for word in words:
        if word == "-i":
            whole = True
        elif word == "-X":
            method = next(words)
        elif word == "-d":
            body = next(words)
        elif word == "-H":
            name, _, value = next(words).partition(": ")
            headers[name] = value
        else:
            assert word.startswith("localhost:8000/"), f"no promise can be read from: {command}"
            path = word.removeprefix("localhost:8000")
    status = told[0] if whole else "HTTP/1.1 200 OK"
    answer = "\n".join(told[1:] if whole else told)
    return Promise(method or ("POST" if body else "GET"), path, headers, body, status, answer)


def texts(example: str) -> dict[str, str]:
    """The files of an example, a file or a folder, and what they hold."""
    path = EXAMPLES / example
    if path.is_file():
        return {example: path.read_text()}
    return {name: (path / name).read_text() for name in files_below(str(path))}
