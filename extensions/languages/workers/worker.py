"""A Worker is one child process and the socket that leads to it."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import time
import weakref
from typing import Final

import msgspec

from heddle.extensions.languages.errors import ProgramError
from heddle.extensions.languages.limits import out_of_memory, timed_out
from heddle.extensions.languages.workers.protocol import HEAD, Answer, RunRequest, framed
from heddle.specs.files.child_process import start_child

_CHILD: Final = "heddle.extensions.languages.workers.child"

STARTING: Final = 60.0
"""Seconds that a worker may take to begin."""

GRACE: Final = 0.25
"""Seconds beyond the time limit: what stops by itself knows the line where it stood."""

MOST: Final = 256 << 20
"""Bytes that an answer may have, whatever the limits say."""

_answers: Final = msgspec.msgpack.Decoder(Answer)


class LanguageWorker:
    """Runs one request at a time. Whatever goes wrong, `alive` tells whether it can be used again.

    Both `ask` and `send_sync` raise ProgramError if the worker did not live to answer.
    """

    def __init__(self) -> None:
        self._process, self._socket = start_child(_CHILD)
        self._ready = False
        self.alive = True
        self.known: set[int] = set()
        self.used = time.monotonic()
        self.end = weakref.finalize(self, _end, self._process, self._socket)

    def stop(self) -> None:
        """End the process, whatever it does, and wait until it is gone: milliseconds."""
        self.alive = False
        self.end()

    def check(self) -> bool:
        """Return whether it is still there, and has nothing to say unasked."""
        if self.alive and self._process.poll() is not None:
            self.stop()
        return self.alive

    async def run(self, request: RunRequest) -> Answer:
        """Run a request and wait for its answer; the worker ends where the asker is cancelled."""
        self._socket.setblocking(False)
        loop = asyncio.get_running_loop()
        frame = framed(msgspec.msgpack.encode(request))
        try:
            if not self._ready:
                async with asyncio.timeout(STARTING):
                    await self._receive(loop, MOST)
                self._ready = True
            async with asyncio.timeout(request.timeout + request.slack + GRACE):
                await loop.sock_sendall(self._socket, frame)
                return self._answered(request, await self._receive(loop, _most(request)))
        except (TimeoutError, OSError, EOFError) as error:
            raise self._broken(request, error) from None
        except BaseException:
            self.stop()
            raise

    def send_sync(self, request: RunRequest) -> Answer:
        """Return the same, for those that cannot wait: everything else stands still meanwhile."""
        frame = framed(msgspec.msgpack.encode(request))
        try:
            if not self._ready:
                self._receive_now(time.monotonic() + STARTING, MOST)
                self._ready = True
            patience = request.timeout + request.slack + GRACE
            end = time.monotonic() + patience
            self._socket.settimeout(patience)
            self._socket.sendall(frame)
            return self._answered(request, self._receive_now(end, _most(request)))
        except (TimeoutError, OSError, EOFError) as error:
            raise self._broken(request, error) from None
        except BaseException:
            self.stop()
            raise

    def _answered(self, request: RunRequest, frame: bytes) -> Answer:
        try:
            answer = _answers.decode(frame)
        except msgspec.DecodeError as error:
            raise OSError(str(error)) from None
        self.known.add(request.program)
        self.used = time.monotonic()
        if answer.last:
            self.stop()
        return answer

    async def _receive(self, loop: asyncio.AbstractEventLoop, most: int) -> bytes:
        data = bytearray()
        size = HEAD.size
        while len(data) < size:
            got = await loop.sock_recv(self._socket, 1 << 20)
            size = self._grown(data, got, size, most)
        return bytes(memoryview(data)[HEAD.size :])

    def _receive_now(self, end: float, most: int) -> bytes:
        data = bytearray()
        size = HEAD.size
        while len(data) < size:
            self._socket.settimeout(max(end - time.monotonic(), 0.001))
            size = self._grown(data, self._socket.recv(1 << 20), size, most)
        return bytes(memoryview(data)[HEAD.size :])

    def _grown(self, data: bytearray, got: bytes, size: int, most: int) -> int:
        """Return how long the frame is as a whole, as far as that can be told by now."""
        if not got:
            raise EOFError
        data += got
        if size == HEAD.size and len(data) >= HEAD.size:
            size = HEAD.size + HEAD.unpack_from(data)[0]
            if size > most:
                raise _TooMuchError
        return size

    def _broken(self, request: RunRequest, error: BaseException) -> ProgramError:
        """Return what became of a run that was not answered; the worker is ended."""
        code = self._process.poll()
        if code is None and isinstance(error, EOFError | ConnectionError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.wait(1)
        self.stop()
        if isinstance(error, _TooMuchError):
            return out_of_memory(request.memory)
        if isinstance(error, TimeoutError):
            return timed_out(request.timeout) if self._ready else _NEVER
        if code == -signal.SIGXCPU:
            return timed_out(request.timeout)
        if code == -signal.SIGABRT:
            # So ends what cannot go on without memory.
            return out_of_memory(request.memory)
        if code is not None and code < 0:
            return ProgramError(f"the worker was ended by signal {signal.Signals(-code).name}")
        return ProgramError(f"the worker ended (exit code {code})")


_NEVER: Final = ProgramError(f"the worker did not begin within {STARTING:.0f}s")


class _TooMuchError(OSError):
    """An answer that is longer than the memory limit."""


def _most(request: RunRequest) -> int:
    return min(MOST, request.memory + 1024)


def _end(process: "subprocess.Popen[bytes]", ours: socket.socket) -> None:
    ours.close()
    if process.poll() is None:
        process.kill()
        process.wait()
