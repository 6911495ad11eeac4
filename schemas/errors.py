"""Errors in what someone wrote, and in the place that keeps it.

HeddleError
├── SpecError        edit the file: carries every Problem
│   └── SecretError  a secret cannot be opened or sealed: give the key
└── StoreError       the store: retry, or look at its address
    ├── NotFoundError     there is no such Spec or Value
    ├── RejectedError     a file has to be corrected, or edited by hand, first
    ├── ConflictError     someone else changed it since you read it
    └── UnconfirmedError  it may have been made: repeat it with its key
"""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from heddle.schemas.problem import Problem

_Raised = TypeVar("_Raised", bound=BaseException)


class HeddleError(Exception):
    """The root of everything that Heddle raises on purpose."""


class SpecError(HeddleError):
    """Raised when what was written cannot be used; `problems` holds all that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class SecretError(SpecError):
    """A Value cannot be opened or sealed; the Problem names it and the key, and nothing of its data."""


class StoreError(HeddleError):
    """The store could not do it; the message names the store and the reason."""


class NotFoundError(StoreError):
    """There is no such Spec or Value in the store."""


class RejectedError(StoreError):
    """The store cannot take this change as it stands; trying again does not help."""


class ConflictError(StoreError):
    """It changed since it was read, or its name is taken."""


class UnconfirmedError(StoreError):
    """A change set may have been made: the store was lost after it was sent, and before it answered.

    `key` is its key: the same changes under the same key are made once, however often they are sent.
    """

    def __init__(self, reason: str, key: UUID) -> None:
        self.reason = reason
        self.key = key
        super().__init__(f"{reason}. The change set may have been made: its key is {key}")


def without_frames(error: _Raised) -> _Raised:
    """Return an error that was caught and is kept, without the frames that it came through.

    A frame that keeps an error which holds that frame is never freed by counting references.
    """
    error.__context__ = error.__cause__ = None
    return error.with_traceback(None)
