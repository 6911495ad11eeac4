"""What a command raises becomes one clear line on standard error and an exit code."""

import sys
import traceback
from collections.abc import Callable
from typing import Any

import click

from heddle.cli.failure import FAILED, INTERRUPTED
from heddle.cli.group import DEBUG
from heddle.specs.errors import HeddleError, SpecError


def rescued(ctx: click.Context, run: Callable[[click.Context], Any]) -> Any:
    """Run it; a traceback is shown only where one is wanted (`--debug`, HEDDLE_DEBUG)."""
    try:
        return run(ctx)
    except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
        raise
    except KeyboardInterrupt:
        complain("interrupted")
        ctx.exit(INTERRUPTED)
    except SpecError as error:
        from heddle.cli.output import print_problems

        print_problems(error.problems)
        ctx.exit(FAILED)
    except Exception as error:
        if ctx.meta.get(DEBUG):
            traceback.print_exc(file=sys.stderr)
        complain(said(error))
        ctx.exit(FAILED)


def complain(message: str) -> None:
    """One error for people, on standard error."""
    click.echo(click.style("error", fg="red", bold=True) + f": {message}", err=True)


def said(error: Exception) -> str:
    """What an exception says to people."""
    if isinstance(error, HeddleError):
        cause = getattr(error, "cause", None)
        if isinstance(cause, OSError) and cause.strerror:
            return str(error).replace(str(cause), cause.strerror)
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename is not None else ""
        return f"{place}{error.strerror.lower()}"
    return (
        f"{type(error).__name__}: {error} (this should not happen; --debug shows where it did, "
        "please tell us)"
    )
