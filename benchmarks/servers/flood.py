"""One client that floods a server: `python -m benchmarks.servers.flood PORT NAME`, until it is ended."""

import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_HANDSHAKE: Final = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
_CHUNKED: Final = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
_PIECE: Final = 200_000


def frame(opcode: int, data: bytes, *, fin: bool = True) -> bytes:
    """Return a masked frame of a WebSocket."""
    return bytes([(0x80 if fin else 0) | opcode, 0x80 | len(data)]) + b"\0\0\0\0" + data


_JSON: Final = b"[" + b"{}," * 300_000 + b"{}]"

FLOODS: Final = {
    "chunks": (_CHUNKED, b"1\r\na\r\n"),
    "requests": (b"", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
    "messages": (_HANDSHAKE, frame(1, b"x")),
    "pings": (_HANDSHAKE, frame(9, b"")),
    "fragments": (_HANDSHAKE, frame(1, b"a", fin=False) + frame(0, b"", fin=False) * 1000),
    "json": (
        b"",
        b"POST /json HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(_JSON) + _JSON,
    ),
}
"""What each flood sends first, and then again and again."""


def main(port: int, name: str) -> None:
    """Flood; if the server closes the connection, on another one."""
    begin, unit = FLOODS[name]
    if name == "fragments":
        begin, unit = begin + unit[:7], unit[7:]
    piece = unit * max(_PIECE // len(unit), 1)
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 10.0) as sock:
            sock.settimeout(10.0)
            if begin:
                sock.sendall(begin)
            _beside(sock)
            while True:
                sock.sendall(piece)
        time.sleep(0.01)


def _beside(sock: socket.socket) -> None:
    """Take what comes back, so that the server is never the one that waits."""

    def drain() -> None:
        with suppress(OSError):
            while sock.recv(1 << 20):
                pass

    work: Callable[[], None] = drain
    threading.Thread(target=work, daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
