"""snippet: runs a piece of code on each packet."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Literal

from heddle.extensions.extension import (
    ERROR,
    IN,
    OUT,
    Action,
    Build,
    Code,
    Duration,
    Fields,
    Handler,
    Kind,
    LanguageName,
    Node,
    Options,
    Payload,
    Process,
    Program,
    Schema,
    Size,
    Stream,
    TypeOfCode,
    about,
)


class TimeLimit(Duration, gt="0s", le="1h"):
    """The time limit of one run."""


class Snippet(Fields):
    """The fields of a snippet."""

    language: Annotated[
        LanguageName,
        about("The language of the code.", examples=["cel", "javascript", "python", "text"]),
    ]
    code: Annotated[Code, about("The code; it is given the payload and gives the new one.")]
    isolation: Annotated[
        Literal["process"] | None,
        about(
            "`process`: run it in a worker process under limits, and let others go on meanwhile."
        ),
    ] = None
    timeout: Annotated[
        TimeLimit | None,
        about(
            "How long one run may take before it is stopped; 1s if the language has a limit, "
            "10s in a worker."
        ),
    ] = None
    memory: Annotated[
        Size | None,
        about("How much memory one run may take; 64MiB if the language has a limit."),
    ] = None


class SnippetNode(Node):
    """Maps payloads with one program."""

    def __init__(self, program: Program) -> None:
        self._program = program
        streams = getattr(program, "streams", False)
        self._action = Action(self._stream, process=True) if streams else Action(program)

    def handler(self, port: str) -> Handler | None:
        """Return the handler of its only in port."""
        return self._action if port == "in" else None

    def _stream(self, payload: Payload, process: Process) -> Payload:
        """Return the stream that the program makes; the process closes it."""
        stream: Stream = self._program(payload)
        process.own(stream)
        return stream

    async def close(self) -> None:
        """Let go of what the program holds."""
        close = getattr(self._program, "close", None)
        if close is not None:
            close()


def compile_snippet(fields: Snippet, build: Build) -> Node:
    """Compile the code once; a mistake in it is a Problem at its line."""
    options = Options(
        timeout=fields.timeout,
        memory=fields.memory,
        isolation=fields.isolation,
        waits=True,
    )
    return SnippetNode(build.code(fields.language, fields.code, "code", options=options))


_FAILS = re.compile(r"raise|throw|assert|exit|error|reject|NodeError", re.IGNORECASE)


def _passes_on(fields: Mapping[str, Any]) -> bool:
    """Return False if the code may fail because its author wants it to: that ends a cycle."""
    return not _FAILS.search(str(fields.get("code", "")))


def _types(fields: Snippet, type_of_code: TypeOfCode) -> Mapping[str, Any]:
    """Return the type of what the code gives, if its language knows it."""
    return {"out": partial(type_of_code, fields.language, fields.code)}


SNIPPET = Kind(
    Schema(
        kind="snippet",
        fields=Snippet,
        summary="Runs a piece of code on each packet.",
        category="control",
        passes_on=_passes_on,
        types=_types,
        ins=(IN,),
        outs=(OUT, ERROR),
        example="""\
- kind: snippet
  name: greet
  language: cel
  code: "'Hello, ' + self.name + '!'"
""",
        details="""\
The program is given the payload and its result goes to `out`; with nothing linked there, the result
is the answer. `text`, `json` and `yaml` are constants: the code itself is the result. An exception
goes to `error`, with its line in the code. Python that yields gives a [stream](../streams.md#in-python).

Code is compiled when the spec is loaded: a mistake in it rejects the change, at its line. The
languages, and what each of them sees of the payload, are on the page of languages.

A run that takes too long or too much memory is stopped, and fails with `timeout` or with what it
took. `isolation: process` runs the code in one of a few worker processes, which are started when
needed: a packet costs some 50 µs more, everything else goes on meanwhile, and whatever the code
does ends at most its worker. Python keeps limits only there.
""",
    ),
    compile_snippet,
)
