"""The limits of one run: how long it may take, and how much memory."""

from typing import Final

from heddle.extensions.languages.errors import ProgramError, ProgramTimeoutError
from heddle.runtime.assembly.language import Options
from heddle.schemas.units import Duration, Size

TIMEOUT: Final = 1.0
"""Seconds for one run in this process, if nothing else is said: meanwhile nobody else runs."""

WORKER_TIMEOUT: Final = 10.0
"""Seconds for one run in a worker, if nothing else is said."""

MEMORY: Final = 64 * 1024 * 1024
"""Bytes for one run, if nothing else is said."""


def timeout_of(options: Options, default: float = TIMEOUT) -> float:
    """Return the seconds that one run may take."""
    return default if options.timeout is None else float(options.timeout)


def memory_of(options: Options) -> int:
    """Return the bytes that one run may take."""
    return MEMORY if options.memory is None else int(options.memory)


def timed_out(seconds: float, line: int = 0) -> ProgramTimeoutError:
    """Return the error of a run that was stopped."""
    return ProgramTimeoutError(f"stopped: it ran for longer than {Duration(seconds)}", line=line)


def out_of_memory(memory: int, line: int = 0) -> ProgramError:
    """Return the error of a run that wanted too much."""
    return ProgramError(f"stopped: it took more than {Size(memory)} of memory", line=line)
