"""The boundary of a command: what it raises becomes one clear line on standard error and an exit code."""

import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import click

from heddle.cli.complaint import complain, explain_error
from heddle.cli.exit_codes import FAILED, INTERRUPTED, UNCONFIRMED
from heddle.cli.group import AS_JSON, DEBUG, KEYED
from heddle.schemas.errors import SpecError, UnconfirmedError
from heddle.schemas.problem import Problem


def rescued(ctx: click.Context, run: Callable[[click.Context], Any]) -> Any:
    """Run it; a traceback is shown only if one is wanted (`--debug`, HEDDLE_DEBUG).

    With `--json`, standard output has the failure as `{"ok": false, "error": …}`, too.
    """
    try:
        return run(ctx)
    except click.ClickException as error:
        _print_json_failure(ctx, error.format_message())
        raise
    except (click.exceptions.Exit, click.Abort, BrokenPipeError):
        raise
    except KeyboardInterrupt:
        _print_json_failure(ctx, "interrupted")
        complain("interrupted")
        ctx.exit(INTERRUPTED)
    except SpecError as error:
        from heddle.cli.views.output import print_problems

        _print_json_failure(ctx, str(error), error.problems)
        print_problems(error.problems)
        ctx.exit(FAILED)
    except UnconfirmedError as error:
        hint = repeat(ctx, error)
        _print_json_failure(ctx, f"{error}. {hint}", unconfirmed=True, key=str(error.key))
        complain(f"{error}. {hint}")
        ctx.exit(UNCONFIRMED)
    except Exception as error:
        if ctx.meta.get(DEBUG):
            traceback.print_exc(file=sys.stderr)
        _print_json_failure(ctx, explain_error(error))
        complain(explain_error(error))
        ctx.exit(FAILED)


def repeat(ctx: click.Context, error: UnconfirmedError) -> str:
    """Return what to do about a change set that may have been made."""
    if ctx.meta.get(KEYED):
        return f"Try the same command with --key {error.key}: it is made once"
    return "Look whether it was: heddle history"


def _print_json_failure(
    ctx: click.Context, error: str, problems: Sequence[Problem] = (), **more: object
) -> None:
    """Print a failure for programs, if JSON is wanted."""
    if not ctx.meta.get(AS_JSON):
        return
    from heddle.cli.views.output import print_json

    print_json({**failure(error, problems), **more})


def failure(error: str, problems: Sequence[Problem] = ()) -> dict[str, Any]:
    """Return what `--json` prints if a command could not do what was asked."""
    from heddle.cli.views.problem_report import as_data

    more = {"problems": [as_data(problem) for problem in problems]} if problems else {}
    return {"ok": False, "error": error, **more}
