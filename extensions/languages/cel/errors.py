"""An EvaluationError says what a CEL program could not do with the payload it was given."""

import traceback
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Final

from heddle.runtime.assembly.language import Where
from heddle.schemas.errors import HeddleError

FILENAME: Final = "<cel>"
"""The file name that generated code carries, so that its frames are known in a traceback."""


class EvaluationError(HeddleError):
    """The error of a program; `line` and `column` count from 1 inside the code, 0 is unknown.

    `where` is the place in the file and the field, for code that stands in one.
    """

    def __init__(self, message: str, *, line: int = 0, column: int = 0, where: str = "") -> None:
        self.message = message
        self.line = line
        self.column = column
        self.where = where
        place = where or (f"line {line}, column {column}" if line else "")
        super().__init__(f"{place}: {message}" if place else message)


class CelError(Exception):
    """Raised by helpers; the text is made only when somebody will read it.

    `a.b == 1 || true` forgives an error each time it runs, and looking for the nearest key costs
    a thousand times what the comparison does.
    """

    def __init__(self, text: str | Callable[[], str]) -> None:
        super().__init__()
        self._text = text

    def __str__(self) -> str:
        return self._text if isinstance(self._text, str) else self._text()


class BudgetExceededError(CelError):
    """The run visited or built more than it may; `||` and `&&` do not forgive it."""


class OversizeError(BudgetExceededError):
    """One function would build more than any run may: a larger budget does not help."""


class CodeMap(list[tuple[int, int]]):
    """Line and column in the CEL text for each line of the generated code.

    `where` tells how such a place reads for people; None if the code stands alone.
    """

    __slots__ = ("where",)

    def __init__(self, places: Iterable[tuple[int, int]], where: Where | None = None) -> None:
        super().__init__(places)
        self.where = where


def explain(exception: Exception, places: CodeMap) -> EvaluationError:
    """Return the EvaluationError for whatever a program raised."""
    line, column = _place(exception.__traceback__, places)
    where = places.where(line, column) if places.where is not None else ""
    error = EvaluationError(_text(exception), line=line, column=column, where=where)
    # Even None is worth assigning: it keeps the inner error out of what is printed.
    error.__cause__ = None if isinstance(exception, CelError) else exception
    return error


def _place(trace: TracebackType | None, places: Sequence[tuple[int, int]]) -> tuple[int, int]:
    place = (0, 0)
    # The deepest frame of ours: an error that was set aside and raised again keeps its first place.
    for frame, lineno in traceback.walk_tb(trace):
        if frame.f_code.co_filename == FILENAME and 0 < lineno <= len(places):
            place = places[lineno - 1]
    return place


def _text(exception: Exception) -> str:
    if isinstance(exception, RecursionError):
        return "the data is nested too deeply"
    if isinstance(exception, MemoryError):
        return "out of memory"
    if isinstance(exception, CelError):
        return str(exception)
    return f"{type(exception).__name__}: {exception}"
