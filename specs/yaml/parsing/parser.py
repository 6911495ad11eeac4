"""A Parser is the parsing process and the socket that leads to it: begun when first needed."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import threading
import time
import weakref
from functools import partial
from typing import Final
from uuid import UUID

import msgspec

from heddle.schemas.link import DEFAULT_NAMESPACE
from heddle.schemas.pieces import Pieces, at_once, by_turns
from heddle.schemas.problem import Place, Problem
from heddle.specs.files.child_process import start_child
from heddle.specs.model.limits import limits
from heddle.specs.yaml.document import Only, ReadText, decode
from heddle.specs.yaml.parsing.wire import (
    HEAD,
    Away,
    ParseReply,
    ParseRequest,
    joined,
    replies,
    spec_of,
    value_of,
)

_CHILD: Final = "heddle.specs.yaml.parsing.child"

LONGEST: Final = 60.0
"""Seconds that a text may take, the start of the process included; then it is ended."""


class Parser:
    """Reads one text at a time in a process of its own; callers in several threads take turns."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None
        self._end: weakref.finalize[..., Parser] | None = None

    @property
    def pid(self) -> int:
        """The number of the process; 0 while there is none."""
        return self._process.pid if self._process is not None else 0

    def parse(self, request: ParseRequest, longest: float = LONGEST) -> ParseReply:
        """Return the reply, with a Problem if the process did not live to give one."""
        with self._turn:
            end = time.monotonic() + longest
            try:
                return self._parse(request, end)
            except TimeoutError:
                self._stop()
                return _rejected(request, f"it took longer than {longest:g} s to read")
            except (OSError, EOFError, msgspec.MsgspecError) as error:
                self._stop()
                return _rejected(request, f"the process that reads it ended: {error}".rstrip(": "))
            except BaseException:
                self._stop()
                raise

    def close(self) -> None:
        """End the process; the next text begins another one."""
        with self._turn:
            self._stop()

    def _parse(self, request: ParseRequest, end: float) -> ParseReply:
        frame = msgspec.msgpack.encode(request)
        size = 0
        for again in (False, True):
            connection = self._connection()
            try:
                connection.settimeout(max(end - time.monotonic(), 0.001))
                connection.sendall(HEAD.pack(len(frame)) + frame)
                size = HEAD.unpack(_exactly(connection, HEAD.size, end))[0]
                break
            except (EOFError, ConnectionError):
                # It had ended for lack of work, or was ended by somebody: a new one is asked, once.
                self._stop()
                if again:
                    raise
        parts = [replies.decode(_exactly(connection, size, end))]
        while parts[-1].more:
            size = HEAD.unpack(_exactly(connection, HEAD.size, end))[0]
            parts.append(replies.decode(_exactly(connection, size, end)))
        if parts[-1].last:
            self._stop()
        return joined(parts)

    def _connection(self) -> socket.socket:
        if self._process is not None and self._process.poll() is not None:
            self._stop()
        if self._socket is None:
            self._begin()
        connection = self._socket
        if connection is None:
            raise EOFError
        return connection

    def _begin(self) -> None:
        self._process, self._socket = start_child(_CHILD)
        self._end = weakref.finalize(self, _ended, self._process, self._socket)

    def _stop(self) -> None:
        if self._end is not None:
            self._end()
        self._process = self._socket = self._end = None


PARSER: Final = Parser()
"""The one of this process."""


def _exactly(connection: socket.socket, size: int, end: float) -> bytes:
    data = bytearray()
    while len(data) < size:
        connection.settimeout(max(end - time.monotonic(), 0.001))
        got = connection.recv(min(size - len(data), 1 << 20))
        if not got:
            raise EOFError
        data += got
    return bytes(data)


def _ended(process: "subprocess.Popen[bytes]", ours: socket.socket) -> None:
    ours.close()
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGKILL)
        process.wait()


def _rejected(request: ParseRequest, actual: str) -> ParseReply:
    problem = Problem(code="too-large", found=actual, place=Place(request.file))
    return ParseReply([], [], [], [problem], False, b"\x90", [])


# --- reading --------------------------------------------------------------------------------------


def read_aside(
    data: bytes,
    *,
    file: str = "",
    namespace: str = DEFAULT_NAMESPACE,
    only: Only = None,
    key: str | None = None,
    revision: int = 0,
) -> ReadText:
    """As `read_text`, in the parsing process; whoever calls it waits, so call it in a thread."""
    request = ParseRequest(
        data, file, namespace, only, key, revision, limits().file, None, limits()
    )
    reply = PARSER.parse(request)
    return at_once(_made(reply, data, file))


async def read_twice_aside(
    data: bytes, *, namespace: str, only: Only, key: str, again: str, most: int
) -> tuple[ReadText, frozenset[UUID]]:
    """Read a text in the parsing process; return what it says, and the ids that it says itself.

    The event loop goes on meanwhile.
    """
    request = ParseRequest(data, "", namespace, only, key, 0, most, again, limits())
    loop = asyncio.get_running_loop()
    reply = await loop.run_in_executor(None, partial(PARSER.parse, request))
    return await by_turns(_made(reply, data, "")), await by_turns(_ids(reply.written))


def _ids(written: list[bytes]) -> Pieces[frozenset[UUID]]:
    ids: list[UUID] = []
    for each in written:
        ids.append(UUID(bytes=each))
        yield
    return frozenset(ids)


def _made(reply: ParseReply, data: bytes, file: str) -> Pieces[ReadText]:
    """Make a Reading of a reply."""
    source = Away((decode(data) or "").removeprefix("\ufeff"), file, reply.where)
    specs, invalid, values = [], [], []
    for spec in reply.specs:
        specs.append(spec_of(spec, source))
        yield
    for spec in reply.invalid:
        invalid.append(spec_of(spec, source))
        yield
    for each in reply.values:
        values.append(value_of(each, source))
        yield
    return ReadText(
        specs=tuple(specs),
        invalid=tuple(invalid),
        values=tuple(values),
        problems=tuple(reply.problems),
        whole=reply.whole,
    )
