"""Errors for people, on standard error: one line each."""

from errno import ENOSPC

import click

from heddle.schemas.errors import HeddleError


def complain(message: str) -> None:
    """Print one error for people, on standard error."""
    click.echo(click.style("error", fg="red", bold=True) + f": {message}", err=True)


def warn(message: str) -> None:
    """Print one warning for people, on standard error."""
    click.echo(click.style("warning", fg="yellow", bold=True) + f": {message}", err=True)


def explain_error(error: Exception) -> str:
    """Return the text of an exception for people."""
    if isinstance(error, HeddleError):
        cause = getattr(error, "cause", None)
        if isinstance(cause, OSError) and cause.strerror:
            return str(error).replace(str(cause), cause.strerror)
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        full = error.errno == ENOSPC  # without a file it is our own output
        place = f"{error.filename}: " if error.filename is not None else ""
        place = place or ("standard output: " if full else "")
        return f"{place}{error.strerror.lower()}"
    return (
        f"{type(error).__name__}: {error} (this should not happen; --debug shows where it did, "
        "please tell us)"
    )
