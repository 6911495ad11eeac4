"""A Trace is where an exception was raised: files, lines and names, without the frames.

Frames keep their locals alive, and through their callers those of everyone who waits: an exception
that is kept, or that stands in one of its own frames, would keep whole request bodies.
"""

from typing import TypeAlias

Places: TypeAlias = tuple[tuple[str, int, str], ...]
"""File, line and function of each frame, the outermost first."""

Trace: TypeAlias = dict[int, Places]
"""The places of an exception and of those that it came from, by `id` of the exception."""

_CHAIN = 16
"""How many exceptions of a chain are looked at."""


def taken(exception: BaseException) -> Trace:
    """Take the tracebacks off an exception and off those that it came from; return their places."""
    trace: Trace = {}
    todo: list[BaseException | None] = [exception]
    while todo and len(trace) < _CHAIN:
        error = todo.pop()
        if error is None or id(error) in trace:
            continue
        places: list[tuple[str, int, str]] = []
        step = error.__traceback__
        while step is not None:
            code = step.tb_frame.f_code
            places.append((code.co_filename, step.tb_lineno, code.co_name))
            step = step.tb_next
        error.__traceback__ = None
        trace[id(error)] = tuple(places)
        todo += [error.__cause__, error.__context__]
        if isinstance(error, BaseExceptionGroup):
            todo += error.exceptions
    return trace


def written(exception: BaseException, trace: Trace) -> str:
    """Write an exception as Python does, with the places that were taken from it."""
    import traceback

    traceback_exception = traceback.TracebackException.from_exception(exception)
    todo: list[tuple[BaseException | None, traceback.TracebackException | None]] = [
        (exception, traceback_exception)
    ]
    while todo:
        error, shown = todo.pop()
        if error is None or shown is None:
            continue
        places = trace.get(id(error), ())
        if places:
            shown.stack = traceback.StackSummary.from_list([(*place, None) for place in places])
        todo += [(error.__cause__, shown.__cause__), (error.__context__, shown.__context__)]
        if isinstance(error, BaseExceptionGroup) and shown.exceptions:
            todo += zip(error.exceptions, shown.exceptions, strict=False)
    return "".join(traceback_exception.format())
