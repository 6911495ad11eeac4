"""A Wire joins a supervisor and one of its workers: lines of JSON both ways, and sockets beside them."""

import array
import asyncio
import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import msgspec

WireMessage: TypeAlias = dict[str, Any]

_PIECE: Final = 64 * 1024
_SOCKETS: Final = 32
"""How many sockets may stand beside one line: a host has seldom more than two addresses."""


class Wire:
    """One end of a pair of sockets. Used inside one event loop; nothing of it waits.

    Other threads may `say` lines, too: they leave at once, even while the loop stands still.

    `heard(told, sockets)` is called for every line, `ended()` once the other end is gone.
    """

    def __init__(
        self,
        sock: socket.socket,
        on_message: Callable[[WireMessage, list[socket.socket]], None],
        ended: Callable[[], None],
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._on_message = on_message
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._begun = bytearray()
        self._received: list[socket.socket] = []
        self._waiting: deque[tuple[bytes, list[int]]] = deque()
        self._writing = False
        self._turn = threading.RLock()
        self._thread = threading.get_ident()
        self._open = True
        self._empty = asyncio.Event()
        self._loop.add_reader(sock, self._read)

    def send(self, data: WireMessage, sockets: Sequence[socket.socket] = ()) -> None:
        """Send a line, and sockets beside it; who sends them may close its own afterwards."""
        if not self._open:
            return
        # A copy of each: it is sent when there is room, and may be closed here before that. Not made
        # by socket.dup(): that sets the mode of the copy, which all processes have in common, and one
        # that accepts at this moment would wait in the kernel until the next client comes.
        copies = [os.dup(sock.fileno()) for sock in sockets]
        line = msgspec.json.encode(data, enc_hook=str) + b"\n"
        with self._turn:
            self._waiting.append((line, copies))
            self._write()

    def close(self) -> None:
        """Let go of this end."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._sock)
        if self._writing:
            self._loop.remove_writer(self._sock)
        self._sock.close()
        for _, copies in self._waiting:
            _close(copies)
        self._waiting.clear()
        for sock in self._received:
            sock.close()
        self._empty.set()

    async def sent(self) -> None:
        """Wait until the other end was given everything, or is gone."""
        if self._open and self._waiting:
            self._empty = asyncio.Event()
            await self._empty.wait()

    # --- writing ---

    def _write(self) -> None:
        with self._turn:
            self._write_on()

    def _write_on(self) -> None:
        while self._waiting:
            data, copies = self._waiting[0]
            try:
                count = self._send(data, copies)
            except (BlockingIOError, InterruptedError):
                self._on_loop(self._listen_for_room)
                return
            except OSError:
                self._on_loop(self._gone)
                return
            _close(copies)
            self._waiting.popleft()
            if count < len(data):
                self._waiting.appendleft((data[count:], []))
        self._on_loop(self._written)

    def _written(self) -> None:
        """Wait for room no more, unless a line came meanwhile."""
        with self._turn:
            if self._waiting or not self._open:
                return
            self._empty.set()
            if self._writing:
                self._writing = False
                self._loop.remove_writer(self._sock)

    def _on_loop(self, act: Callable[[], None]) -> None:
        """Do what only the thread of the loop may do."""
        if threading.get_ident() == self._thread:
            act()
        else:
            self._loop.call_soon_threadsafe(act)

    def _send(self, data: bytes, copies: list[int]) -> int:
        if not copies:
            return self._sock.send(data)
        beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", copies))]
        return self._sock.sendmsg([data], beside)

    def _listen_for_room(self) -> None:
        if not self._writing and self._open:
            self._writing = True
            self._loop.add_writer(self._sock, self._write)

    # --- reading ---

    def _read(self) -> None:
        try:
            data, numbers, _, _ = socket.recv_fds(self._sock, _PIECE, _SOCKETS)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data, numbers = b"", []
        # Sockets come with the first byte of their line, so before anything after it.
        self._received += [socket.socket(fileno=number) for number in numbers]
        if not data:
            self._gone()
            return
        *lines, rest = (bytes(self._begun) + data).split(b"\n")
        self._begun = bytearray(rest)
        for line in lines:
            given: WireMessage = msgspec.json.decode(line)
            sockets: list[socket.socket] = []
            count = given.get("sockets", 0)
            if count:
                sockets, self._received = self._received[:count], self._received[count:]
            self._on_message(given, sockets)
            if not self._open:
                return

    def _gone(self) -> None:
        if self._open:
            self.close()
            self._ended()


def _close(numbers: Sequence[int]) -> None:
    for number in numbers:
        socket.socket(fileno=number).close()
