"""A ProgramError says what went wrong while code ran, and at which line of it."""

from heddle.schemas.errors import HeddleError


class ProgramError(HeddleError):
    """The failure of a run of code, as `line 3: TypeError: …`; `line` 0 is unknown."""

    def __init__(self, message: str, *, line: int = 0) -> None:
        self.message = message
        self.line = line
        super().__init__(f"line {line}: {message}" if line else message)


class UnsendableError(ProgramError):
    """A payload that no other process can be given, as it is not plain data."""


class ProgramTimeoutError(ProgramError, TimeoutError):
    """A run that took too long, and was stopped."""
