"""The common steps of commands that change a store: author and reason, making it, waiting for it, printing it."""

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click
import msgspec

from heddle.cli.exit_codes import FAILED, CommandError
from heddle.cli.group import KEYED

if TYPE_CHECKING:
    from heddle.cli.settings import Settings
    from heddle.runtime.changes.plan import ApplyResult, Plan
    from heddle.runtime.changes.wait_live import Arrival, WaitResult
    from heddle.specs.model.difference import Diff
    from heddle.specs.model.revision import Note
    from heddle.specs.model.store import Store

MESSAGE = click.option("-m", "--message", metavar="TEXT", default="", help="Why: for the history.")
DRY_RUN = click.option("--dry-run", is_flag=True, help="Check and tell, but write nothing.")
WAIT = click.option(
    "--wait",
    is_flag=True,
    help="Wait until every runtime that follows the namespace has it live, or rejected it.",
)
TIMEOUT = click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    default=60.0,
    show_default=True,
    help="How long --wait waits at most.",
)


def _keyed(ctx: click.Context, _: click.Parameter, key: str) -> str:
    ctx.meta[KEYED] = True
    return key


KEY = click.option(
    "--key",
    callback=_keyed,
    metavar="KEY",
    default="",
    help="Make it once under this key, however often the command is repeated.",
)

YES = click.option("-y", "--yes", is_flag=True, help="Do not ask before something is deleted.")

SHAPE = (
    "{ok, changes: [as of heddle plan], problems: [as of heddle check], revision?, "
    "conflicts?: [{type, id, namespace, name?, told, yours, theirs, merged?, "
    "contradictions?: [{path, reason, base?, yours?, theirs?}]}], "
    "runtimes?: [{namespace, runtime, host, pid, state: live|waiting|rejected|behind, observed, "
    "symbols}]}"
)
"""The JSON output of commands that change a store."""


class ChangeOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a change."""

    message: str = ""
    dry_run: bool = False
    wait: bool = False
    timeout: float = 60.0
    key: str = ""


class ChangeOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of a change. `waited` has an item for each namespace that was waited for."""

    applied: "ApplyResult"
    dry_run: bool = False
    waited: "tuple[WaitResult, ...]" = ()

    @property
    def ok(self) -> bool:
        """Whether it was made, and no runtime rejected it or is behind."""
        stopped = self.applied.problems or self.applied.clashes
        return not stopped and not any(each.rejected or each.behind for each in self.waited)


def note_of(settings: "Settings", message: str, key: str = "") -> "Note":
    """Return who makes a change set, and why; `key` is what it is made once under."""
    from heddle.specs.model.keyed import key_from
    from heddle.specs.model.revision import Note

    writer = settings.author or user_at_host()
    return Note(author=writer, message=message, key=key_from(key) if key else None)


def user_at_host() -> str:
    """Return who runs this process, and where: `ada@web-1`."""
    import getpass
    import socket

    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container may run as somebody whom nothing names.
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def ready_to_wait(store: "Store", options: ChangeOptions) -> None:
    """CommandError if there is nobody to wait for: before anything is written."""
    from heddle.specs.model.report import ReportStore

    if options.wait and not isinstance(store, ReportStore):
        raise CommandError(
            f"{store.url}: runtimes do not say there how they are, so nobody can wait for them. "
            "Leave out --wait"
        )


async def make_it(
    store: "Store", planned: "Plan", settings: "Settings", options: ChangeOptions
) -> ChangeOutcome:
    """Make what was planned, and wait for it, as asked."""
    from heddle.runtime.changes.plan import ApplyResult, apply_plan

    if options.dry_run:
        applied = ApplyResult(
            differences=planned.differences, problems=planned.problems, clashes=planned.clashes
        )
        return ChangeOutcome(applied=applied, dry_run=True)
    ready_to_wait(store, options)
    applied = await apply_plan(store, planned, note_of(settings, options.message, options.key))
    waited = await _wait(store, applied, options) if options.wait and applied.revision else []
    return ChangeOutcome(applied=applied, waited=tuple(waited))


async def made_before(store: "Store", options: ChangeOptions) -> ChangeOutcome | None:
    """Return what an earlier run of this command with the same key has made; None if nothing."""
    from heddle.runtime.changes.plan import ApplyResult
    from heddle.specs.model.difference import difference
    from heddle.specs.model.keyed import KeyedStore, key_from

    if not options.key or options.dry_run or not isinstance(store, KeyedStore):
        return None
    made = await store.keyed(key_from(options.key))
    if made is None:
        return None
    differences = tuple(difference(turn.before, turn.after) for turn in made.turns)
    applied = ApplyResult(differences=differences, revision=made.number)
    waited = await _wait(store, applied, options) if options.wait else []
    return ChangeOutcome(applied=applied, waited=tuple(waited))


async def _wait(
    store: "Store", applied: "ApplyResult", options: ChangeOptions
) -> "list[WaitResult]":
    from heddle.runtime.changes.wait_live import wait_live
    from heddle.specs.model.report import ReportStore

    if not isinstance(store, ReportStore):
        raise TypeError(f"runtimes do not say how they are in a {type(store).__name__}")
    return [
        await wait_live(store, space, applied.revision, applied.ids(space), timeout=options.timeout)
        for space in applied.namespaces
    ]


def confirm(planned: "Plan") -> None:
    """On a terminal, show what would be deleted and ask; click.Abort if the answer is no."""
    from heddle.cli.views.diff_view import print_details

    gone = deleted(planned.differences)
    if not gone or planned.problems or planned.clashes or not sys.stdin.isatty():
        return
    print_details(gone)
    count = f"{len(gone)} specs or values" if len(gone) > 1 else "it"
    click.confirm(f"Delete {count}?", abort=True, err=True)


# --- telling --------------------------------------------------------------------------------------


def print_outcome(outcome: ChangeOutcome, *, source: Any = None, nothing: str = "") -> None:
    """Print the outcome for people; `nothing` is printed if there was nothing to do."""
    from heddle.cli.views.diff_view import print_changes
    from heddle.cli.views.output import print_problems

    applied = outcome.applied
    print_problems(applied.problems, source=source)
    if applied.clashes:
        from heddle.cli.views.conflict_view import print_clashes

        print_clashes(applied.clashes)
    if applied.problems or applied.clashes:
        if applied.problems:
            click.echo("nothing was written: put the problems right first", err=True)
        return
    print_changes(applied.differences, would=outcome.dry_run)
    if not applied.differences and nothing:
        click.echo(nothing, err=True)
    if applied.revision:
        click.echo(f"revision {applied.revision}", err=True)
    for waited in outcome.waited:
        print_arrivals(waited)


def print_arrivals(waited: "WaitResult") -> None:
    """Print how far each runtime has come, a line each, with the reasons."""
    if not waited.arrivals:
        click.echo(
            f"no runtime follows the namespace {waited.namespace}: nobody to wait for", err=True
        )
    for arrival in waited.arrivals:
        report = arrival.report
        state = arrival.state if arrival.state != "behind" else "behind: it has not looked yet"
        click.echo(f"{state:<9}  {report.host}:{report.pid}")
        for line in _reasons(arrival):
            click.echo(f"    {line}")


def _reasons(arrival: "Arrival") -> "list[str]":
    from heddle.specs.model.symbol_status import telling

    conditions = {each.name or str(each.id): telling(each.conditions) for each in arrival.symbols}
    if arrival.state == "behind":
        conditions["the runtime"] = telling(arrival.report.conditions)
    return [f"{name}: {why}" for name, why in conditions.items() if why is not None]


def outcome_data(outcome: ChangeOutcome) -> dict[str, Any]:
    """Return what became of it, for programs; see SHAPE."""
    from heddle.cli.views.diff_view import as_change
    from heddle.cli.views.problem_report import as_data

    applied = outcome.applied
    data: dict[str, Any] = {
        "ok": outcome.ok,
        "changes": [as_change(each) for each in applied.differences],
        "problems": [as_data(problem) for problem in applied.problems],
    }
    if applied.problems or applied.clashes:
        data["changes"] = []
    if applied.revision:
        data["revision"] = applied.revision
    if applied.clashes:
        from heddle.cli.views.conflict_view import as_clash

        data["conflicts"] = [as_clash(each) for each in applied.clashes]
    if outcome.waited:
        data["runtimes"] = [
            _arrival_data(waited, arrival)
            for waited in outcome.waited
            for arrival in waited.arrivals
        ]
    return data


def _arrival_data(waited: "WaitResult", arrival: "Arrival") -> dict[str, Any]:
    report = arrival.report
    return {
        "namespace": waited.namespace,
        "runtime": report.runtime,
        "host": report.host,
        "pid": report.pid,
        "state": arrival.state,
        "observed": report.observed,
        "symbols": [msgspec.to_builtins(each) for each in arrival.symbols],
    }


def end(outcome: ChangeOutcome) -> None:
    """Exit with code 1 if the change was not made, or if a runtime rejected it or is behind."""
    if not outcome.ok:
        raise click.exceptions.Exit(FAILED)


def deleted(differences: "Sequence[Diff]") -> "list[Diff]":
    """Return those that delete something."""
    return [each for each in differences if each.action == "deleted"]
