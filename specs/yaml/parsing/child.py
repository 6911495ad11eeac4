"""The parsing process: it takes texts, reads them, and gives back what they say.

It knows no secrets: its environment is empty but for what Python needs, and it holds nothing from
one text to the next. The operating system limits what it takes.
"""

import gc
import resource
import socket
import sys
from pathlib import Path
from typing import Final

from heddle.schemas.problem import Place, Problem
from heddle.specs.model.limits import use_limits
from heddle.specs.yaml.diagnose import thorough
from heddle.specs.yaml.document import read_parsed
from heddle.specs.yaml.parsing.wire import (
    HEAD,
    ParseReply,
    ParseRequest,
    packed,
    packed_where,
    parts_of,
    reply_of,
    requests,
)

ROOM: Final = 2 << 30
"""Bytes of memory that it may take at all; a text that takes more is a Problem."""

GROWN: Final = 400 << 20
"""Bytes after which it ends, to make room: another one begins with the next text."""

IDLE: Final = 300.0
"""Seconds without work after which it ends."""


def main() -> None:
    """Serve requests on the socket whose number is the first argument, until it is closed."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    connection.settimeout(IDLE)
    resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # A text is read and forgotten: nothing that it makes needs to be looked at.
    gc.disable()
    while (frame := _read(connection)) is not None:
        request = requests.decode(frame)
        del frame
        reply = _reply(request)
        reply.last = _peak() > GROWN
        for part in parts_of(reply):
            data = packed(part)
            connection.sendall(HEAD.pack(len(data)) + data)
        if reply.last:
            return
        del reply, request
        gc.collect()


def _peak() -> int:
    """Return the most memory that this process has had, in bytes."""
    try:
        # Not ru_maxrss: on Linux that begins with what the process had that started this one.
        status = Path("/proc/self/status").read_bytes()
        return int(status.partition(b"VmHWM:")[2].split(None, 1)[0]) * 1024
    except (OSError, ValueError, IndexError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _reply(request: ParseRequest) -> ParseReply:
    use_limits(request.limits)
    try:
        reading, again, where = read_parsed(
            request.text,
            thorough,
            file=request.file,
            namespace=request.namespace,
            only=request.only,
            key=request.key,
            revision=request.revision,
            most=request.most,
            again=request.again,
        )
        written = [spec.id for spec in again.specs] if again is not None else []
        written += [value.id for value in again.values] if again is not None else []
        return reply_of(reading, packed_where(where), written)
    except MemoryError:
        actual = "it takes too much memory to be read"
        problem = Problem(code="too-large", found=actual, place=Place(request.file))
        return ParseReply([], [], [], [problem], False, b"\x90", [])


def _read(connection: socket.socket) -> bytes | None:
    try:
        head = _exactly(connection, HEAD.size)
        return None if head is None else _exactly(connection, HEAD.unpack(head)[0])
    except (TimeoutError, ConnectionError):
        return None


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    data = bytearray()
    while len(data) < size:
        got = connection.recv(min(size - len(data), 1 << 20))
        if not got:
            return None
        data += got
    return bytes(data)


if __name__ == "__main__":
    main()
