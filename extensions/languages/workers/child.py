"""The child is what runs in a worker process: it takes a request, runs it, and answers.

It is alone there: its environment holds no secrets, its standard streams lead nowhere, and the
operating system limits what it takes.
"""

import io
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import Final

import msgspec

from heddle.extensions.languages.errors import ProgramError, ProgramTimeoutError
from heddle.extensions.languages.python import line_of
from heddle.extensions.languages.workers.protocol import (
    HEAD,
    Answer,
    RunRequest,
    framed,
    from_bytes,
    to_bytes,
)
from heddle.runtime.assembly.language import CompileError, Options, Program
from heddle.runtime.flow.errors import NodeError

KEPT: Final = 256
"""How many programs a worker keeps compiled."""

PRINTED: Final = 64 * 1024
"""Characters that one run may print; the rest is dropped, and that is told."""

SLACK: Final = 1.5
"""The engines of languages are stopped by their own limits first: those know the line."""


_NOTHING: Final = msgspec.Raw(b"\xc0")


class _AlarmError(BaseException):
    """Raised in code that runs for too long, wherever it stands."""


def _ring(*_: object) -> None:
    raise _AlarmError


class PrintCapture(io.TextIOBase):
    """Standard output while code runs: whole lines become what the run has said."""

    def __init__(self, level: str, entries: list[tuple[str, str]]) -> None:
        self._level = level
        self._lines = entries
        self._room = PRINTED
        self._rest = ""
        self._lost = 0

    def writable(self) -> bool:
        """Return whether it can be written to: always."""
        return True

    def write(self, text: str) -> int:
        """Take text; what there is no room for is dropped."""
        taken = text[: self._room]
        self._room -= len(taken)
        self._lost += len(text) - len(taken)
        *lines, self._rest = (self._rest + taken).split("\n")
        self._lines += [(self._level, line) for line in lines]
        return len(text)

    def finish(self) -> None:
        """Take the last line, and tell what was dropped."""
        if self._rest:
            self._lines.append((self._level, self._rest))
        if self._lost:
            self._lines.append(
                (
                    "warning",
                    f"{self._lost} more characters were dropped: one run may print {PRINTED}",
                )
            )


def main() -> None:
    """Serve requests on the socket whose number is the first argument, until it is closed."""
    connection = socket.socket(fileno=int(sys.argv[1]))
    _limit_once()
    base = _taken()
    signal.signal(signal.SIGALRM, _ring)
    connection.sendall(framed(b""))
    programs: dict[int, Program] = {}
    entries: list[tuple[str, str]] = []
    decoder = msgspec.msgpack.Decoder(RunRequest)
    warm: set[str] = set()
    while (frame := _read(connection)) is not None:
        request = decoder.decode(frame)
        entries.clear()
        if request.language not in warm:
            # The engine of a language is not a part of what its programs take.
            warm.add(request.language)
            base += _warmed(request.language)
        _limit(base, request)
        answer = _run(request, programs, entries)
        _unlimit()
        connection.sendall(framed(to_bytes(answer)))
        if answer.last:
            return


def _read(connection: socket.socket) -> bytes | None:
    head = _exactly(connection, HEAD.size)
    return None if head is None else _exactly(connection, HEAD.unpack(head)[0])


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    """So many bytes; None if the other side is gone."""
    data = bytearray(size)
    view, at = memoryview(data), 0
    while at < size:
        try:
            got = connection.recv_into(view[at:])
        except ConnectionError:
            return None
        if not got:
            return None
        at += got
    return bytes(data)


def _run(
    request: RunRequest, programs: dict[int, Program], entries: list[tuple[str, str]]
) -> Answer:
    out, err = PrintCapture("info", entries), PrintCapture("warning", entries)
    sys.stdout, sys.stderr = out, err
    try:
        signal.setitimer(signal.ITIMER_REAL, request.timeout + request.slack)
        try:
            answer = _answer(request, programs, entries)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except _AlarmError as alarm:
        # What was stopped half-way may have left anything in any state: another worker goes on.
        line = line_of(alarm)
        answer = Answer("timeout", _NOTHING, line=line, last=True)
    finally:
        sys.stdout = sys.stderr = io.StringIO()
    out.finish()
    err.finish()
    return msgspec.structs.replace(answer, lines=entries)


def _answer(
    request: RunRequest, programs: dict[int, Program], entries: list[tuple[str, str]]
) -> Answer:
    try:
        program = programs.get(request.program)
        if program is None:
            program = _compiled(request, entries)
            while len(programs) >= KEPT:
                del programs[next(iter(programs))]
            programs[request.program] = program
        result = program(from_bytes(request.payload))
        return Answer("ok", msgspec.Raw(to_bytes(result)))
    except NodeError as failure:
        return Answer("error", msgspec.Raw(to_bytes(failure.error)))
    except CompileError as error:
        return Answer("failed", _NOTHING, error.message, error.line)
    except ProgramTimeoutError as error:
        return Answer("timeout", _NOTHING, error.message, error.line)
    except ProgramError as error:
        # What ran out of memory may have left anything in any state: another worker goes on.
        last = isinstance(error.__cause__, MemoryError)
        return Answer(
            "memory" if last else "failed", _NOTHING, error.message, error.line, last=last
        )
    except MemoryError:
        return Answer("memory", _NOTHING, last=True)
    except RecursionError:
        return Answer("failed", _NOTHING, "the data is nested too deeply")
    except Exception as error:
        return Answer("failed", _NOTHING, f"{type(error).__name__}: {error}")


def _compiled(request: RunRequest, entries: list[tuple[str, str]]) -> Program:
    def write_line(level: str, text: str) -> None:
        entries.append((level, text))

    options = Options(
        timeout=request.timeout,
        memory=request.memory,
        condition=request.condition,
        output=write_line,
    )
    return _COMPILERS[request.language](request.code, options)


def _python(code: str, options: Options) -> Program:
    from heddle.extensions.languages.python import compile_fresh

    return compile_fresh(code)


def _javascript(code: str, options: Options) -> Program:
    from heddle.extensions.languages.javascript.program import compile_script

    return compile_script(code, options, typescript=False)


def _typescript(code: str, options: Options) -> Program:
    from heddle.extensions.languages.javascript.program import compile_script

    return compile_script(code, options, typescript=True)


def _jsonata(code: str, options: Options) -> Program:
    from heddle.extensions.languages.jsonata import compile_query

    return compile_query(code, options)


def _jinja(code: str, options: Options) -> Program:
    from heddle.extensions.languages.jinja.template import TemplateProgram

    return TemplateProgram(code, options.condition)


def _cel(code: str, options: Options) -> Program:
    from heddle.extensions.languages.cel.compiler import compile_condition, compile_program
    from heddle.extensions.languages.cel.errors import EvaluationError

    compiled = compile_condition(code) if options.condition else compile_program(code)

    def program(payload: object) -> object:
        try:
            result = compiled(payload)
            # What a condition gives need not be plain data: only its truth counts.
            return bool(result) if options.condition else result
        except EvaluationError as error:
            if type(error.__context__) is MemoryError:
                raise error.__context__ from None
            raise ProgramError(error.message, line=error.line) from error

    return program


_COMPILERS: Final[dict[str, Callable[[str, Options], Program]]] = {
    "cel": _cel,
    "python": _python,
    "javascript": _javascript,
    "typescript": _typescript,
    "jsonata": _jsonata,
    "jinja": _jinja,
}


# --- limits -------------------------------------------------------------------------------------


def _limit_once() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 128 if hard == resource.RLIM_INFINITY else min(128, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _warmed(language: str) -> int:
    """Load the engine of a language: the bytes that it takes."""
    before = _taken()
    try:
        _COMPILERS[language]("1", Options())(None)
    except (ProgramError, CompileError):
        return 0  # The program itself will tell.
    return _taken() - before


def _taken() -> int:
    """Bytes of address space that the worker takes before any code runs."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - there is nothing to resolve
            return int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _limit(base: int, request: RunRequest) -> None:
    if base:
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        size = max(base, 0) + request.memory
        resource.setrlimit(resource.RLIMIT_AS, (_within(size, hard), hard))
    # Should nobody be there any more to end this process, the system does.
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    seconds = int(time.process_time() + request.timeout * SLACK) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (_within(seconds, hard), hard))


def _unlimit() -> None:
    for which in (resource.RLIMIT_AS, resource.RLIMIT_CPU):
        _, hard = resource.getrlimit(which)
        resource.setrlimit(which, (hard, hard))


def _within(size: int, hard: int) -> int:
    return size if hard == resource.RLIM_INFINITY else min(size, hard)


if __name__ == "__main__":
    main()
